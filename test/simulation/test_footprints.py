"""Where vehicles stand, against the street's plan."""

from __future__ import annotations

import math

import numpy as np

from hyperseg_ros.simulation import StreetCamera
from hyperseg_ros.simulation.footprints import nearest
from hyperseg_ros.simulation.labels import CAR
from hyperseg_ros.simulation.vehicle_body import HATCHBACK
from hyperseg_ros.simulation.vehicles import Vehicle


def test_a_car_straight_ahead_is_as_far_as_its_rear_and_as_wide_as_it_is() -> None:
    street = StreetCamera(seed=3, width=64, height=48)
    camera = street.camera(0)
    forward = camera.axes[2, :2] / np.linalg.norm(camera.axes[2, :2])
    middle = camera.center[:2] + forward * (10 + HATCHBACK.length / 2)
    x, y = middle[0] - float(camera.line.offset(middle[1])), middle[1]
    car = Vehicle(float(x), float(y), 1, HATCHBACK, (0.0, 0.0, 0.0))
    bearings = np.radians(np.arange(-20, 20.01, 0.05))
    found = nearest(camera, [car], bearings)
    assert abs(found[len(found) // 2] - 10) < 0.1
    seen = bearings[np.isfinite(found)]
    assert abs(math.tan(seen[-1]) - math.tan(seen[0]) - HATCHBACK.width / 10) < 0.06
    assert np.isinf(nearest(camera, [], bearings)).all()


def test_a_vehicle_is_nearer_than_the_ground_it_hides() -> None:
    bearings = np.radians(np.arange(-25, 25.1, 0.5))
    gaps = []
    for seed in range(6):
        street = StreetCamera(seed=seed, width=320, height=240)
        hidden = street.free_space(7, bearings, 15.0, beam=math.radians(0.5))
        outline = street.vehicles(7, bearings, beam=math.radians(0.5))
        cars = hidden.labels == CAR
        gaps.append(hidden.ranges[cars] / outline[cars])
    gap = np.concatenate(gaps)
    assert len(gap) > 50
    assert np.isfinite(gap).mean() > 0.9
    # Wheels touch the ground; under a bumper 0.35 m high, ground is seen 40 % farther at most.
    assert 0.97 < np.percentile(gap, 5) < 1.1
    assert 1.1 < np.percentile(gap, 95) < 1.5
