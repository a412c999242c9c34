"""Free space of frames: what is right for a wall across a straight road."""

from __future__ import annotations

from dataclasses import replace

import calibrations
import numpy as np
import pytest
from segmented_frames import HEIGHT, WIDTH, frame_of

from hyperseg_ros.classes import CAMVID
from hyperseg_ros.frames.body_mask import BodyMask
from hyperseg_ros.frames.fitted_camera import FittedCamera
from hyperseg_ros.frames.frame import SegmentedFrame
from hyperseg_ros.frames.free_space import FreeSpaceMapper, GroundSettings
from hyperseg_ros.frames.messages import laser_scan_fields, occupancy_grid_fields
from hyperseg_ros.geometry import CalibrationError, FreeSpaceOptions, Pose, PoseError
from hyperseg_ros.geometry.grid import OCCUPIED, UNKNOWN, GridLayout
from hyperseg_ros.runtime import Segmentation

INFO = calibrations.camera_info(width=WIDTH, height=HEIGHT, fx=250.0)
POSE = Pose.mounted(0.0, 0.0, 1.5)
ROAD, CAR = CAMVID.index("road"), CAMVID.index("car")
SETTINGS = GroundSettings(
    CAMVID.ground_ids, FreeSpaceOptions(), GridLayout.around(15.0, 2.0, 10.0, 0.25)
)


def wall_at(metres: float) -> tuple[np.ndarray, int]:
    """Labels of a road that ends at a wall, and the wall's lowest row."""
    fy, cy = INFO.k[4], INFO.k[5]
    row = int(np.ceil(cy + fy * 1.5 / metres))
    labels = np.full((HEIGHT, WIDTH), CAR, np.uint8)
    labels[row:] = ROAD
    return labels, row - 1


@pytest.mark.parametrize("metres", [4.0, 7.0, 12.0])
def test_the_scan_ends_at_the_wall(metres):
    labels, _ = wall_at(metres)
    mapper = FreeSpaceMapper(SETTINGS, FittedCamera(rectified=False))
    scan = laser_scan_fields(mapper.find(frame_of(labels), INFO, POSE))
    angles = scan["angle_min"] + np.arange(len(scan["ranges"])) * scan["angle_increment"]
    assert angles[-1] == pytest.approx(scan["angle_max"])
    assert np.abs(angles).max() == pytest.approx(np.arctan(160 / 250), abs=0.03)
    across = scan["ranges"] * np.cos(angles)
    assert np.median(across) == pytest.approx(metres, rel=0.02)
    assert (scan["range_min"], scan["range_max"]) == (0.0, 15.0)
    assert np.median(scan["intensities"]) == pytest.approx(250 / 255, abs=0.01)


def test_a_calibration_with_nan_where_it_does_not_count_is_worked_out_once():
    camera, frame = FittedCamera(rectified=False), frame_of(wall_at(7.0)[0])
    first, second = (
        camera.model(calibrations.camera_info(width=WIDTH, height=HEIGHT, p=[np.nan] * 12), frame)
        for _ in range(2)
    )
    assert second is first


def test_a_scan_of_one_bearing_says_how_wide_it_is():
    labels, _ = wall_at(7.0)
    options = FreeSpaceOptions(angle_min=0.1, angle_max=0.1, angle_increment=0.05)
    mapper = FreeSpaceMapper(replace(SETTINGS, options=options), FittedCamera(rectified=False))
    scan = laser_scan_fields(mapper.find(frame_of(labels), INFO, POSE))
    assert (scan["angle_min"], scan["angle_max"], scan["angle_increment"]) == (0.1, 0.1, 0.05)
    assert scan["ranges"] * np.cos(0.1) == pytest.approx([7.0], rel=0.02)


def test_the_grid_is_occupied_where_the_scan_ends():
    labels, _ = wall_at(7.0)
    mapper = FreeSpaceMapper(SETTINGS, FittedCamera(rectified=False))
    layout, cells = mapper.grid(mapper.find(frame_of(labels), INFO, POSE))
    fields = occupancy_grid_fields(layout, cells, None)
    info = fields["info"]
    grid = fields["data"].reshape(info["height"], info["width"])
    rows, columns = np.nonzero(grid == OCCUPIED)
    x = info["origin"]["position"]["x"] + (columns + 0.5) * info["resolution"]
    y = info["origin"]["position"]["y"] + (rows + 0.5) * info["resolution"]
    assert np.abs(x - 7.0).max() <= 0.5
    assert (y.min(), y.max()) == (pytest.approx(-4.4, abs=0.6), pytest.approx(4.4, abs=0.6))
    behind = int((0.0 - info["origin"]["position"]["x"]) / info["resolution"]) - 1
    assert (grid[:, behind] == UNKNOWN).all()


def test_the_region_of_interest_is_all_that_counts():
    """The bonnet below it is no obstacle; the columns beside it are not seen."""
    labels, _ = wall_at(7.0)
    labels[220:] = CAR
    camera = FittedCamera(rectified=False)
    whole = FreeSpaceMapper(SETTINGS, camera).find(frame_of(labels), INFO, POSE)
    assert np.isneginf(whole.ranges).mean() > 0.9
    part = FreeSpaceMapper(SETTINGS, camera)
    cut = part.find(frame_of(labels, slice(0, 220), slice(80, 240)), INFO, POSE)
    seen = np.isfinite(cut.ranges)
    assert 0.3 < seen.mean() < 0.7
    across = cut.ranges[seen] * np.cos(cut.bearings[seen])
    assert np.median(across) == pytest.approx(7.0, rel=0.02)


def test_the_robots_own_body_is_no_obstacle():
    labels, _ = wall_at(7.0)
    labels[200:, 60:260] = CAR
    body = np.zeros((HEIGHT, WIDTH), bool)
    body[200:, 60:260] = True
    camera = FittedCamera(rectified=False)
    mapper = FreeSpaceMapper(SETTINGS, camera, BodyMask("body.png", body))
    # A region of interest, and the network's resolution, hide it as well.
    small = np.ascontiguousarray(labels[::2, ::2])
    for frame in (
        frame_of(labels),
        frame_of(labels, slice(0, 230), slice(80, 240)),
        frame_of(small, at_input_size=True),
    ):
        found = mapper.find(frame, INFO, POSE)
        seen = np.isfinite(found.ranges)
        assert seen.sum() > 50
        assert not np.isneginf(found.ranges).any()
        across = found.ranges[seen] * np.cos(found.bearings[seen])
        np.testing.assert_allclose(across, 7.0, rtol=0.06)


def test_at_the_networks_resolution_metres_are_the_same():
    labels, _ = wall_at(7.0)
    small = labels[::2, ::2].copy()
    mapper = FreeSpaceMapper(SETTINGS, FittedCamera(rectified=False))
    found = mapper.find(frame_of(small, at_input_size=True), INFO, POSE)
    assert np.median(found.ranges * np.cos(found.bearings)) == pytest.approx(7.0, rel=0.04)


@pytest.mark.parametrize("enlarged", [2, 4])
def test_a_run_is_counted_in_the_networks_pixels(enlarged):
    own = (HEIGHT // enlarged, WIDTH // enlarged)
    horizon = own[0] // 2 + 4
    changed = {}
    for rows in (0, 1, 2):
        labels = np.full(own, ROAD, np.uint8)
        labels[:horizon] = CAR
        labels[-16 : -16 + rows, own[1] // 3 : -own[1] // 3] = CAR
        mapper = FreeSpaceMapper(SETTINGS, FittedCamera(rectified=False))
        whole = frame_of(np.zeros((HEIGHT, WIDTH), np.uint8))
        small = Segmentation(labels, np.full_like(labels, 250), 0.0, 0.0, 0.0)
        changed[rows] = mapper.find(SegmentedFrame(whole.frame, small), INFO, POSE).ranges
    np.testing.assert_array_equal(changed[1], changed[0])  # a speck
    assert (changed[2] < 0.8 * changed[0]).sum() > 20


def test_a_scan_leaves_out_what_is_seen_too_late():
    settings = replace(SETTINGS, seen_from=5.0)
    mapper = FreeSpaceMapper(settings, FittedCamera(rectified=False))
    pose = Pose.mounted(1.2, 0.0, 1.5)
    found = mapper.find(frame_of(wall_at(9.0)[0]), INFO, pose)
    scan = laser_scan_fields(mapper.scan(found))
    late = found.seen_from > 5.0
    assert late.any()
    np.testing.assert_array_equal(np.isnan(scan["ranges"]), late | np.isnan(found.ranges))
    assert (mapper.grid(found)[1] == OCCUPIED).any()
    blind = FreeSpaceMapper(replace(SETTINGS, seen_from=1.0), FittedCamera(rectified=False))
    with pytest.raises(PoseError, match=r"free_space_seen_from: on no bearing .* within 1 m"):
        blind.scan(found)


def test_a_calibration_of_another_size_is_refused():
    labels, _ = wall_at(7.0)
    mapper = FreeSpaceMapper(SETTINGS, FittedCamera(rectified=False))
    other = calibrations.camera_info()
    with pytest.raises(CalibrationError, match="for 640 x 480 pixels, the images have 320 x 240"):
        mapper.find(frame_of(labels), other, POSE)
