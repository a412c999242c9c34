from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml
from rclpy.parameter import Parameter

from hyperseg_ros.node.parameters import ParameterError, Parameters, read_parameters
from hyperseg_ros.node.segmentation_node import SegmentationNode

CONFIG = Path(__file__).resolve().parents[2] / "config" / "segment.yaml"


TABLES = ("mask_groups", "palette", "regions_of_interest")


def make(**values: object) -> SegmentationNode:
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    return SegmentationNode(parameter_overrides=overrides)


def test_given_values_are_taken():
    node = make(model="street.onnx", threads=2, overlay_opacity=0.25, image_topics=["/a/b", "c"])
    parameters = read_parameters(node)
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
    parameters = read_parameters(node)
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
    parameters = read_parameters(node)
    node.destroy_node()
    assert parameters == Parameters(threads=3, image_topics=("front/image_raw",))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("overlay_opacty", 0.5, "no parameter 'overlay_opacty': did you mean 'overlay_opacity'?"),
        ("image_topic", "/a", "did you mean 'image_topics'?"),
        ("zzz", 1, "no parameter 'zzz': The parameters are image_topics, input_type"),
        ("overlay_opacity", 1.5, "overlay_opacity 1.5: it must be a number .* from 0.0 to 1.0"),
        ("overlay_opacity", 1, "overlay_opacity 1: it must be a number with a decimal point"),
        ("threads", -1, "threads -1: it must be an integer from 0 to 256"),
        ("threads", "two", "threads 'two': it must be an integer"),
        ("output_depth", 0, "output_depth 0: it must be an integer from 1 to 100"),
        ("model", 5, "model 5: it must be a string"),
        ("image_topics", "/a", "image_topics '/a': it must be a list of strings"),
        ("image_topics", [""], "image_topics is empty"),
        ("autostart", "yes", "autostart 'yes': it must be true or false"),
        ("backend", "openvin", "backend 'openvin': did you mean 'openvino'"),
        ("input_reliability", "besteffort", "did you mean 'best_effort'"),
        ("outputs", [""], "outputs is empty, so the node would do nothing"),
        ("outputs", ["label", "colour"], "no output 'colour': did you mean 'color'?"),
        ("outputs", ["label_info"], "outputs .* the node would segment nothing"),
        ("mask_groups.drivable", "road", "mask_groups.drivable 'road': .* a list of strings"),
        ("palette.road", ["red"], "palette.road .* a list of integers"),
        ("mask_group.drivable", ["road"], "no parameter .* did you mean 'mask_groups'?"),
        ("palette", [1, 2, 3], "no parameter 'palette'"),
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
    assert "out of range" in refused.reason
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


def test_every_parameter_is_described(configured):
    for field in dataclasses.fields(Parameters):
        if field.name in TABLES:
            continue
        descriptor = configured.describe_parameter(field.name)
        assert len(descriptor.description) > 10
    opacity = configured.describe_parameter("overlay_opacity").floating_point_range[0]
    assert (opacity.from_value, opacity.to_value) == (0.0, 1.0)
    assert configured.describe_parameter("backend").additional_constraints.startswith("one of auto")
