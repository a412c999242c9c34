"""The truth about free space, against the street's plan and against geometry's own reading."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from hyperseg_ros.classes import CAMVID, UNLABELLED
from hyperseg_ros.geometry import CameraModel, FreeSpaceFinder, FreeSpaceOptions, Pose
from hyperseg_ros.geometry.lens import make_lens
from hyperseg_ros.simulation import Lens, Mount, StreetCamera
from hyperseg_ros.simulation.labels import CAR
from hyperseg_ros.simulation.vehicles import Vehicle

STEP = math.radians(0.5)
BEARINGS = np.arange(-40, 41) * STEP


def test_a_followed_car_is_as_far_ahead_as_the_plan_has_it() -> None:
    found = 0
    for seed in range(20):
        street = StreetCamera(seed=seed, width=320, height=240)
        camera, world = street.camera(0), street.world
        cars = [thing for thing in world.moving(0.0) if isinstance(thing, Vehicle)]
        for car in (car for car in cars if car.heading == 1):
            rear = np.array([[car.x, car.y - car.profile.length / 2, 0.0]])
            right, _, forward = camera.to_camera(rear)[0]
            gap = math.hypot(right, forward)
            if gap > 20:
                continue
            bearing = street.mount.yaw - math.atan2(right, forward)
            result = street.free_space(0, bearing + np.linspace(-0.05, 0.05, 11), 40.0, beam=0.01)
            seen = result.ranges[result.labels == CAR]
            if len(seen) < 6:
                continue  # something stands before it
            # Under its bumper, up to 0.36 m high, the ground is seen farther.
            assert gap - 0.4 < seen.min() < gap * camera.z / (camera.z - 0.36) + 0.3
            found += 1
    assert found >= 3


@pytest.mark.parametrize(
    ("mount", "lens", "tolerance"),
    [
        (None, None, 0.01),
        (Mount(0.5, math.radians(-6), 0.1, 0.2), None, 0.04),
        (Mount(1.4, math.radians(10), 0.1), Lens("equidistant", (-0.01, 0.002), 380.0), 0.03),
        (Mount(1.4), Lens("plumb_bob", (-0.25, 0.06, 0.001, -0.0005, 0.0)), 0.02),
    ],
    ids=["default", "low", "fisheye", "barrel"],
)
def test_exact_labels_and_pose_give_the_truth_through_every_lens(mount, lens, tolerance) -> None:
    if lens is not None and lens.model == "equidistant":
        lens = Lens(lens.model, (*lens.coefficients, 0.0, 0.0), lens.focal)
    streets = [StreetCamera(seed, mount=mount, lens=lens) for seed in (500_000, 500_002, 500_009)]
    optics = make_lens(lens.model, lens.coefficients) if lens else make_lens("none", ())
    options = FreeSpaceOptions(
        min_run=1, ground_confidence=0.0, angle_min=BEARINGS[0], angle_max=BEARINGS[-1]
    )
    errors, agree = [], []
    for street, index in itertools.product(streets, (4, 101)):
        k = street.intrinsics
        camera = CameraModel(street.width, street.height, k.fx, k.fy, k.cx, k.cy, optics)
        finder = FreeSpaceFinder(camera, CAMVID.ground_ids, options)
        frame, pose = street.frame(index), street.pose(index)
        sure = np.full_like(frame.labels, 254)
        mounted = Pose.mounted(0, 0, pose.height, pose.roll, pose.pitch, pose.yaw)
        found = finder.find(frame.labels, sure, mounted).ranges
        truth = street.free_space(index, BEARINGS, options.max_range, beam=STEP).ranges
        both = np.isfinite(found) & np.isfinite(truth)
        errors.append(np.abs(found[both] - truth[both]) / truth[both])
        said = ~np.isnan(found) & (found > -np.inf)
        agree.append((np.isfinite(found) == np.isfinite(truth))[said])
    error = np.concatenate(errors)
    assert len(error) > 25
    assert np.median(error) < tolerance
    assert np.percentile(error, 90) < 3 * tolerance
    assert np.concatenate(agree).mean() > 0.9


def test_a_beam_has_the_nearest_of_its_lines_and_beyond_the_range_is_inf() -> None:
    street = StreetCamera(seed=2, width=320, height=240)
    lines = street.free_space(10, BEARINGS, 100.0).ranges
    beams = street.free_space(10, BEARINGS, 100.0, beam=STEP).ranges
    assert (beams <= lines + 0.3).mean() > 0.95
    near = street.free_space(10, BEARINGS, 6.0)
    assert ((near.ranges <= 6.0) | (near.ranges == np.inf)).all()
    assert (near.labels[near.ranges == np.inf] == UNLABELLED).all()
    assert not np.isin(near.labels, CAMVID.ground_ids).any()


def test_the_picture_does_not_matter() -> None:
    """Less resolution and no view of the near ground change little."""
    mount = Mount(1.4)
    fine = StreetCamera(seed=8, width=640, height=480, mount=mount).free_space(12, BEARINGS, 15.0)
    flat = StreetCamera(seed=8, width=640, height=60, mount=mount).free_space(12, BEARINGS, 15.0)
    both = np.isfinite(fine.ranges) & np.isfinite(flat.ranges)
    assert both.sum() > 10
    np.testing.assert_allclose(np.median(fine.ranges[both] / flat.ranges[both]), 1.0, atol=0.01)


def test_bearings_too_far_aside_are_refused() -> None:
    street = StreetCamera(width=64, height=48)
    with pytest.raises(ValueError, match="within 65 degrees"):
        street.free_space(0, [1.4])
    with pytest.raises(ValueError, match="frame index is -1"):
        street.free_space(-1, [0.0])
