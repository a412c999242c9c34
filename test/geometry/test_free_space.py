"""The free-space boundary of scenes whose distances are known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from calibrations import LENSES, camera_info
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.geometry import (
    CalibrationError,
    CameraModel,
    FreeSpace,
    FreeSpaceFinder,
    FreeSpaceOptions,
    GeometryError,
    Pose,
    PoseError,
)

ROAD, WALL = 3, 1
LEVEL = Pose.mounted(0, 0, 1.2, pitch=0.15)


def scene(camera: CameraModel, pose: Pose, blocked) -> np.ndarray:
    """Labels of flat road, but for the pixels whose ground point x, y is `blocked`; sky is wall."""
    rows, columns = np.mgrid[: camera.height, : camera.width].astype(float)
    directions = camera.directions(columns, rows) @ pose.matrix.T
    below = directions[..., 2] < -1e-9
    scale = pose.height / np.where(below, -directions[..., 2], 1)
    x = pose.position[0] + directions[..., 0] * scale
    y = pose.position[1] + directions[..., 1] * scale
    with np.errstate(invalid="ignore"):
        return np.where(below & ~blocked(x, y), ROAD, WALL).astype(np.uint8)


def beyond_wall(distance: float):
    """A wall across the street: everything at x >= distance is hidden."""
    return lambda x, y: x >= distance


def sure(labels: np.ndarray) -> np.ndarray:
    return np.full(labels.shape, 250, np.uint8)


def inner(result: FreeSpace) -> FreeSpace:
    """The part of a scan that does not leave the image at its sides."""
    middle = np.abs(result.bearings) < 0.5
    arrays = ("bearings", "ranges", "confidence", "sigma", "seen_from", "free_to")
    return replace(result, **{name: getattr(result, name)[middle] for name in arrays})


def find(camera, pose, labels, body=None, confidence=None, **options):
    finder = FreeSpaceFinder(camera, [ROAD], FreeSpaceOptions(**options), body)
    return finder.find(labels, sure(labels) if confidence is None else confidence, pose)


@pytest.fixture
def camera() -> CameraModel:
    return CameraModel.of(camera_info())


@pytest.mark.parametrize("lens", LENSES)
@pytest.mark.parametrize(
    "pose",
    [
        LEVEL,
        Pose.mounted(0.4, -0.3, 1.5, roll=math.radians(10), pitch=0.1, yaw=0.2),
        Pose.mounted(-0.5, 0.2, 0.6, roll=math.radians(-8), pitch=0.3, yaw=-1.2),
    ],
    ids=["level", "rolled", "turned"],
)
def test_a_wall_is_as_far_as_it_is_through_every_lens_and_from_every_mount(lens, pose):
    camera = CameraModel.of(camera_info(lens))
    forward = pose.matrix[:2, 2] / np.linalg.norm(pose.matrix[:2, 2])
    labels = scene(camera, pose, lambda x, y: x * forward[0] + y * forward[1] >= 6.0)
    result = find(camera, pose, labels)
    hit = np.isfinite(result.ranges)
    assert hit.sum() > 40
    away = result.points() @ forward
    # The nearest of a beam of half a degree: a slanted wall seems a little nearer.
    assert away.max() < 6.1
    assert away.min() > 5.75
    assert abs(np.median(away) - 6.0) < 0.09


def test_free_ground_beyond_the_range_is_inf(camera):
    result = inner(find(camera, LEVEL, scene(camera, LEVEL, beyond_wall(30.0)), max_range=10.0))
    assert (result.ranges == np.inf).all()
    np.testing.assert_allclose(result.free_to, 10.0)
    assert np.isnan(result.sigma).all()
    assert (result.confidence > 0.9).all()


def test_ground_up_to_the_horizon_is_inf(camera):
    result = inner(find(camera, LEVEL, scene(camera, LEVEL, beyond_wall(1e9)), max_range=200.0))
    assert (result.ranges == np.inf).all()


def test_what_is_nearer_than_the_image_shows_is_minus_inf(camera):
    result = find(camera, LEVEL, scene(camera, LEVEL, beyond_wall(0.5)))
    assert (result.ranges == -np.inf).all()
    assert (result.free_to == -np.inf).all()


def test_where_the_view_ends_before_the_range_nothing_is_said(camera):
    steep = Pose.mounted(0, 0, 1.2, pitch=math.radians(60))
    result = find(camera, steep, scene(camera, steep, beyond_wall(1e9)))
    middle = np.abs(result.bearings) < 0.2
    assert np.isnan(result.ranges[middle]).all()
    # The upper edge of the image: 60 - 24.6 degrees below the horizon in the middle.
    top = 1.2 / math.tan(math.radians(60) - math.atan2(234, 505))
    np.testing.assert_allclose(result.free_to[middle], top, rtol=0.05)


def test_where_the_view_begins_beyond_the_range_nothing_is_said(camera):
    ahead = Pose.mounted(2.0, 0.6, 1.3, pitch=0.08)  # at its sides the view begins up to 18 m away
    result = find(camera, ahead, scene(camera, ahead, beyond_wall(1e9)))
    said = ~np.isnan(result.ranges)
    assert (result.seen_from[said] < 15.0).all()
    assert (result.ranges[said] == np.inf).all()
    assert not said.all()
    assert (result.free_to[np.isinf(result.seen_from)] == -np.inf).all()
    high = Pose.mounted(0, 0, 3.0, pitch=-0.3)  # no ground nearer than 20 m
    nothing = find(camera, high, scene(camera, high, beyond_wall(25.0)))
    assert np.isnan(nothing.ranges).all()
    with pytest.raises(PoseError, match=r"^no ground within max_range, 15 m, is in view$"):
        nothing.seen_within(3.0)


def test_bearings_that_are_seen_too_late_can_be_left_out(camera):
    ahead = Pose.mounted(1.2, 0, 1.3, pitch=0.08)
    whole = find(camera, ahead, scene(camera, ahead, beyond_wall(8.0)))
    part = whole.seen_within(4.0)
    late = whole.seen_from > 4.0
    assert 10 < late.sum() < 60
    assert np.isnan(part.ranges[late]).all()
    assert (part.confidence[late] == 0).all()
    np.testing.assert_array_equal(part.ranges[~late], whole.ranges[~late])
    np.testing.assert_array_equal(part.free_to, whole.free_to)
    assert whole.seen_within(math.inf) is whole
    with pytest.raises(PoseError, match=r"within 3 m: the nearest is 3\.[0-9]+ m away"):
        whole.seen_within(3.0)


def test_bearings_are_those_asked_for_and_nan_beside_the_view(camera):
    labels = scene(camera, LEVEL, beyond_wall(5.0))
    result = find(
        camera, LEVEL, labels, angle_min=-math.pi, angle_max=math.pi, angle_increment=math.pi / 180
    )
    assert len(result.bearings) == 361
    assert result.bearings[0] == -math.pi
    seen = np.abs(np.degrees(result.bearings)) < 30
    assert np.isfinite(result.ranges[seen]).all()
    assert np.isnan(result.ranges[np.abs(np.degrees(result.bearings)) > 40]).all()


def test_specks_of_fewer_pixels_than_the_run_are_ground(camera):
    labels = scene(camera, LEVEL, beyond_wall(8.0))
    expected = find(camera, LEVEL, labels, min_run=6).ranges
    specks = np.random.default_rng(0).integers((300, 20), (470, 620), (200, 2))
    for row, column in specks:
        labels[row : row + 2, column : column + 2] = WALL
    np.testing.assert_allclose(find(camera, LEVEL, labels, min_run=6).ranges, expected)
    assert (find(camera, LEVEL, labels, min_run=1).ranges < 0.8 * expected).any()


@pytest.mark.parametrize(("holes", "limit"), [("obstacle", 3.0), ("free", 8.0), ("unknown", None)])
def test_holes_are_what_the_parameter_says(camera, holes, limit):
    labels = scene(camera, LEVEL, beyond_wall(8.0))
    hole = scene(camera, LEVEL, lambda x, y: (x >= 3.0) & (x <= 4.0)) == WALL
    labels[hole & (labels == ROAD)] = UNLABELLED
    result = inner(find(camera, LEVEL, labels, holes=holes))
    away = result.ranges * np.cos(result.bearings)
    if limit is None:
        assert np.isnan(result.ranges).all()
        np.testing.assert_allclose(result.free_to * np.cos(result.bearings), 3.0, rtol=0.03)
    else:
        np.testing.assert_allclose(away, limit, rtol=0.03)


def test_the_robots_own_body_is_no_obstacle(camera):
    labels = scene(camera, LEVEL, beyond_wall(6.0))
    bonnet = np.zeros(labels.shape, bool)
    bonnet[420:, 150:500] = True
    labels[bonnet] = WALL
    assert (find(camera, LEVEL, labels).ranges == -np.inf).any()
    result = inner(find(camera, LEVEL, labels, body=bonnet))
    np.testing.assert_allclose(result.ranges * np.cos(result.bearings), 6.0, rtol=0.02)
    assert result.seen_from.max() > 1.2 * result.seen_from.min()


def test_sigma_grows_with_the_range_and_with_doubt(camera):
    near = find(camera, LEVEL, scene(camera, LEVEL, beyond_wall(4.0)))
    labels = scene(camera, LEVEL, beyond_wall(12.0))
    far = find(camera, LEVEL, labels)
    doubtful = find(camera, LEVEL, labels, confidence=np.full(labels.shape, 150, np.uint8))
    assert np.nanmedian(far.sigma) > 5 * np.nanmedian(near.sigma)
    assert np.nanmedian(doubtful.sigma) > 1.1 * np.nanmedian(far.sigma)
    # A pitch that is off by one sigma moves the range by about its sigma.
    off = Pose.mounted(0, 0, 1.2, pitch=0.15 + math.radians(0.3))
    moved = np.abs(find(camera, off, labels).ranges - far.ranges)
    only_pitch = find(camera, LEVEL, labels, pixel_noise=0.0)
    assert np.nanmedian(moved / only_pitch.sigma) == pytest.approx(1.0, rel=0.15)


def test_a_boundary_lies_between_pixels_where_the_confidence_says(camera):
    labels = scene(camera, LEVEL, beyond_wall(10.0))
    confidence = sure(labels)
    edge = np.argmax(labels == ROAD, axis=0)
    columns = np.arange(camera.width)
    confidence[edge, columns], confidence[edge - 1, columns] = 20, 250
    nearer = find(camera, LEVEL, labels, confidence=confidence)
    confidence[edge, columns], confidence[edge - 1, columns] = 250, 20
    farther = find(camera, LEVEL, labels, confidence=confidence)
    shift = np.nanmedian(farther.ranges - nearer.ranges)
    assert 0.05 < shift < 0.25  # less than the metres of a pixel there


def test_looking_up_is_refused(camera):
    with pytest.raises(PoseError, match="45 degrees up"):
        find(camera, Pose.mounted(0, 0, 1, pitch=-math.radians(45)), np.zeros((480, 640), np.uint8))


@pytest.mark.parametrize("lens", [lens for lens in LENSES if lens != "none"])
@pytest.mark.parametrize("coefficient", [1e30, -1e30, 1e200])
def test_a_lens_that_cannot_be_gives_a_scan_or_a_reason(lens, coefficient):
    d = [coefficient, *camera_info(lens).d[1:]]
    camera = CameraModel.of(camera_info(lens, d=d))
    labels = np.full((480, 640), ROAD, np.uint8)
    try:
        result = find(camera, LEVEL, labels)
    except GeometryError:
        return
    assert not np.isfinite(result.ranges).any()


def test_labels_of_another_size_are_refused(camera):
    with pytest.raises(CalibrationError, match="the images have 64 x 48"):
        find(camera, LEVEL, np.zeros((48, 64), np.uint8))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_range": 5.0, "max_range": 5.0}, "from 5 to 5 m"),
        ({"max_range": math.nan}, "max_range"),
        ({"angle_increment": 0.0}, "angle_increment"),
        ({"angle_min": 0.0}, "go together"),
        ({"angle_min": 1.0, "angle_max": 0.0}, "0 to 360 degrees, not 57.2958 to 0"),
        ({"angle_min": -3.2, "angle_max": 3.2}, "0 to 360 degrees"),
        ({"angle_min": math.inf, "angle_max": math.inf}, "0 to 360 degrees"),
        ({"angle_min": -math.inf, "angle_max": -math.inf}, "0 to 360 degrees"),
        ({"min_run": 0}, "min_run"),
        ({"holes": "maybe"}, "obstacle, free, unknown"),
        ({"pitch_noise": -1.0}, "0 or more"),
    ],
)
def test_options_that_cannot_be(options, words):
    with pytest.raises(GeometryError, match=words):
        FreeSpaceOptions(**options)


def test_some_class_must_be_ground(camera):
    with pytest.raises(GeometryError, match="classes that are ground"):
        FreeSpaceFinder(camera, [])


@given(
    st.integers(0, 2**32 - 1),
    st.floats(-0.5, 0.5),
    st.floats(-0.1, 1.5),
    st.floats(0.1, 3.0),
    st.sampled_from(list(LENSES)),
    st.sampled_from(["obstacle", "free", "unknown"]),
)
def test_any_labels_give_a_scan_that_keeps_its_word(seed, roll, pitch, height, lens, holes):
    rng = np.random.default_rng(seed)
    camera = CameraModel.of(camera_info(lens, width=96, height=72, fx=70.0))
    labels = rng.choice(np.array([ROAD, WALL, UNLABELLED], np.uint8), (9, 12)).repeat(8, 0)
    labels = labels.repeat(8, 1)
    pose = Pose.mounted(0.2, 0.1, height, roll, pitch, 0.3)
    result = find(camera, pose, labels, holes=holes, min_range=0.5, max_range=12.0)
    finite = np.isfinite(result.ranges)
    assert ((result.ranges[finite] >= 0.5) & (result.ranges[finite] < 12.0)).all()
    assert (result.sigma[finite] > 0).all()
    assert ((result.confidence >= 0) & (result.confidence <= 1)).all()
    assert (result.free_to <= 12.0).all()
    np.testing.assert_allclose(result.free_to[finite], result.ranges[finite])


@pytest.mark.parametrize("increment", [0.0087, 0.1, 0.2, 0.35])
@pytest.mark.parametrize("bearing", [0.0044, 0.047, 0.0861])
def test_what_is_thinner_than_a_beam_does_not_fall_between_two_bearings(camera, increment, bearing):
    def post(x, y):  # 4 cm wide at 7 m: a third of a degree
        return ((x >= 7.0) & (np.abs(np.arctan2(y, x) - bearing) < 0.003)) | (x >= 12.0)

    result = find(camera, LEVEL, scene(camera, LEVEL, post), angle_increment=increment)
    middle = result.ranges[np.abs(result.bearings - bearing) < 0.6 * increment]
    np.testing.assert_allclose(middle.min(), 7.0, rtol=0.02)


@pytest.mark.parametrize("increment", [0.02, 0.2])
@pytest.mark.parametrize("last", [0.1, 0.11])
@pytest.mark.parametrize("aside", [-0.4, 0.0, 0.4])
def test_a_single_bearing_has_the_width_of_the_increment(camera, increment, last, aside):
    def post(x, y):  # 4 cm wide at 7 m, within half an increment of the bearing
        off = np.arctan2(y, x) - 0.1 - aside * increment
        return ((x >= 7.0) & (np.abs(off) < 0.003)) | (x >= 12.0)

    options = {"angle_min": 0.1, "angle_max": last, "angle_increment": increment}
    result = find(camera, LEVEL, scene(camera, LEVEL, post), **options)
    np.testing.assert_array_equal(result.bearings, [0.1])
    assert result.increment == increment
    assert result.ranges[0] == pytest.approx(7.0, rel=0.02)


def test_doubtful_ground_ends_free_space_where_the_parameter_says(camera):
    labels = scene(camera, LEVEL, beyond_wall(10.0))
    confidence = sure(labels)
    doubt = scene(camera, LEVEL, beyond_wall(5.0)) == WALL
    confidence[doubt] = 100
    near, far = (
        inner(find(camera, LEVEL, labels, confidence=confidence, ground_confidence=floor))
        for floor in (0.5, 0.3)
    )
    np.testing.assert_allclose(near.ranges * np.cos(near.bearings), 5.0, rtol=0.02)
    np.testing.assert_allclose(far.ranges * np.cos(far.bearings), 10.0, rtol=0.03)


def test_a_large_image_costs_no_more_samples_and_says_the_same():
    small, large = (
        CameraModel.of(camera_info(width=size, height=size * 3 // 4, fx=0.8 * size))
        for size in (640, 1920)
    )
    options = {"angle_min": -0.4, "angle_max": 0.4, "min_run": 3}
    scans = []
    for camera in (small, large):
        finder = FreeSpaceFinder(camera, [ROAD], FreeSpaceOptions(**options))
        labels = scene(camera, LEVEL, beyond_wall(9.0))
        scans.append(finder.find(labels, sure(labels), LEVEL).ranges)
        assert finder.view(LEVEL).ranges.size < 400_000
    np.testing.assert_allclose(scans[0], scans[1], rtol=0.02)
