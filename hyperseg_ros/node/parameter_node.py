"""A node whose parameters are declared by a dataclass."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import rclpy
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterException
from rclpy.logging import LoggingSeverity, set_logger_level
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from hyperseg_ros.node.compatibility import parameter_overrides
from hyperseg_ros.node.declared_parameters import (
    ParameterError,
    ParameterSet,
    Rule,
    changed,
    find_rule,
    rules,
    unknown,
)

WRONG_PARAMETERS = 2
"""The exit code of a process that would not start another time either."""

P = TypeVar("P", bound=ParameterSet)

_SCALARS = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
}
_LISTS = {
    bool: Parameter.Type.BOOL_ARRAY,
    int: Parameter.Type.INTEGER_ARRAY,
    float: Parameter.Type.DOUBLE_ARRAY,
    str: Parameter.Type.STRING_ARRAY,
}
_SOURCE_LINE = re.compile(r",? at [\w./-]+\.c:\d+")


def init_ros(arguments: Sequence[str] | None) -> None:
    """`rclpy.init` without signal handlers.

    Raises:
        ParameterError: a parameter file, or an argument, that ROS cannot read.
    """
    set_logger_level("rcl", LoggingSeverity.FATAL)  # it would log what the exception says
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    except (RuntimeError, UnicodeError) as error:
        raise ParameterError(" ".join(_SOURCE_LINE.sub("", str(error)).split())) from error
    finally:
        set_logger_level("rcl", LoggingSeverity.UNSET)


class ParameterNode(Node, Generic[P]):
    """Declares a parameter for each field of a `ParameterSet`.

    An entry of a table may be set at any time, and is removed by an empty list. A table without
    entries is listed, and described, under its own name.

    Args:
        kind: the parameters.
        arguments, options: as the node's base class takes them.

    Raises:
        ParameterError: a given name is not a parameter of the node (the nearest one is named), or
            a given value is invalid.
    """

    def __init__(self, kind: type[P], *arguments: Any, **options: Any) -> None:
        self._kind = kind
        self._rules: Mapping[str, Rule] = rules(kind)
        try:
            super().__init__(*arguments, **options)
        except (ParameterException, UnicodeError) as error:
            raise ParameterError(f"a parameter cannot be read: {error}") from error
        try:
            self._declare_all()
        except ParameterError:
            Node.destroy_node(self)
            raise
        self.add_on_set_parameters_callback(self._review)

    @property
    def parameters(self) -> P:
        """The parameters as they are now."""
        values = {}
        for name, rule in self._rules.items():
            if rule.is_table:
                values[name] = tuple(
                    (entry, value)
                    for entry, parameter in self.get_parameters_by_prefix(name).items()
                    if (value := _value(parameter)) not in (None, ())
                )
            else:
                values[name] = _value(self.get_parameter(name))
        return self._kind(**values)

    def parameters_change(self, current: P, new: P) -> None:
        """Is called before parameters change; an exception keeps them as they are.

        Raises:
            ValueError: they cannot change; the message says why.
        """

    def set_parameters(self, parameter_list: list[Parameter]) -> list[SetParametersResult]:
        """As rclpy's, with the conversions of `set_parameters_atomically`."""
        return [self.set_parameters_atomically([parameter]) for parameter in parameter_list]

    def set_parameters_atomically(self, parameter_list: list[Parameter]) -> SetParametersResult:
        """As rclpy's, but takes an integer for a float, empty lists, and new entries of tables."""
        try:
            converted = [self._convert(parameter) for parameter in parameter_list]
        except ParameterError as error:
            return SetParametersResult(successful=False, reason=str(error))
        for parameter in converted:
            if not self.has_parameter(parameter.name):
                self._declare(parameter.name)
        result = super().set_parameters_atomically(converted)
        self._tidy_tables()
        return result

    def describe_parameter(self, name: str) -> ParameterDescriptor:
        """As rclpy's, and of a table that has entries."""
        rule = self._rules.get(name)
        if rule is not None and rule.is_table and not self.has_parameter(name):
            return _descriptor(rule, _LISTS[str])
        return super().describe_parameter(name)

    def _declare_all(self) -> None:
        given = {}
        for name, parameter in parameter_overrides(self).items():
            rule = find_rule(self._rules, name)
            if rule is not None:
                given[name] = parameter.value
            elif self._is_empty_table(parameter):
                continue
            elif not self.has_parameter(name) and not name.startswith("qos_overrides."):
                raise ParameterError(unknown(name, self._rules))
        parameters = changed(self._kind(), given)
        for name, rule in self._rules.items():
            if rule.is_table:
                for entry, value in getattr(parameters, name):
                    self._declare(f"{name}.{entry}", value)
            else:
                self._declare(name, getattr(parameters, name))
        self._tidy_tables()

    def _declare(self, name: str, value: Any = None) -> None:
        """Declares a parameter by its type: an empty list would be taken for one of bytes."""
        rule = find_rule(self._rules, name)
        kind = _LISTS[str] if rule is None else _type(rule)
        descriptor = _descriptor(rule or self._rules[name], kind)
        if value in (None, ()):
            self.declare_parameter(name, kind, descriptor, ignore_override=True)
            if rule is not None and value is None:
                return
            read_only, descriptor.read_only = descriptor.read_only, False
            super().set_parameters_atomically([Parameter(name, kind, [])])
            descriptor.read_only = read_only
        else:
            value = list(value) if isinstance(value, tuple) else value
            self.declare_parameter(name, value, descriptor, ignore_override=True)

    def _tidy_tables(self) -> None:
        """Undeclares entries that are empty, and declares tables that have none."""
        for name, rule in self._rules.items():
            if not rule.is_table:
                continue
            entries = self.get_parameters_by_prefix(name)
            empty = [entry for entry, value in entries.items() if _value(value) in (None, ())]
            for entry in empty:
                self.undeclare_parameter(f"{name}.{entry}")
            has_entries = len(entries) > len(empty)
            if has_entries and self.has_parameter(name):
                self.undeclare_parameter(name)
            elif not has_entries and not self.has_parameter(name):
                self._declare(name)

    def _convert(self, parameter: Parameter) -> Parameter:
        """A parameter of the type that it is declared with.

        Raises:
            ParameterError: there is no such parameter, or it cannot have the value.
        """
        name = parameter.name
        rule = find_rule(self._rules, name)
        if rule is not None:
            value = rule.convert(name, parameter.value)
            return Parameter(name, _type(rule), list(value) if rule.is_list else value)
        if self._is_empty_table(parameter) and self.has_parameter(name):
            return Parameter(name, _LISTS[str], [])
        if name in self._rules or not self.has_parameter(name):
            raise ParameterError(unknown(name, self._rules))
        return parameter  # one of rclpy's own

    def _is_empty_table(self, parameter: Parameter) -> bool:
        rule = self._rules.get(parameter.name)
        return rule is not None and rule.is_table and _value(parameter) in (None, ())

    def _review(self, changes: Sequence[Parameter]) -> SetParametersResult:
        try:
            current = self.parameters
            ours = (p for p in changes if find_rule(self._rules, p.name) is not None)
            # Without a value an entry is only being declared.
            new = changed(current, {p.name: p.value for p in ours if p.value is not None})
            if new != current:
                self.parameters_change(current, new)
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)


def _value(parameter: Parameter) -> Any:
    """A parameter's value, where a list is a tuple."""
    value = parameter.value
    is_list = value is not None and not isinstance(value, (bool, int, float, str))
    return tuple(value) if is_list else value


def _type(rule: Rule) -> Parameter.Type:
    return (_LISTS if rule.is_list else _SCALARS)[rule.element]


def _descriptor(rule: Rule, kind: Parameter.Type) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(
        name=rule.name, description=rule.description, read_only=rule.read_only, type=kind.value
    )
    if rule.choices or rule.is_table or (rule.is_list and rule.bounds):
        descriptor.additional_constraints = rule.expected
    elif rule.bounds:
        lowest, highest = rule.bounds
        if rule.element is float:
            bounds = FloatingPointRange(from_value=float(lowest), to_value=float(highest))
            descriptor.floating_point_range = [bounds]
        else:
            descriptor.integer_range = [
                IntegerRange(from_value=int(lowest), to_value=int(highest), step=1)
            ]
    return descriptor
