"""The node's parameters: each one's type, default, bounds and meaning, in one place."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from hyperseg_ros.node.compatibility import parameter_overrides
from hyperseg_ros.runtime.backends import BACKENDS, PRECISIONS

RELIABILITIES = ("best_effort", "reliable")
ALL_CLASSES = "*"


class ParameterError(ValueError):
    """A parameter that cannot be; the text names it and says what would be right."""


def _parameter(
    default: Any,
    description: str,
    *,
    choices: Sequence[str] = (),
    bounds: tuple[float, float] | None = None,
    live: bool = False,
    read_only: bool = False,
) -> Any:
    return field(
        default=default,
        metadata={
            "description": description,
            "choices": tuple(choices),
            "bounds": bounds,
            "live": live,
            "read_only": read_only,
        },
    )


@dataclass(frozen=True)
class Parameters:
    """What the parameters are when the node is configured."""

    image_topics: tuple[str, ...] = _parameter(
        ("camera/image_raw",),
        "Topics of the cameras' images; one that ends in /compressed carries CompressedImage. "
        "Outputs are published beside each, under segmentation/.",
    )
    model: str = _parameter(
        "hyperseg-s-lite0-camvid", "An ONNX model file, or the name of a shipped model."
    )
    backend: str = _parameter("auto", "What runs the network.", choices=BACKENDS)
    precision: str = _parameter("auto", "Arithmetic of the network.", choices=PRECISIONS)
    threads: int = _parameter(
        0, "CPU threads of the network; 0 leaves it to the backend.", bounds=(0, 256)
    )
    autostart: bool = _parameter(
        True, "Configure and activate without being asked to.", read_only=True
    )
    overlay_opacity: float = _parameter(
        0.5,
        "Weight of the class colours in the overlay, from 0 (camera image) to 1.",
        bounds=(0.0, 1.0),
        live=True,
    )
    mask_classes: tuple[str, ...] = _parameter(
        (ALL_CLASSES,),
        f"Classes with a topic mask/<class> of their own: names of the model's classes, "
        f"'{ALL_CLASSES}' for all, [''] for none.",
    )
    input_reliability: str = _parameter(
        "best_effort", "Reliability of the image subscriptions.", choices=RELIABILITIES
    )
    input_depth: int = _parameter(1, "Queue depth of the image subscriptions.", bounds=(1, 100))
    output_reliability: str = _parameter(
        "reliable", "Reliability of the publishers.", choices=RELIABILITIES
    )
    output_depth: int = _parameter(1, "Queue depth of the publishers.", bounds=(1, 100))


_FIELDS: dict[str, Field[Any]] = {parameter.name: parameter for parameter in fields(Parameters)}


def declare_parameters(node: Node) -> None:
    """Declares every parameter, with the values that a file or the command line gives.

    Raises:
        ParameterError: a given name is not a parameter of the node (the nearest one is named), or
            a given value is of the wrong type, out of bounds or not among the choices.
    """
    _check_names(node)
    for name, parameter in _FIELDS.items():
        default = parameter.default
        if isinstance(default, tuple):
            default = list(default)
        try:
            declared = node.declare_parameter(name, default, _descriptor(parameter))
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            given = parameter_overrides(node)[name].value
            raise ParameterError(f"{name} {given!r}: it must be {_expected(parameter)}") from error
        reason = _objection(declared)
        if reason:
            raise ParameterError(reason)


def read_parameters(node: Node) -> Parameters:
    """The declared parameters as they are now."""
    values: dict[str, Any] = {}
    for name, parameter in _FIELDS.items():
        value = node.get_parameter(name).value
        values[name] = tuple(value) if isinstance(parameter.default, tuple) else value
    return Parameters(**values)


def review_change(changed: Sequence[Parameter], configured: bool) -> SetParametersResult:
    """Whether parameters may change at run time; most are read only when the node configures."""
    for parameter in changed:
        if parameter.name not in _FIELDS:
            continue
        reason = _objection(parameter)
        if not reason and configured and not _FIELDS[parameter.name].metadata["live"]:
            reason = (
                f"{parameter.name} needs reconfigure: deactivate and cleanup the node, then set it"
            )
        if reason:
            return SetParametersResult(successful=False, reason=reason)
    return SetParametersResult(successful=True)


def _check_names(node: Node) -> None:
    for name in parameter_overrides(node):
        known = name in _FIELDS or node.has_parameter(name)
        if not known and not name.startswith("qos_overrides."):
            nearest = difflib.get_close_matches(name, _FIELDS, n=1)
            hint = f"did you mean {nearest[0]!r}? " if nearest else ""
            raise ParameterError(
                f"no parameter {name!r}: {hint}The parameters are {', '.join(_FIELDS)}"
            )


def _objection(parameter: Parameter) -> str | None:
    """What rclpy's own checks of type and range leave over."""
    field_ = _FIELDS[parameter.name]
    choices = field_.metadata["choices"]
    if choices and parameter.value not in choices:
        nearest = difflib.get_close_matches(str(parameter.value), choices, n=1)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        return f"{parameter.name} {parameter.value!r}: {hint}It must be {_expected(field_)}"
    if parameter.name == "image_topics" and not any(parameter.value):
        return "image_topics is empty: name at least one camera's image topic"
    return None


def _expected(parameter: Field[Any]) -> str:
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
