from __future__ import annotations

from dataclasses import dataclass, fields

import pytest
from rcl_interfaces.msg import ParameterType
from rclpy.parameter import Parameter

from hyperseg_ros.demo.camera import CameraParameters
from hyperseg_ros.demo.recorder import RecorderParameters
from hyperseg_ros.node.declared_parameters import ParameterError, ParameterSet, Table, parameter
from hyperseg_ros.node.parameter_node import ParameterNode
from hyperseg_ros.node.parameters import Parameters
from hyperseg_ros.viewer.parameters import Parameters as ViewerParameters

pytestmark = pytest.mark.usefixtures("ros")


@dataclass(frozen=True)
class Lamp(ParameterSet):
    watts: float = parameter(40.0, "Power of the lamp.", bounds=(1.0, 100.0))
    hours: tuple[int, ...] = parameter((), "When it shines.", bounds=(0, 23), read_only=True)
    rooms: Table[str] = parameter((), "Where it shines: rooms.hall: ceiling.")


class LampNode(ParameterNode[Lamp]):
    def __init__(self, **values: object) -> None:
        self.seen: list[Lamp] = []
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        super().__init__(Lamp, "lamp", parameter_overrides=overrides)

    def parameters_change(self, current: Lamp, new: Lamp) -> None:
        if new.watts == 13:
            raise ValueError("13 is unlucky")
        self.seen.append(new)


@pytest.fixture
def lamp():
    node = LampNode()
    yield node
    node.destroy_node()


@pytest.mark.parametrize(
    "kind", [Parameters, ViewerParameters, CameraParameters, RecorderParameters]
)
def test_every_parameter_of_every_node_is_listed_and_described(kind):
    node = ParameterNode(kind, "described")
    try:
        listed = node.list_parameters([], 0).names
        for field in fields(kind):
            assert field.name in listed
            descriptor = node.describe_parameter(field.name)
            assert len(descriptor.description) > 10
            assert descriptor.description.endswith((".", ")"))
            assert descriptor.type != ParameterType.PARAMETER_NOT_SET
            if field.metadata["bounds"] or field.metadata["choices"]:
                assert (
                    descriptor.integer_range
                    or descriptor.floating_point_range
                    or descriptor.additional_constraints
                )
    finally:
        node.destroy_node()


def test_a_change_is_reviewed_before_it_is_made(lamp):
    assert lamp.set_parameters([Parameter("watts", value=60)])[0].successful
    assert lamp.seen == [Lamp(watts=60.0)]
    refused = lamp.set_parameters([Parameter("watts", value=13.0)])[0]
    assert (refused.successful, refused.reason) == (False, "13 is unlucky")
    assert lamp.parameters.watts == 60.0


def test_a_change_to_the_same_is_none(lamp):
    assert lamp.set_parameters([Parameter("watts", value=40)])[0].successful
    assert lamp.seen == []


def test_entries_that_are_not_lists_come_from_the_start_and_later():
    node = LampNode(**{"rooms.hall": "ceiling"})
    assert node.parameters.rooms == (("hall", "ceiling"),)
    assert node.set_parameters([Parameter("rooms.attic", value="floor")])[0].successful
    assert dict(node.parameters.rooms) == {"hall": "ceiling", "attic": "floor"}
    assert not node.set_parameters([Parameter("rooms.cellar", value=3)])[0].successful
    assert not node.has_parameter("rooms.cellar")
    node.destroy_node()


def test_read_only_lists_stay(lamp):
    assert lamp.get_parameter("hours").value == []
    refused = lamp.set_parameters([Parameter("hours", value=[1])])[0]
    assert "read-only" in refused.reason
    assert lamp.describe_parameter("hours").read_only


def test_rclpys_own_parameters_are_left_alone(lamp):
    assert lamp.set_parameters([Parameter("use_sim_time", value=True)])[0].successful
    assert lamp.get_parameter("use_sim_time").value is True


def test_what_cannot_be_leaves_no_node():
    with pytest.raises(ParameterError, match=r"watts 0: it must be a number from 1\.0 to 100\.0"):
        LampNode(watts=0)
