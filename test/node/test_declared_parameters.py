from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.node.declared_parameters import (
    ParameterError,
    ParameterSet,
    Table,
    changed,
    check_live,
    parameter,
    rules,
)


@dataclass(frozen=True)
class Lamp(ParameterSet):
    on: bool = parameter(True, "Whether it shines.", live=True)
    watts: int = parameter(40, "Power.", bounds=(1, 100), live=True)
    hue: float = parameter(0.5, "Colour.", bounds=(0.0, 1.0))
    place: str = parameter("hall", "Room.", choices=("hall", "attic"))
    hours: tuple[int, ...] = parameter((), "When it shines.", bounds=(0, 23))
    scenes: Table[tuple[float, ...]] = parameter((), "Levels: scenes.evening: [0.2, 0.8].")

    def check(self) -> None:
        if self.place == "attic" and self.watts > 60:
            raise ParameterError("watts: the attic has 60 at most")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=6,
)
NAMES = st.sampled_from([*rules(Lamp), "scenes.evening", "scenes.a.b", "scenes.", "wats", ""])


def test_the_type_is_the_annotations():
    known = rules(Lamp)
    assert [known[name].element for name in known] == [bool, int, float, str, int, float]
    assert [name for name in known if known[name].is_list] == ["hours", "scenes"]
    assert [name for name in known if known[name].is_table] == ["scenes"]


def test_a_field_that_no_parameter_can_be_is_refused():
    @dataclass(frozen=True)
    class Wrong(ParameterSet):
        where: bytes = parameter(b"", "Nonsense.")

    with pytest.raises(TypeError, match=r"Wrong\.where: no parameter can be"):
        rules(Wrong)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("on", 1, "on 1: it must be true or false"),
        ("watts", 101, "watts 101: it must be an integer from 1 to 100"),
        ("watts", True, "watts True: it must be an integer from 1 to 100"),
        ("hue", -0.1, r"hue -0.1: it must be a number from 0.0 to 1.0"),
        ("place", "atic", "place 'atic': did you mean 'attic'\\? It must be one of hall, attic"),
        ("hours", [1, 24], r"hours \[1, 24\]: it must be a list of integers, each from 0 to 23"),
        ("hours", 5, "hours 5: it must be a list of integers"),
        ("scenes.dusk", ["low"], r"scenes.dusk \['low'\]: it must be a list of numbers"),
        ("scenes", [1.0], "scenes is a table: set scenes.<name>, each a list of numbers"),
        ("wats", 3, "no parameter 'wats': did you mean 'watts'\\? The parameters are on, watts"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(name, value, reason):
    with pytest.raises(ParameterError, match=f"^{reason}"):
        changed(Lamp(), {name: value})


def test_values_that_contradict_each_other_are_refused():
    assert changed(Lamp(), {"place": "attic"}).place == "attic"
    with pytest.raises(ParameterError, match="the attic has 60 at most"):
        changed(Lamp(watts=61), {"place": "attic"})


def test_entries_of_a_table_are_merged_and_removed_by_an_empty_list():
    lamp = changed(Lamp(), {"scenes.a": [1], "scenes.b": [0.5, 1]})
    assert lamp.scenes == (("a", (1.0,)), ("b", (0.5, 1.0)))
    assert changed(lamp, {"scenes.a": [], "scenes.c": [2.0]}).scenes == (
        ("b", (0.5, 1.0)),
        ("c", (2.0,)),
    )


def test_only_live_parameters_change_while_configured():
    check_live(Lamp(), Lamp(on=False, watts=1))
    with pytest.raises(ParameterError, match="hue needs reconfigure"):
        check_live(Lamp(), Lamp(hue=0.1))


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_values_make_a_right_set_or_one_line(changes):
    lamp, reason = Lamp(), "one line"
    try:
        lamp = changed(lamp, changes)
    except ParameterError as error:
        reason = str(error)
    assert len(reason.splitlines()) == 1
    assert type(lamp.on) is bool
    assert type(lamp.watts) is int
    assert 1 <= lamp.watts <= 100
    assert type(lamp.hue) is float
    assert 0 <= lamp.hue <= 1
    assert all(type(hour) is int and 0 <= hour <= 23 for hour in lamp.hours)
    for entry, levels in lamp.scenes:
        assert entry
        assert levels
        assert all(type(level) is float and math.isfinite(level) for level in levels)
