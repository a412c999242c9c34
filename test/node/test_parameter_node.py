"""What a node makes of the parameters that a dataclass declares, told by its services."""

from __future__ import annotations

from dataclasses import fields

import parameter_nodes
import pytest
from node_process import NodeProcess
from parameter_nodes import KINDS, Lamp
from rcl_interfaces.msg import ParameterType
from rclpy.parameter import Parameter
from ros_graph import Graph

from hyperseg_ros.node.parameter_node import WRONG_PARAMETERS


def start(graph: Graph, which: str = "lamp", **parameters: object) -> NodeProcess:
    """A node with the parameters of that name."""
    return graph.run(which, (parameter_nodes.__file__, which), parameters)


@pytest.mark.parametrize("which", sorted(set(KINDS) - {"lamp"}))
def test_every_parameter_of_every_node_is_listed_and_described(graph, which):
    start(graph, which)
    listed = graph.list_parameters()
    for field in fields(KINDS[which]):
        assert field.name in listed
        descriptor = graph.describe_parameter(field.name)
        assert len(descriptor.description) > 10
        assert descriptor.description.endswith((".", ")"))
        assert descriptor.type != ParameterType.PARAMETER_NOT_SET
        if field.metadata["bounds"] or field.metadata["choices"]:
            assert (
                descriptor.integer_range
                or descriptor.floating_point_range
                or descriptor.additional_constraints
            )


def test_a_change_is_reviewed_before_it_is_made(graph):
    process = start(graph)
    assert graph.set_parameters(watts=40) == [""]  # as it is: no change
    assert graph.set_parameters(watts=60) == [""]
    assert graph.set_parameters(watts=13.0) == ["13 is unlucky"]
    assert graph.get_parameter("watts") == 60.0
    assert process.said().splitlines() == [str(Lamp(watts=60.0))]


def test_entries_that_are_not_lists_come_from_the_start_and_later(graph):
    process = start(graph, **{"rooms.hall": "ceiling"})
    assert graph.set_parameters(rooms__attic="floor") == [""]
    assert graph.get_parameters(["rooms.hall", "rooms.attic"]) == {
        "rooms.hall": "ceiling",
        "rooms.attic": "floor",
    }
    assert process.said().splitlines() == [
        str(Lamp(rooms=(("hall", "ceiling"), ("attic", "floor"))))
    ]
    assert graph.set_parameters(rooms__cellar=3) != [""]
    assert graph.list_parameters("rooms") == ["rooms.hall", "rooms.attic"]


def test_read_only_lists_stay_and_rclpys_own_parameters_are_left_alone(graph):
    start(graph)
    refused, taken = graph.set(Parameter("hours", value=[1]), Parameter("use_sim_time", value=True))
    assert "read-only" in refused
    assert len(graph.get_parameter("hours")) == 0
    assert graph.describe_parameter("hours").read_only
    assert taken == ""
    assert graph.get_parameter("use_sim_time") is True


def test_what_cannot_be_leaves_no_node(graph):
    code, said = start(graph, watts=0).end()
    assert (code, said) == (WRONG_PARAMETERS, "watts 0: it must be a number from 1.0 to 100.0\n")
    assert ("lamp", graph.namespace) not in graph.node.get_node_names_and_namespaces()
