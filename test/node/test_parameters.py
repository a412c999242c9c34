from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import yaml
from rclpy.parameter import Parameter

from hyperseg_ros.node.declared_parameters import ParameterError
from hyperseg_ros.node.parameters import Parameters
from hyperseg_ros.node.segmentation_node import SegmentationNode

CONFIG = Path(__file__).resolve().parents[2] / "config" / "segment.yaml"


TABLES = ("mask_groups", "palette", "regions_of_interest", "mount", "body_masks", "depth_topics")


def make(**values: object) -> SegmentationNode:
    return SegmentationNode(parameter_overrides=[given(*item) for item in values.items()])


def given(name: str, value: object) -> Parameter:
    """A parameter as a file gives it: an empty list or map has no type there."""
    return (
        Parameter(name, Parameter.Type.NOT_SET) if value is None else Parameter(name, value=value)
    )


def test_given_values_are_taken():
    node = make(model="street.onnx", threads=2, overlay_opacity=0.25, image_topics=["/a/b", "c"])
    parameters = node.parameters
    node.destroy_node()
    assert parameters == Parameters(
        model="street.onnx", threads=2, overlay_opacity=0.25, image_topics=("/a/b", "c")
    )


def test_the_parameter_file_has_every_parameter_with_its_default():
    written = yaml.safe_load(CONFIG.read_text())["/**"]["ros__parameters"]
    defaults = dataclasses.asdict(Parameters())
    assert written == {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in defaults.items()
        if name not in TABLES  # a parameter file cannot have an empty table
    }


def test_the_tables_in_the_comments_of_the_parameter_file_are_right(tmp_path):
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
    node = SegmentationNode(cli_args=["--ros-args", "--params-file", str(tmp_path / "robot.yaml")])
    parameters = node.parameters
    node.destroy_node()
    assert dict(parameters.mask_groups) == {
        "drivable": ("road",),
        "vulnerable": ("pedestrian", "bicyclist"),
    }
    assert dict(parameters.palette) == {"road": (128, 64, 128)}
    assert dict(parameters.regions_of_interest)["/front/image_raw"] == (0, 0, 0, 400)


def test_a_parameter_file_is_read_in_any_namespace(tmp_path):
    text = CONFIG.read_text().replace("threads: 0", "threads: 3").replace("[camera/", "[front/")
    (tmp_path / "robot.yaml").write_text(text)
    node = SegmentationNode(
        namespace="/robot",
        cli_args=["--ros-args", "--params-file", str(tmp_path / "robot.yaml")],
    )
    parameters = node.parameters
    node.destroy_node()
    assert parameters == Parameters(threads=3, image_topics=("front/image_raw",))


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
        make(**{name: value})


def test_names_that_rclpy_declares_are_no_mistakes():
    make(use_sim_time=True).destroy_node()


@pytest.fixture
def configured(model):
    node = make(model=str(model), autostart=False)
    node.trigger_configure()
    yield node
    node.destroy_node()


def set_parameter(node, name, value):
    return node.set_parameters([Parameter(name, value=value)])[0]


def test_opacity_may_change_at_any_time(configured):
    assert set_parameter(configured, "overlay_opacity", 0.75).successful
    assert configured.get_parameter("overlay_opacity").value == 0.75
    refused = set_parameter(configured, "overlay_opacity", 1.5)
    assert not refused.successful
    assert refused.reason == "overlay_opacity 1.5: it must be a number from 0.0 to 1.0"
    assert configured.get_parameter("overlay_opacity").value == 0.75


def test_what_is_read_at_configuration_waits_for_it(configured):
    result = set_parameter(configured, "model", "other.onnx")
    assert not result.successful
    assert result.reason == (
        "model needs reconfigure: deactivate and cleanup the node, then set it"
    )
    configured.trigger_cleanup()
    assert set_parameter(configured, "model", "other.onnx").successful


def test_a_bad_choice_is_refused_at_run_time_too(configured):
    configured.trigger_cleanup()
    result = set_parameter(configured, "backend", "onnxruntim")
    assert not result.successful
    assert "did you mean 'onnxruntime'" in result.reason


def test_autostart_is_read_only(configured):
    configured.trigger_cleanup()
    result = set_parameter(configured, "autostart", True)
    assert not result.successful
    assert "read-only" in result.reason


def test_an_empty_list_is_a_list_and_an_empty_table_a_table():
    node = make(mask_classes=None, palette=None, mask_groups=None, **{"palette.road": None})
    parameters = node.parameters
    stored = node.get_parameter("mask_classes")
    node.destroy_node()
    assert parameters == Parameters(mask_classes=())
    assert (stored.type_, stored.value) == (Parameter.Type.STRING_ARRAY, [])


def test_an_integer_is_taken_for_a_number(configured):
    assert make(min_confidence=1).parameters.min_confidence == 1.0
    assert set_parameter(configured, "min_confidence", 1).successful
    stored = configured.get_parameter("min_confidence")
    assert (stored.type_, stored.value) == (Parameter.Type.DOUBLE, 1.0)


def test_entries_of_tables_come_and_go_while_the_node_is_configured(configured):
    assert configured.parameters.palette == ()
    assert set_parameter(configured, "palette.road", [1, 2, 3]).successful
    assert set_parameter(configured, "regions_of_interest.default", [0, 0, 0, 8]).successful
    assert configured.parameters.palette == (("road", (1, 2, 3)),)
    assert "palette.road" in configured.list_parameters(["palette"], 0).names

    refused = set_parameter(configured, "palette.rode", [1, 2, 3])
    assert (
        refused.reason
        == "palette.rode: no class 'rode': did you mean 'road'? "
        + (refused.reason.partition("? ")[2])
    )
    assert not configured.has_parameter("palette.rode")
    assert not set_parameter(configured, "palette.road", [1, 2]).successful
    assert configured.parameters.palette == (("road", (1, 2, 3)),)

    empty = Parameter("palette.road", Parameter.Type.BOOL_ARRAY, [])  # what `ros2 param set` sends
    assert configured.set_parameters([empty])[0].successful
    assert configured.parameters.palette == ()
    assert configured.list_parameters(["palette"], 0).names == ["palette"]


def test_a_group_comes_and_goes_while_the_node_is_not_configured(configured):
    refused = set_parameter(configured, "mask_groups.flat", ["road"])
    assert refused.reason.startswith("mask_groups: topics come and go with a configuration only")
    configured.trigger_cleanup()
    assert set_parameter(configured, "mask_groups.flat", ["road"]).successful
    configured.trigger_configure()
    assert configured.parameters.mask_groups == (("flat", ("road",)),)
    assert set_parameter(configured, "mask_groups.flat", ["sky"]).successful


def test_what_there_is_not_cannot_be_set(configured):
    assert set_parameter(configured, "thread", 2).reason.startswith(
        "no parameter 'thread': did you mean 'threads'?"
    )
    assert set_parameter(configured, "palette", ["red"]).reason.startswith("palette is a table")
    (deleted,) = configured.set_parameters([Parameter("threads")])
    assert deleted.reason.startswith("threads has no value")


def test_several_are_set_together_or_not_at_all(configured):
    changes = [Parameter("palette.road", value=[1, 2, 3]), Parameter("palette.rode", value=[1])]
    assert not configured.set_parameters_atomically(changes).successful
    assert configured.parameters.palette == ()
    changes[1] = Parameter("overlay_opacity", value=1)
    assert configured.set_parameters_atomically(changes).successful
    assert configured.parameters.palette == (("road", (1, 2, 3)),)
    assert configured.parameters.overlay_opacity == 1.0


def test_every_parameter_is_listed_and_described(configured):
    listed = configured.list_parameters([], 0).names
    for field in dataclasses.fields(Parameters):
        assert field.name in listed
        assert len(configured.describe_parameter(field.name).description) > 10
    opacity = configured.describe_parameter("overlay_opacity").floating_point_range[0]
    assert (opacity.from_value, opacity.to_value) == (0.0, 1.0)
    assert configured.describe_parameter("backend").additional_constraints.startswith("one of auto")
    set_parameter(configured, "palette.road", [1, 2, 3])
    for name in ("palette", "palette.road"):
        descriptor = configured.describe_parameter(name)
        assert descriptor.description.startswith("Colours")
        assert descriptor.additional_constraints == "a list of integers"
