"""Free space in a segmented bag; that it is the node's own is in `test_live_node`."""

from __future__ import annotations

import json
from dataclasses import replace

import bags
import calibrations
import cv2
import numpy as np
import pytest

import models
from hyperseg_ros import cli
from hyperseg_ros.classes import CAMVID
from hyperseg_ros.frames.ground_settings import ground_settings
from hyperseg_ros.recordings import segmenting
from hyperseg_ros.recordings.reading import Recording

HEIGHT, WIDTH = 120, 160
INFO = calibrations.camera_info(width=WIDTH, height=HEIGHT, fx=125.0)
WALL = 7.0
SCAN, GRID = "/front/segmentation/free_space/scan", "/front/segmentation/free_space/grid"


@pytest.fixture
def model(tmp_path):
    return str(models.write_palette_model(tmp_path / "palette.onnx", input_size=(HEIGHT, WIDTH)))


def street(count=3, **calibration):
    """A road that ends at a wall, seen from 1.5 m; without calibration where that is None."""
    pixels = np.full((HEIGHT, WIDTH, 3), CAMVID.colors[CAMVID.index("car")], np.uint8)
    row = int(np.ceil(INFO.k[5] + INFO.k[4] * 1.5 / WALL))
    pixels[row:] = CAMVID.colors[CAMVID.index("road")]
    messages = []
    for index in range(count):
        time = bags.START + index * bags.PERIOD
        info = bags.camera_info(time, (HEIGHT, WIDTH))
        info.distortion_model, info.d = "", np.zeros(0)
        info.k, info.p = np.array(INFO.k), np.array(INFO.p)
        for name, value in calibration.items():
            setattr(info, name, value)
        messages.append(("/front/camera_info", bags.INFO, time - 1, info))
        messages.append((bags.CAMERA, bags.IMAGE, time, bags.image(pixels, time, "rgb8")))
    return messages


def tf_static(parent="base_link"):
    """The camera 1.5 m above the ground, upright, looking ahead."""
    kinds = bags.ROS2.types
    transform = kinds["geometry_msgs/msg/TransformStamped"](
        header=bags.header(bags.ROS2, bags.START),
        child_frame_id="camera",
        transform=kinds["geometry_msgs/msg/Transform"](
            kinds["geometry_msgs/msg/Vector3"](0.0, 0.0, 1.5),
            kinds["geometry_msgs/msg/Quaternion"](-0.5, 0.5, -0.5, 0.5),
        ),
    )
    transform.header.frame_id = parent
    kind = "tf2_msgs/msg/TFMessage"
    return "/tf_static", kind, bags.START, kinds[kind]([transform])


def segment(source, output, model, *words):
    return cli.main(["segment", model, str(source), "--output", str(output), *words])


def decoded(bag, topic):
    with Recording(bag) as recording:
        return [recording.decode(stored) for stored in recording.messages([topic])]


MOUNT = ("--mount", "0,0,1.5,0,0,0")


def test_a_mount_adds_scan_and_grid_with_the_wall_where_it_is(tmp_path, model):
    source = bags.write(tmp_path / "drive", street())

    assert segment(source, tmp_path / "out", model, *MOUNT) == 0

    scans, grids = decoded(tmp_path / "out", SCAN), decoded(tmp_path / "out", GRID)
    assert len(scans) == len(grids) == 3
    assert len(decoded(tmp_path / "out", "/front/segmentation/label")) == 3
    angles = scans[0].angle_min + np.arange(len(scans[0].ranges)) * scans[0].angle_increment
    assert np.median(scans[0].ranges * np.cos(angles)) == pytest.approx(WALL, rel=0.03)
    assert scans[0].header.frame_id == grids[0].header.frame_id == "base_link"
    assert grids[1].info.map_load_time == grids[1].header.stamp == scans[1].header.stamp
    assert (grids[0].info.width, grids[0].info.height) == (170, 200)


def test_a_body_mask_hides_the_robot_itself(tmp_path, model):
    messages = street()
    bonnet = np.zeros((HEIGHT, WIDTH), np.uint8)
    bonnet[-HEIGHT // 10 :] = 255
    wall = CAMVID.colors[CAMVID.index("building")]
    for _, kind, _, message in messages:
        if kind == bags.IMAGE:
            message.data.reshape(HEIGHT, WIDTH, 3)[bonnet > 0] = wall
    source = bags.write(tmp_path / "drive", messages)
    mask = tmp_path / "bonnet.png"
    cv2.imwrite(str(mask), bonnet)

    assert segment(source, tmp_path / "bare", model, *MOUNT) == 0
    hidden = (*MOUNT, "--body-mask", f"/front/image_raw={mask}")
    assert segment(source, tmp_path / "hidden", model, *hidden) == 0

    def distance(bag):
        scan = decoded(bag, SCAN)[0]
        angles = scan.angle_min + np.arange(len(scan.ranges)) * scan.angle_increment
        return np.median(scan.ranges * np.cos(angles))

    assert distance(tmp_path / "bare") < 0.7 * WALL
    assert distance(tmp_path / "hidden") == pytest.approx(WALL, rel=0.03)


def test_a_run_does_not_go_on_with_another_body_mask(tmp_path, model, capsys):
    source = bags.write(tmp_path / "drive", street())
    mask = tmp_path / "mask.png"
    cv2.imwrite(str(mask), np.zeros((HEIGHT, WIDTH), np.uint8))
    words = (*MOUNT, "--body-mask", str(mask))
    assert segment(source, tmp_path / "out", model, *words) == 0
    assert segment(source, tmp_path / "out", model, *words, "--resume") == 0
    cv2.imwrite(str(mask), np.ones((HEIGHT, WIDTH), np.uint8))

    assert segment(source, tmp_path / "out", model, *words, "--resume") == 2

    assert "is there already" in capsys.readouterr().err


def test_a_body_mask_is_of_a_camera_and_for_free_space(tmp_path, model, capsys):
    source = bags.write(tmp_path / "drive", street(1))
    mask = tmp_path / "mask.png"
    cv2.imwrite(str(mask), np.zeros((HEIGHT, WIDTH), np.uint8))

    named = (*MOUNT, "--body-mask", f"/frnt/image_raw={mask}")
    assert segment(source, tmp_path / "out", model, *named) == 2
    assert "--body-mask: " in capsys.readouterr().err
    assert segment(source, tmp_path / "out", model, "--body-mask", str(mask)) == 2
    assert "--body-mask is for free space" in capsys.readouterr().err


def test_tf_static_says_the_same_as_a_mount(tmp_path, model):
    frame = ("--ground-frame", "ground")
    source = bags.write(tmp_path / "drive", [tf_static("ground"), *street()])

    assert segment(source, tmp_path / "a", model, "--outputs", "free_space", *frame) == 0
    assert segment(source, tmp_path / "b", model, "--outputs", "free_space", *frame, *MOUNT) == 0

    for one, other in zip(decoded(tmp_path / "a", SCAN), decoded(tmp_path / "b", SCAN)):
        np.testing.assert_array_equal(one.ranges, other.ranges)
        assert one.header.frame_id == "ground"


def test_the_result_does_not_depend_on_how_it_was_divided(tmp_path, model):
    source = bags.write(tmp_path / "drive", [tf_static(), *street(6)])
    for name, seconds in (("a", "0.25"), ("b", "9")):
        words = ("--outputs", "free_space", "--part", seconds)
        assert segment(source, tmp_path / name / "out", model, *words) == 0
    one, other = (next((tmp_path / name / "out").glob("*.mcap")).read_bytes() for name in "ab")
    assert one == other


@pytest.mark.parametrize(
    ("calibration", "said"),
    [
        (None, "the recording has no /front/camera_info that can be read"),
        ({"k": np.zeros(9)}, "camera_info is not calibrated"),
        ({"height": 240, "width": 320}, "camera_info is for 320 x 240 pixels"),
        ({"distortion_model": "no_such_lens"}, "no_such_lens"),
    ],
)
def test_a_calibration_that_is_missing_or_bad_is_one_line_and_the_rest_goes_on(
    tmp_path, model, capsys, calibration, said
):
    messages = street(5, **(calibration or {}))
    if calibration is None:
        messages = [message for message in messages if message[1] != bags.INFO]
    source = bags.write(tmp_path / "drive", messages)

    status = segment(source, tmp_path / "out", model, *MOUNT, "--part", "0.2")

    lines = [line for line in capsys.readouterr().err.splitlines() if "free_space" in line]
    assert status == 1
    assert len(lines) == 1
    assert "drive: no free_space for 5 frames of /front/image_raw: " in lines[0]
    assert said in lines[0]
    assert len(decoded(tmp_path / "out", "/front/segmentation/label")) == 5
    assert decoded(tmp_path / "out", SCAN) == []
    (lack,) = json.loads((tmp_path / "out" / "report.json").read_text())["without"]
    assert (lack["output"], lack["frames"]) == ("free_space", 5)


def test_a_scan_that_cannot_be_costs_no_grid(tmp_path, model, monkeypatch, capsys):
    source = bags.write(tmp_path / "drive", street())
    assert segment(source, tmp_path / "whole", model, *MOUNT) == 0
    monkeypatch.setattr(
        segmenting, "ground_settings", lambda *args: replace(ground_settings(*args), seen_from=1.0)
    )

    assert segment(source, tmp_path / "out", model, *MOUNT) == 1

    assert "no free_space for 3 frames of /front/image_raw: " in capsys.readouterr().err
    assert decoded(tmp_path / "out", SCAN) == []
    grids, expected = (decoded(tmp_path / name, GRID) for name in ("out", "whole"))
    assert len(grids) == 3
    for grid, other in zip(grids, expected):
        np.testing.assert_array_equal(grid.data, other.data)


def test_a_calibration_that_is_damaged_costs_free_space_and_no_image(tmp_path, model, capsys):
    source = bags.write(tmp_path / "drive", street(2))
    (file,) = source.glob("*.mcap")
    data = file.read_bytes()
    size = np.array([HEIGHT, WIDTH], "<u4").tobytes()
    lens = size + b"\1\0\0\0"  # the length of its name, with the zero at its end
    assert data.count(lens) == 2
    file.write_bytes(data.replace(lens, size + b"\xff\xff\xff\x7f"))

    assert segment(source, tmp_path / "out", model, *MOUNT) == 1

    assert "no free_space for 2 frames of /front/image_raw: " in capsys.readouterr().err
    assert len(decoded(tmp_path / "out", "/front/segmentation/label")) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--mount", "1,2"], "'1,2': it must be six numbers"),
        (["--mount", "0,0,-1,0,0,0"], "at or below the ground"),
        (["--mount", "/frnt/image_raw=0,0,1,0,0,0"], "did you mean /front/image_raw?"),
        (["--outputs", "free_space"], "has no /tf_static that says where /front/image_raw is"),
        ([*MOUNT, "--ground-classes", "rode"], "did you mean 'road'?"),
        (["--region", "0,0,x,2"], "'0,0,x,2': it must be four whole numbers"),
        (["--region", "0,0,2"], "'0,0,2': a region of interest is four numbers"),
        (["--region", "/frnt/image_raw=0,0,9,9"], "--region: "),
        ([*MOUNT, "--body-mask", "/no/such.png"], "/no/such.png"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_done(tmp_path, model, capsys, words, said):
    source = bags.write(tmp_path / "drive", street(1))
    try:
        status = segment(source, tmp_path / "out", model, *words)
    except SystemExit as end:
        status = end.code
    assert status == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
