"""The node's parameters: each one's type, default, bounds and meaning, in one place."""

from __future__ import annotations

import array
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
)
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from hyperseg_ros.node.compatibility import parameter_overrides
from hyperseg_ros.runtime.backends import BACKENDS, PRECISIONS

RELIABILITIES = ("best_effort", "reliable")
INPUT_TYPES = ("auto", "raw", "compressed")
RESOLUTIONS = ("camera", "network")
EVERYTHING = "*"
OUTPUTS = ("label", "confidence", "label_info", "camera_info", "masks", "mask", "color", "overlay")
"""What `outputs` may name; `mask` stands for one topic a class and a group."""


class ParameterError(ValueError):
    """A parameter that cannot be; the text names it and says what would be right."""


def _parameter(
    default: Any,
    description: str,
    *,
    choices: Sequence[str] = (),
    bounds: tuple[float, float] | None = None,
    entry: tuple[Any, ...] | None = None,
    live: bool = False,
    read_only: bool = False,
) -> Any:
    return field(
        default=default,
        metadata={
            "description": description,
            "choices": tuple(choices),
            "bounds": bounds,
            "entry": entry,
            "live": live,
            "read_only": read_only,
        },
    )


@dataclass(frozen=True)
class Parameters:
    """What the parameters are when they are read.

    Each field is a parameter. The metadata `live` says that it may change while the node is
    configured; `entry`, an example of one, that the field is a table whose entries the user names:
    the parameters `<field>.<entry>`, each a list.
    """

    image_topics: tuple[str, ...] = _parameter(
        ("camera/image_raw",),
        "Topics of the cameras' images. Outputs are published beside each, under segmentation/.",
    )
    input_type: str = _parameter(
        "auto",
        "What the image topics carry: raw (sensor_msgs/Image), compressed "
        "(sensor_msgs/CompressedImage), or auto: what their publishers say, else their names.",
        choices=INPUT_TYPES,
    )
    model: str = _parameter(
        "hyperseg-s-lite0-camvid", "An ONNX model file, or the name of a shipped model."
    )
    backend: str = _parameter("auto", "What runs the network.", choices=BACKENDS)
    precision: str = _parameter("auto", "Arithmetic of the network.", choices=PRECISIONS)
    threads: int = _parameter(
        0, "CPU threads of the network; 0 leaves it to the backend.", bounds=(0, 256)
    )
    batch_size: int = _parameter(
        1,
        "Frames of different cameras that the network takes in one call where so many wait; a "
        "model exported for a batch takes that many. It pays on a GPU.",
        bounds=(1, 16),
    )
    engine_cache: str = _parameter(
        "", "Folder of TensorRT's engines; empty for $XDG_CACHE_HOME/hyperseg_ros."
    )
    autostart: bool = _parameter(
        True, "Configure and activate without being asked to.", read_only=True
    )
    outputs: tuple[str, ...] = _parameter(
        (EVERYTHING,),
        f"What is advertised: some of {', '.join(OUTPUTS)}, or '{EVERYTHING}' for everything.",
    )
    mask_classes: tuple[str, ...] = _parameter(
        (EVERYTHING,),
        f"Classes with a topic mask/<class> of their own: names of the model's classes, "
        f"'{EVERYTHING}' for all, [''] for none.",
    )
    mask_groups: tuple[tuple[str, tuple[str, ...]], ...] = _parameter(
        (),
        "Classes that share the topic mask/<group>: mask_groups.drivable: [road].",
        entry=("",),
        live=True,
    )
    palette: tuple[tuple[str, tuple[int, ...]], ...] = _parameter(
        (),
        "Colours in place of the model card's: palette.road: [128, 64, 128], red, green, blue.",
        entry=(0,),
        live=True,
    )
    overlay_opacity: float = _parameter(
        0.5,
        "Weight of the class colours in the overlay, from 0 (camera image) to 1.",
        bounds=(0.0, 1.0),
        live=True,
    )
    min_confidence: float = _parameter(
        0.0,
        "Pixels the network is less sure of than this, from 0 to 1, are unlabelled (255).",
        bounds=(0.0, 1.0),
        live=True,
    )
    label_resolution: str = _parameter(
        "camera",
        "Size of all outputs: the camera's, or that of the network's input.",
        choices=RESOLUTIONS,
        live=True,
    )
    regions_of_interest: tuple[tuple[str, tuple[int, ...]], ...] = _parameter(
        (),
        "The part of a camera's images that is segmented, [x, y, width, height] in pixels, 0 for "
        "the rest of the width or height: regions_of_interest./front/image_raw, or .default.",
        entry=(0,),
        live=True,
    )
    max_rate: float = _parameter(
        0.0,
        "Frames a second that are segmented of each camera at most; 0 for all.",
        bounds=(0.0, 1000.0),
        live=True,
    )
    input_reliability: str = _parameter(
        "best_effort", "Reliability of the image subscriptions.", choices=RELIABILITIES
    )
    input_depth: int = _parameter(1, "Queue depth of the image subscriptions.", bounds=(1, 100))
    output_reliability: str = _parameter(
        "reliable", "Reliability of the publishers.", choices=RELIABILITIES
    )
    output_depth: int = _parameter(1, "Queue depth of the publishers.", bounds=(1, 100))
    watchdog_timeout: float = _parameter(
        10.0,
        "Seconds that the network may take for one call before the node gives up on it.",
        bounds=(0.1, 600.0),
        live=True,
    )
    stale_after: float = _parameter(
        2.0,
        "Seconds without an image after which /diagnostics calls a camera stale.",
        bounds=(0.1, 3600.0),
        live=True,
    )
    min_rate: float = _parameter(
        0.0,
        "Frames a second of a camera below which /diagnostics warns; 0 for never.",
        bounds=(0.0, 1000.0),
        live=True,
    )
    max_latency: float = _parameter(
        0.0,
        "Seconds from stamp to output, 95th percentile, above which /diagnostics warns; 0 for "
        "never.",
        bounds=(0.0, 3600.0),
        live=True,
    )


_FIELDS: dict[str, Field[Any]] = {parameter.name: parameter for parameter in fields(Parameters)}


def declare_parameters(node: Node) -> None:
    """Declares every parameter, with the values that a file or the command line gives.

    Raises:
        ParameterError: a given name is not a parameter of the node (the nearest one is named), or
            a given value is of the wrong type, out of bounds or not among the choices.
    """
    _check_names(node)
    for name, parameter in _FIELDS.items():
        if parameter.metadata["entry"] is None:
            _declare(node, name, parameter.default)
        else:
            for key in _entries(node, name):
                _declare(node, key, parameter.metadata["entry"])
    reason = _contradiction(read_parameters(node))
    if reason:
        raise ParameterError(reason)


def read_parameters(node: Node) -> Parameters:
    """The declared parameters as they are now."""
    values: dict[str, Any] = {}
    for name, parameter in _FIELDS.items():
        if parameter.metadata["entry"] is None:
            values[name] = _value(node.get_parameter(name))
        else:
            values[name] = tuple(
                (key.partition(".")[2], _value(node.get_parameter(key)))
                for key in _entries(node, name)
            )
    return Parameters(**values)


def changed_parameters(current: Parameters, changed: Iterable[Parameter]) -> Parameters:
    """The parameters as they would be with the changes.

    Raises:
        ParameterError: a value is not among the choices, or the values contradict each other.
    """
    values = {name: getattr(current, name) for name in _FIELDS}
    for parameter in changed:
        field_ = _field(parameter.name)
        if field_ is None:
            continue  # one of rclpy's own
        reason = _objection(parameter)
        if reason:
            raise ParameterError(reason)
        if field_.metadata["entry"] is None:
            values[field_.name] = _value(parameter)
        else:
            key = parameter.name.partition(".")[2]
            values[field_.name] = tuple(
                {**dict(values[field_.name]), key: _value(parameter)}.items()
            )
    parameters = Parameters(**values)
    reason = _contradiction(parameters)
    if reason:
        raise ParameterError(reason)
    return parameters


def check_live(current: Parameters, new: Parameters) -> None:
    """Refuses what only a new configuration can change.

    Raises:
        ParameterError: a parameter that is read when the node configures differs.
    """
    for name, parameter in _FIELDS.items():
        if getattr(current, name) != getattr(new, name) and not parameter.metadata["live"]:
            raise ParameterError(
                f"{name} needs reconfigure: deactivate and cleanup the node, then set it"
            )


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at what was meant by `name`: a question and a space, or nothing."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {found[0]!r}? " if found else ""


def _field(name: str) -> Field[Any] | None:
    """The field of the parameter called `name`, which may be an entry of a table."""
    if name in _FIELDS and _FIELDS[name].metadata["entry"] is None:
        return _FIELDS[name]
    table = _FIELDS.get(name.partition(".")[0])
    return table if table and table.metadata["entry"] and "." in name else None


def _entries(node: Node, table: str) -> list[str]:
    """The parameters of a table; those given at the start are all that there are."""
    return [name for name in parameter_overrides(node) if name.startswith(f"{table}.")]


def _check_names(node: Node) -> None:
    for name in parameter_overrides(node):
        known = _field(name) is not None or node.has_parameter(name)
        if not known and not name.startswith("qos_overrides."):
            raise ParameterError(
                f"no parameter {name!r}: {nearest(name, _FIELDS)}"
                f"The parameters are {', '.join(_FIELDS)}"
            )


def _declare(node: Node, name: str, default: Any) -> None:
    field_ = _field(name)
    assert field_ is not None
    if isinstance(default, tuple):
        default = list(default)
    try:
        declared = node.declare_parameter(name, default, _descriptor(field_))
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        given = parameter_overrides(node)[name].value
        raise ParameterError(f"{name} {given!r}: it must be {_expected(field_)}") from error
    reason = _objection(declared)
    if reason:
        raise ParameterError(reason)


def _value(parameter: Parameter) -> Any:
    """A parameter's value, where a list is a tuple."""
    value = parameter.value
    return tuple(value) if isinstance(value, (list, array.array)) else value


def _objection(parameter: Parameter) -> str | None:
    """What rclpy's own checks of type and range leave over, in one parameter."""
    field_ = _field(parameter.name)
    assert field_ is not None
    choices = field_.metadata["choices"]
    if choices and parameter.value not in choices:
        hint = nearest(str(parameter.value), choices)
        return f"{parameter.name} {parameter.value!r}: {hint}It must be {_expected(field_)}"
    return None


def _contradiction(parameters: Parameters) -> str | None:
    """What is wrong with the parameters together."""
    if not any(parameters.image_topics):
        return "image_topics is empty: name at least one camera's image topic"
    outputs = [name for name in parameters.outputs if name]
    if not outputs:
        return f"outputs is empty, so the node would do nothing: name some of {', '.join(OUTPUTS)}"
    for name in outputs:
        if name not in (*OUTPUTS, EVERYTHING):
            hint = nearest(name, OUTPUTS)
            return f"outputs: no output {name!r}: {hint}The outputs are {', '.join(OUTPUTS)}"
    if set(outputs) <= {"label_info", "camera_info"}:
        return (
            f"outputs {outputs}: the node would segment nothing: name one of "
            f"{', '.join(name for name in OUTPUTS if not name.endswith('_info'))} too"
        )
    return None


def _expected(parameter: Field[Any]) -> str:
    if parameter.metadata["entry"] is not None:
        element = type(parameter.metadata["entry"][0])
        return "a list of strings" if element is str else "a list of integers"
    kind = {
        bool: "true or false",
        int: "an integer",
        float: "a number with a decimal point",
        str: "a string",
        tuple: "a list of strings",
    }[type(parameter.default)]
    if parameter.metadata["bounds"]:
        lowest, highest = parameter.metadata["bounds"]
        return f"{kind} from {lowest} to {highest}"
    if parameter.metadata["choices"]:
        return f"one of {', '.join(parameter.metadata['choices'])}"
    return kind


def _descriptor(parameter: Field[Any]) -> ParameterDescriptor:
    metadata = parameter.metadata
    descriptor = ParameterDescriptor(
        description=metadata["description"], read_only=metadata["read_only"]
    )
    if metadata["choices"]:
        descriptor.additional_constraints = _expected(parameter)
    if metadata["bounds"]:
        lowest, highest = metadata["bounds"]
        if isinstance(parameter.default, float):
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=lowest, to_value=highest)
            ]
        else:
            descriptor.integer_range = [IntegerRange(from_value=lowest, to_value=highest, step=1)]
    return descriptor
