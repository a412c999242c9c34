"""The node's parameters: what the file and the services take, and what is refused, and how.

What a value may be is tested without a node; what is set and kept, by the services of one.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import yaml
from rcl_interfaces.msg import ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters
from rclpy.parameter import Parameter
from ros_graph import Graph

from hyperseg_ros.node.declared_parameters import ParameterError, changed
from hyperseg_ros.node.parameters import Parameters

CONFIG = Path(__file__).resolve().parents[2] / "config" / "segment.yaml"


TABLES = ("mask_groups", "palette", "regions_of_interest", "mount", "body_masks", "depth_topics")


@pytest.fixture
def configured(graph: Graph) -> Graph:
    """A graph with a node that is configured, but not active."""
    graph.start(autostart=False)
    assert graph.change_state("configure")
    return graph


def stored(graph: Graph, name: str) -> ParameterValue:
    """A parameter's value with its type."""
    request = GetParameters.Request(names=[name])
    (value,) = graph.service(GetParameters, "get_parameters", request).values
    return value


def test_given_values_are_taken(graph):
    given = {"threads": 2, "overlay_opacity": 0.25, "image_topics": ["/a/b", "c"]}
    graph.start(autostart=False, use_sim_time=True, **given)  # that one rclpy declares
    assert graph.parameters() == Parameters(
        model=str(graph.model),
        input_reliability="reliable",
        autostart=False,
        threads=2,
        overlay_opacity=0.25,
        image_topics=("/a/b", "c"),
    )


def test_the_parameter_file_has_every_parameter_with_its_default():
    written = yaml.safe_load(CONFIG.read_text())["/**"]["ros__parameters"]
    defaults = dataclasses.asdict(Parameters())
    assert written == {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in defaults.items()
        if name not in TABLES  # a parameter file cannot have an empty table
    }


def test_the_tables_in_the_comments_of_the_parameter_file_are_right(graph, tmp_path):
    text = CONFIG.read_text()
    for name in (*TABLES, "qos_overrides"):
        begin = text.index(f"    # {name}:")
        end = text.index("\n    #", text.index(":", begin + len(name) + 8))
        while text[end:].startswith("\n    #   "):
            end = text.index("\n", end + 1)
        table = text[begin:end]
        assert yaml.safe_load(table.replace("    # ", ""))[name]
        text = text.replace(table, table.replace("    # ", "    "))
    (tmp_path / "robot.yaml").write_text(text)
    graph.start(arguments=("--params-file", str(tmp_path / "robot.yaml")), autostart=False)
    parameters = graph.parameters()
    assert dict(parameters.mask_groups) == {
        "drivable": ("road",),
        "vulnerable": ("pedestrian", "bicyclist"),
    }
    assert dict(parameters.palette) == {"road": (128, 64, 128)}
    assert dict(parameters.regions_of_interest)["/front/image_raw"] == (0, 0, 0, 400)


def test_a_parameter_file_is_read_in_any_namespace(graph, tmp_path):
    text = CONFIG.read_text().replace("threads: 0", "threads: 3").replace("[camera/", "[front/")
    (tmp_path / "robot.yaml").write_text(text)
    graph.start(arguments=("--params-file", str(tmp_path / "robot.yaml")))
    assert graph.parameters() == Parameters(threads=3, image_topics=("front/image_raw",))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("overlay_opacty", 0.5, "no parameter 'overlay_opacty': did you mean 'overlay_opacity'?"),
        ("image_topic", "/a", "did you mean 'image_topics'?"),
        ("zzz", 1, "no parameter 'zzz': The parameters are image_topics, input_type"),
        ("overlay_opacity", 1.5, "overlay_opacity 1.5: it must be a number from 0.0 to 1.0"),
        ("overlay_opacity", "1", "overlay_opacity '1': it must be a number from 0.0 to 1.0"),
        ("overlay_opacity", True, "overlay_opacity True: it must be a number from 0.0 to 1.0"),
        ("overlay_opacity", math.nan, "overlay_opacity nan: it must be a number"),
        ("threads", 2.0, "threads 2.0: it must be an integer"),
        ("threads", None, "threads has no value: it must be an integer from 0 to 256"),
        ("threads", -1, "threads -1: it must be an integer from 0 to 256"),
        ("threads", "two", "threads 'two': it must be an integer"),
        ("output_depth", 0, "output_depth 0: it must be an integer from 1 to 100"),
        ("model", 5, "model 5: it must be a string"),
        ("image_topics", "/a", "image_topics '/a': it must be a list of strings"),
        ("image_topics", [""], "image_topics is empty"),
        ("image_topics", None, "image_topics is empty"),
        ("autostart", "yes", "autostart 'yes': it must be true or false"),
        ("backend", "openvin", "backend 'openvin': did you mean 'openvino'"),
        ("input_reliability", "besteffort", "did you mean 'best_effort'"),
        ("outputs", [""], "outputs is empty, so the node would do nothing"),
        ("outputs", None, "outputs is empty, so the node would do nothing"),
        ("outputs", ["label", "colour"], "no output 'colour': did you mean 'color'?"),
        ("outputs", ["label_info"], "outputs .* the node would segment nothing"),
        ("mask_groups.drivable", "road", "mask_groups.drivable 'road': .* a list of strings"),
        ("palette.road", ["red"], "palette.road .* a list of integers"),
        ("mask_group.drivable", ["road"], "no parameter .* did you mean 'mask_groups'?"),
        ("palette", [1, 2, 3], "palette is a table: set palette.<name>, each a list of integers"),
        ("label_resolution", "full", "label_resolution 'full': It must be one of camera, network"),
        ("precision", "int3", "precision 'int3': .*one of auto, fp32, bf16"),
    ],
)
def test_what_cannot_be_is_refused_with_the_nearest_that_can(name, value, reason):
    with pytest.raises(ParameterError, match=reason):
        changed(Parameters(), {name: value})


def test_opacity_may_change_at_any_time(configured):
    assert configured.set_parameters(overlay_opacity=0.75) == [""]
    assert configured.get_parameter("overlay_opacity") == 0.75
    (refused,) = configured.set_parameters(overlay_opacity=1.5)
    assert refused == "overlay_opacity 1.5: it must be a number from 0.0 to 1.0"
    assert configured.get_parameter("overlay_opacity") == 0.75


def test_what_is_read_at_configuration_waits_for_it(configured):
    (refused,) = configured.set_parameters(model="other.onnx")
    assert refused == "model needs reconfigure: deactivate and cleanup the node, then set it"
    (refused,) = configured.set_parameters(mask_groups__flat=["road"])
    assert refused.startswith("mask_groups: topics come and go with a configuration only")
    assert configured.change_state("cleanup")

    (refused,) = configured.set_parameters(backend="onnxruntim")  # a bad choice is one at any time
    assert "did you mean 'onnxruntime'" in refused
    (refused,) = configured.set_parameters(autostart=True)
    assert "read-only" in refused
    assert configured.set_parameters(mask_groups__flat=["road"]) == [""]
    assert configured.change_state("configure")
    assert configured.parameters().mask_groups == (("flat", ("road",)),)
    assert configured.set_parameters(mask_groups__flat=["sky"]) == [""]
    assert configured.change_state("cleanup")
    assert configured.set_parameters(model="other.onnx") == [""]


def test_an_empty_list_is_a_list_and_an_empty_table_a_table(graph):
    empty = {"mask_classes": [], "regions_of_interest": {"a": []}, "palette": {}}
    graph.start(autostart=False, **empty)
    parameters = graph.parameters()
    assert parameters.mask_classes == ()
    assert parameters.palette == parameters.regions_of_interest == ()
    value = stored(graph, "mask_classes")
    assert value.type == ParameterType.PARAMETER_STRING_ARRAY
    assert value.string_array_value == []


def test_an_integer_is_taken_for_a_number(graph):
    graph.start(autostart=False, min_confidence=1)
    assert graph.parameters().min_confidence == 1.0
    assert graph.set_parameters(min_confidence=0) == [""]
    value = stored(graph, "min_confidence")
    assert (value.type, value.double_value) == (ParameterType.PARAMETER_DOUBLE, 0.0)


def test_entries_of_tables_come_and_go_while_the_node_is_configured(configured):
    assert configured.parameters().palette == ()
    assert configured.set_parameters(palette__road=[1, 2, 3]) == [""]
    assert configured.set_parameters(regions_of_interest__default=[0, 0, 0, 8]) == [""]
    assert configured.parameters().palette == (("road", (1, 2, 3)),)
    assert "palette.road" in configured.list_parameters("palette")

    (refused,) = configured.set_parameters(palette__rode=[1, 2, 3])
    assert refused.startswith("palette.rode: no class 'rode': did you mean 'road'? ")
    assert "palette.rode" not in configured.list_parameters()
    assert configured.set_parameters(palette__road=[1, 2]) != [""]
    assert configured.parameters().palette == (("road", (1, 2, 3)),)

    empty = Parameter("palette.road", Parameter.Type.BOOL_ARRAY, [])  # what `ros2 param set` sends
    assert configured.set(empty) == [""]
    assert configured.parameters().palette == ()
    assert configured.list_parameters("palette") == ["palette"]


def test_what_there_is_not_cannot_be_set(configured):
    misspelt, table, deleted = configured.set(
        Parameter("thread", value=2), Parameter("palette", value=["red"]), Parameter("threads")
    )
    assert misspelt.startswith("no parameter 'thread': did you mean 'threads'?")
    assert table.startswith("palette is a table")
    assert deleted.startswith("threads has no value")


def test_several_are_set_together_or_not_at_all(configured):
    changes = [Parameter("palette.road", value=[1, 2, 3]), Parameter("palette.rode", value=[1])]
    assert configured.set_together(*changes) != ""
    assert configured.parameters().palette == ()
    changes[1] = Parameter("overlay_opacity", value=1)
    assert configured.set_together(*changes) == ""
    parameters = configured.parameters()
    assert parameters.palette == (("road", (1, 2, 3)),)
    assert parameters.overlay_opacity == 1.0


def test_every_parameter_is_listed_and_described(configured):
    listed = configured.list_parameters()
    for field in dataclasses.fields(Parameters):
        assert field.name in listed
    opacity = configured.describe_parameter("overlay_opacity").floating_point_range[0]
    assert (opacity.from_value, opacity.to_value) == (0.0, 1.0)
    assert configured.describe_parameter("backend").additional_constraints.startswith("one of auto")
    assert configured.set_parameters(palette__road=[1, 2, 3]) == [""]
    for name in ("palette", "palette.road"):
        descriptor = configured.describe_parameter(name)
        assert descriptor.description.startswith("Colours")
        assert descriptor.additional_constraints == "a list of integers"
