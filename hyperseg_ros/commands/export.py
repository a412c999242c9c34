"""`hyperseg export`: a verified model file from a checkpoint, or from another for another size."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.commands.options import image_size, positive
from hyperseg_ros.runtime.graphs.forms import FORMS
from hyperseg_ros.runtime.markdown import write_card_page
from hyperseg_ros.runtime.model_file import find_model, read_card, shipped_models

_OF_CHECKPOINTS = ("variant", "batch", "fp32_weights", "operators", "license", "terms")


def main(argv: Sequence[str]) -> int:
    """Export, and print what was verified and where the file is.

    Raises:
        ValueError: the checkpoint or model cannot be used, the size does not fit the network, or
            the file failed verification and was not kept.
    """
    options = _parse(argv)
    if not (_is_model(options.source) or Path(options.source).suffix or options.variant):
        find_model(options.source)  # a name that is nearly a shipped model's: says which
    output = _resize(options) if _is_model(options.source) else _export(options)
    card = read_card(output)
    if options.picture:
        from hyperseg_ros.export.picture import write_picture

        write_picture(output, options.picture, output.with_suffix(".jpg"))
    write_card_page(output, card)
    print(f"verified and saved {output} ({output.stat().st_size / 1e6:.1f} MB)")
    return 0


def _export(options: argparse.Namespace) -> Path:
    """Write the model file of a checkpoint."""
    from hyperseg_ros.export.checkpoint import LICENSE, card_of, export_network
    from hyperseg_ros.network import load_checkpoint

    checkpoint = Path(options.source)
    network, info = load_checkpoint(checkpoint, options.variant)
    output: Path = options.output or checkpoint.with_suffix(".onnx")
    license = options.license or LICENSE
    agreements = export_network(
        output,
        network,
        card_of(network, info, output.stem, options.size, license, options.terms),
        batch=options.batch or 1,
        half_weights=not options.fp32_weights,
        operators=options.operators or "convolution",
    )
    for agreement in agreements:
        print(
            f"{agreement.backend}: agrees with PyTorch on {agreement.labels:.3%} of the labels and "
            f"{agreement.confidence:.3%} of the confidences"
        )
    return output


def _resize(options: argparse.Namespace) -> Path:
    """Write the model file of another size."""
    from hyperseg_ros.export.resizing import resize_model_file

    given = [option for option in _OF_CHECKPOINTS if getattr(options, option)]
    if given:
        raise ValueError(f"--{given[0].replace('_', '-')} is for checkpoints, not for model files")
    if options.size is None:
        raise ValueError("a model file is made for another size: name it, as --size 384x640")
    model = find_model(options.source)
    height, width = options.size
    named = Path(options.source) if Path(options.source).suffix else Path(f"{options.source}.onnx")
    output: Path = options.output or named.with_name(f"{model.stem}-{height}x{width}.onnx")
    backends = resize_model_file(model, output, options.size)
    print(f"runs on {', '.join(backends) or 'no backend: none is installed here'}")
    return output


def _is_model(source: str) -> bool:
    path = Path(source)
    return path.suffix == ".onnx" or (not path.is_file() and source in shipped_models())


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hyperseg export",
        description="Write a checkpoint as a model file: one ONNX with pre- and post-processing "
        "in the graph and the model card in the metadata, verified against PyTorch. Or, without "
        "PyTorch, make a model file for another input size.",
    )
    parser.add_argument(
        "source",
        metavar="CHECKPOINT|MODEL",
        help="a checkpoint; or a model file (.onnx) or shipped model's name, with --size",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="default: CHECKPOINT with .onnx, or MODEL-HEIGHTxWIDTH.onnx",
    )
    parser.add_argument(
        "--size",
        type=image_size,
        metavar="HEIGHTxWIDTH",
        help="input height x width in pixels, such as 384x640; default for a checkpoint: as "
        "trained. Measure a model at a new size with `hyperseg evaluate`",
    )
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="IMAGE",
        help="show this image and its labels on the card's page",
    )
    _add_checkpoint_options(parser)
    options = parser.parse_args(argv)
    if options.output and options.output.suffix != ".onnx":
        parser.error(f"--output must end in .onnx, not {options.output.name}")
    return options


def _add_checkpoint_options(parser: argparse.ArgumentParser) -> None:
    checkpoints = parser.add_argument_group("for checkpoints")
    checkpoints.add_argument(
        "--variant", metavar="NAME", help="network of a published checkpoint, which doesn't say"
    )
    checkpoints.add_argument("--batch", type=positive, metavar="N", help="batch size; default: 1")
    checkpoints.add_argument(
        "--fp32-weights", action="store_true", help="store weights as float32, not float16"
    )
    checkpoints.add_argument(
        "--operators",
        choices=FORMS,
        help="form of the dynamic convolutions: grouped convolutions, the default, for CPUs; "
        "matrix products and shifted sums, for GPUs",
    )
    checkpoints.add_argument(
        "--license", help="SPDX identifier of the weights' licence; default: Apache-2.0"
    )
    checkpoints.add_argument(
        "--terms", help="what the training data allow the model to be used for"
    )
