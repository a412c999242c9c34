"""Declared parameters: a dataclass says the type, default, bounds and meaning of each one, once.

    @dataclass(frozen=True)
    class Parameters(ParameterSet):
        threads: int = parameter(0, "CPU threads of the network.", bounds=(0, 256))
        palette: Table[tuple[int, ...]] = parameter((), "Colours: palette.road: [128, 64, 128].")

The type is the annotation's: bool, int, float, str, a tuple of one of them, or a `Table` of those,
whose entries the user names. `ParameterNode` declares the fields as ROS parameters.
"""

from __future__ import annotations

import array
import dataclasses
import difflib
import math
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Table = tuple[tuple[str, T], ...]
"""What a table of parameters holds: the values of `<table>.<entry>`, by entry."""

_NOUNS = {bool: "true or false", int: "an integer", float: "a number", str: "a string"}
_PLURALS = {bool: "booleans", int: "integers", float: "numbers", str: "strings"}


class ParameterError(ValueError):
    """An invalid parameter; the text names it and says what would be right."""


def parameter(
    default: Any,
    description: str,
    *,
    choices: Sequence[str] = (),
    bounds: tuple[float, float] | None = None,
    live: bool = False,
    read_only: bool = False,
) -> Any:
    """A field of a `ParameterSet`.

    Args:
        default: its value where none is set.
        description: what `ros2 param describe` says.
        choices: the values of a string, or of each string of a list.
        bounds: least and greatest value of a number, or of each number of a list.
        live: may change while the node is configured.
        read_only: is read once, at the start of the process.
    """
    metadata = {
        "description": description,
        "choices": tuple(choices),
        "bounds": bounds,
        "live": live,
        "read_only": read_only,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class ParameterSet:
    """The values of a node's parameters; subclasses have a field for each one."""

    def check(self) -> None:
        """Refuses values that contradict each other.

        Raises:
            ParameterError: they do.
        """


@dataclass(frozen=True)
class Rule:
    """What values one parameter, or each entry of a table, may have."""

    name: str
    default: Any
    element: type
    """bool, int, float or str."""
    is_list: bool
    is_table: bool
    description: str
    choices: tuple[str, ...]
    bounds: tuple[float, float] | None
    live: bool
    read_only: bool

    @property
    def expected(self) -> str:
        """What a value must be, for messages and descriptions."""
        if self.choices and not self.is_list:
            return f"one of {', '.join(self.choices)}"
        noun = f"a list of {_PLURALS[self.element]}" if self.is_list else _NOUNS[self.element]
        if self.choices:
            return f"{noun}, each one of {', '.join(self.choices)}"
        if self.bounds:
            lowest, highest = self.bounds
            return f"{noun}{', each' if self.is_list else ''} from {lowest} to {highest}"
        return noun

    def convert(self, name: str, value: Any) -> Any:
        """`value` as the parameter has it: lists as tuples, integers as floats where it has floats.

        Args:
            name: of the parameter, for the message; of a table, the whole name of the entry.
            value: None stands for an empty list, which has no type in YAML.

        Raises:
            ParameterError: the value is of another type, out of bounds or not among the choices.
        """
        if self.is_list:
            if value is not None and not isinstance(value, (list, tuple, array.array)):
                raise ParameterError(f"{name} {value!r}: it must be {self.expected}")
            values = tuple(value) if value is not None else ()
            return tuple(self._element(name, element, values) for element in values)
        if value is None or (isinstance(value, (list, tuple, array.array)) and len(value) == 0):
            raise ParameterError(f"{name} has no value: it must be {self.expected}")
        return self._element(name, value, value)

    def _element(self, name: str, given: Any, whole: Any) -> Any:
        shown = list(whole) if isinstance(whole, tuple) else whole
        is_whole = self.element is float and type(given) is int and abs(given) < 2**63
        element: Any = float(given) if is_whole else given
        kind = type(element)
        lowest, highest = self.bounds or (-math.inf, math.inf)
        if (
            kind is not self.element
            or (self.element is float and not math.isfinite(element))
            or (self.element in (int, float) and not lowest <= element <= highest)
        ):
            raise ParameterError(f"{name} {shown!r}: it must be {self.expected}")
        if self.choices and element not in self.choices:
            hint = nearest(element, self.choices)
            raise ParameterError(f"{name} {shown!r}: {hint}It must be {self.expected}")
        return element


P = TypeVar("P", bound=ParameterSet)


def rules(kind: type[ParameterSet]) -> Mapping[str, Rule]:
    """The rule of each field, by name.

    Raises:
        TypeError: a field has a type that no parameter can have.
    """
    hints = typing.get_type_hints(kind)
    found = {}
    for field in dataclasses.fields(kind):
        hint, is_table = _entry_type(hints[field.name])
        element, is_list = _element_type(hint)
        if element not in _NOUNS:
            raise TypeError(f"{kind.__name__}.{field.name}: no parameter can be {hint}")
        found[field.name] = Rule(
            field.name, field.default, element, is_list, is_table, **field.metadata
        )
    return found


def changed(current: P, changes: Mapping[str, Any]) -> P:
    """A set of parameters with some of them changed.

    Args:
        current: the parameters as they are.
        changes: the new values by name; an entry of a table has the name `<table>.<entry>`, and
            is not there any more if its value is empty.

    Raises:
        ParameterError: a value is invalid, or the values contradict each other.
    """
    known = rules(type(current))
    values: dict[str, Any] = {}
    for name, value in changes.items():
        rule = find_rule(known, name)
        if rule is None:
            raise ParameterError(unknown(name, known))
        value = rule.convert(name, value)
        if not rule.is_table:
            values[name] = value
            continue
        entries = dict(values.get(rule.name, getattr(current, rule.name)))
        entries[name.partition(".")[2]] = value
        values[rule.name] = tuple((entry, value) for entry, value in entries.items() if value != ())
    new = dataclasses.replace(current, **values)
    new.check()
    return new


def find_rule(known: Mapping[str, Rule], name: str) -> Rule | None:
    """The rule of the parameter called `name`, which may be an entry of a table."""
    table, _, entry = name.partition(".")
    rule = known.get(table if entry else name)
    return rule if rule is not None and rule.is_table == bool(entry) else None


def check_live(current: ParameterSet, new: ParameterSet) -> None:
    """Refuses what only a new configuration can change.

    Raises:
        ParameterError: a parameter that is read when the node configures differs.
    """
    for name, rule in rules(type(current)).items():
        if getattr(current, name) != getattr(new, name) and not rule.live:
            raise ParameterError(
                f"{name} needs reconfigure: deactivate and cleanup the node, then set it"
            )


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at what was meant by `name`: a question and a space, or nothing."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {found[0]!r}? " if found else ""


def unknown(name: str, known: Mapping[str, Rule]) -> str:
    """Why `name` is not a parameter."""
    rule = known.get(name)
    if rule is not None and rule.is_table:
        return f"{name} is a table: set {name}.<name>, each {rule.expected}"
    return f"no parameter {name!r}: {nearest(name, known)}The parameters are {', '.join(known)}"


def _entry_type(hint: Any) -> tuple[Any, bool]:
    """The type of a table's values and True, or `hint` itself and False."""
    if typing.get_origin(hint) is tuple:
        pair = typing.get_args(hint)[0]
        if typing.get_origin(pair) is tuple:
            return typing.get_args(pair)[1], True
    return hint, False


def _element_type(hint: Any) -> tuple[Any, bool]:
    """The type of a list's elements and True, or `hint` itself and False."""
    if typing.get_origin(hint) is tuple:
        return typing.get_args(hint)[0], True
    return hint, False
