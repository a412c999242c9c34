"""Finding a model file and checking that it is one, before any backend sees it.

A model is one self-contained ONNX file: input `image` uint8 [N, H, W, 3] (BGR), outputs `labels`
and `confidence` uint8 [N, H, W], and the model card in its metadata.
"""

from __future__ import annotations

import difflib
import os
import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hyperseg_ros.files import write_bytes
from hyperseg_ros.runtime.card import METADATA_KEY, ModelCard
from hyperseg_ros.runtime.share_folders import share_folders

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto

DEFAULT_MODEL = "hyperseg-s-lite0-camvid"
"""The shipped model used where none is named."""

INPUT = "image"
OUTPUTS = ("labels", "confidence")
_LARGEST = 2**31 - 1
"""Bytes of the longest message that protobuf reads."""
_LONGEST_QUOTE = 500
"""Characters of a file's own text in a message."""


class ModelFileError(ValueError):
    """A model that is not there, or is not what the runtime can run; says what to do."""


def find_model(name_or_path: str | os.PathLike[str]) -> Path:
    """The file of a model, given as a path or as the name of a shipped one.

    Shipped models are looked for in `share/hyperseg_ros/models` of every ROS prefix, then of the
    Python environment, then in `models/` of the source checkout.

    Raises:
        ModelFileError: there is no such file, and no shipped model of that name.
    """
    try:
        path = Path(name_or_path).expanduser()
        if path.is_file():
            return path
    except (RuntimeError, OSError, ValueError) as error:  # no such user; too long; a zero byte
        raise ModelFileError(f"{in_brief(str(name_or_path))} is not a path: {error}") from None
    shipped = shipped_models()
    if len(path.parts) == 1 and path.name in shipped:  # a folder of a run may be called like it
        return shipped[path.name]
    if path.is_dir():
        raise ModelFileError(f"{path} is a folder; name the .onnx file in it")
    if path.suffix == ".onnx" or len(path.parts) != 1:
        raise ModelFileError(f"there is no model file {path}")
    nearest = difflib.get_close_matches(path.name, shipped, n=1)
    hint = f"did you mean {nearest[0]}? " if nearest else ""
    raise ModelFileError(
        f"no model {path.name!r}: {hint}Give the path of an .onnx file, or one of the shipped "
        f"models: {', '.join(sorted(shipped)) or '(none is installed)'}"
    )


def shipped_models() -> dict[str, Path]:
    """The models that come with the package, by name."""
    models: dict[str, Path] = {}
    for folder in share_folders("models"):
        for path in sorted(folder.glob("*.onnx")):
            models.setdefault(path.stem, path)
    return models


def verification_frames() -> list[Path]:
    """The images on which what is compiled from a model file is compared with it."""
    found = (sorted((folder / "frames").glob("*.jpg")) for folder in share_folders("models"))
    return next(filter(None, found), [])


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """The card of a model file, after checking that the file follows the contract.

    Raises:
        ModelFileError: the file cannot be read, is not ONNX, is cut short, keeps its weights
            elsewhere, has no card or a broken one, has other inputs and outputs, or operations
            that ONNX does not know in this form.
    """
    path = Path(path)
    model = _parse(path)
    _check_self_contained(path, model)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    if METADATA_KEY not in properties:
        raise ModelFileError(
            f"{path} carries no model card (metadata {METADATA_KEY}); "
            "write it with `hyperseg export CHECKPOINT`"
        )
    try:
        card = ModelCard.from_json(properties[METADATA_KEY])
    except ValueError as error:
        raise ModelFileError(
            f"{path}: {error}; write the file again with `hyperseg export CHECKPOINT`"
        ) from None
    _check_signature(path, model.graph, card.input_size)
    _check_nodes(path, model)
    return card


def write_card(path: str | os.PathLike[str], card: ModelCard) -> None:
    """Give a model file another card; the graph stays as it is.

    Args:
        path: the file, or a link to it; it is replaced only by a complete new one.
        card: the new card.

    Raises:
        ModelFileError: the file cannot be read or is not ONNX.
        ValueError: it is a card that nobody could read.
        OSError: the file cannot be written.
    """
    from onnx import helper

    path = Path(path).resolve()
    model = _parse(path)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    text = card.to_json()
    ModelCard.from_json(text)
    helper.set_model_props(model, {**properties, METADATA_KEY: text})
    write_bytes(path, model.SerializeToString())


def fixed_batch(path: str | os.PathLike[str]) -> int | None:
    """The batch size that a model is exported with; None where any will do.

    Raises:
        ModelFileError: the file cannot be read or is not ONNX.
    """
    (image,) = (value for value in _parse(Path(path)).graph.input if value.name == INPUT)
    batch = image.type.tensor_type.shape.dim[0]
    return int(batch.dim_value) if batch.HasField("dim_value") else None


def _parse(path: Path) -> ModelProto:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        if path.stat().st_size > _LARGEST:
            raise ModelFileError(f"{path} is longer than any ONNX file: 2 GB")
        data = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error.strerror}") from None
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError:
        # A ModelProto opens with the tag of its field 1, ir_version.
        if data.startswith(b"\x08"):
            raise ModelFileError(
                f"{path} is damaged or cut short at {len(data)} bytes; copy it again"
            ) from None
        raise ModelFileError(f"{path} is not an ONNX file") from None
    if not model.graph.node:
        raise ModelFileError(f"{path} is not an ONNX file: it holds no graph")
    return model


def _check_self_contained(path: Path, model: ModelProto) -> None:
    """Refuse tensors that are kept elsewhere, wherever in the model a tensor can stand.

    A runtime would read any file that they name.
    """
    from onnx import TensorProto

    for tensor in _tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            location = next((e.value for e in tensor.external_data if e.key == "location"), "?")
            raise ModelFileError(
                f"{path} keeps its weights in another file ({reprlib.repr(location)}); a model is "
                "one file: write it with `hyperseg export CHECKPOINT`"
            )


def _tensors(message: Message) -> Iterator[TensorProto]:
    """The tensors of a model: in graphs, attributes, subgraphs, functions, sparse tensors, ..."""
    if message.DESCRIPTOR.full_name == "onnx.TensorProto":
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        # A repeated field iterates; of a single message, the fields do not.
        for part in (value,) if hasattr(value, "ListFields") else value:
            yield from _tensors(part)


def _check_signature(path: Path, graph: GraphProto, input_size: tuple[int, int]) -> None:
    height, width = input_size
    initialized = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in initialized]
    found = [_describe(value) for value in (*inputs, *graph.output)]
    wanted = [_signature(INPUT, (height, width, 3))]
    wanted += [_signature(name, (height, width)) for name in OUTPUTS]
    if found != wanted:
        raise ModelFileError(
            f"{path} is not a model for its card: it has {in_brief(', '.join(found))} instead of "
            f"{', '.join(wanted)}; write it with `hyperseg export CHECKPOINT`"
        )


def _check_nodes(path: Path, model: ModelProto) -> None:
    """Refuse operations without the inputs that they need, and the like.

    A backend may follow a missing input to nowhere, which ends the process. `model` loses its
    weights here: the checker would copy them twice.
    """
    from onnx import TensorProto, checker

    try:
        for tensor in model.graph.initializer:
            kind = tensor.data_type
            tensor.CopyFrom(TensorProto(name=tensor.name, data_type=kind, dims=[0]))
        checker.check_model(model)
    except Exception as error:  # names are no UTF-8; or the checker's, which share no base
        raise ModelFileError(
            f"{path} is damaged, or no valid ONNX: {in_brief(str(error))}; copy it again, or write "
            "it with `hyperseg export CHECKPOINT`"
        ) from None


def in_brief(text: str) -> str:
    """A text from outside for a message: one line, shortened where it is not for people."""
    text = " ".join(text.split())
    shown = text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."
    return shown.encode("utf-8", "backslashreplace").decode("utf-8")


def _signature(name: str, sides: tuple[int, ...]) -> str:
    return f"{name} UINT8 [N, {', '.join(map(str, sides))}]"


def _describe(value: ValueInfoProto) -> str:
    """Name, type and shape of an input or output; the batch is N whether fixed or free."""
    from onnx import TensorProto

    tensor = value.type.tensor_type
    sides = [
        str(side.dim_value) if side.HasField("dim_value") else side.dim_param or "?"
        for side in tensor.shape.dim
    ]
    kinds = {number: kind for kind, number in TensorProto.DataType.items()}
    return f"{value.name} {kinds.get(tensor.elem_type, '?')} [{', '.join(['N', *sides[1:]])}]"
