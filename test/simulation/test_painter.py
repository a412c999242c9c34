"""Painting: things land where they project to, colour and label alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hyperseg_ros.simulation import labels
from hyperseg_ros.simulation.block import Thing
from hyperseg_ros.simulation.buildings import Building
from hyperseg_ros.simulation.camera import Camera, CenterLine
from hyperseg_ros.simulation.cyclist import Cyclist
from hyperseg_ros.simulation.fence import Fence, planks
from hyperseg_ros.simulation.figure import Look
from hyperseg_ros.simulation.fronts import BRITISH, front, plain
from hyperseg_ros.simulation.furniture import Bollard, Lamp, Sign, TrafficLight
from hyperseg_ros.simulation.light import Light
from hyperseg_ros.simulation.painter import Painter, pyramid
from hyperseg_ros.simulation.pedestrian import Pedestrian
from hyperseg_ros.simulation.vegetation import Flora, Hedge, Plant
from hyperseg_ros.simulation.vehicle_body import PROFILES, mesh
from hyperseg_ros.simulation.vehicles import Vehicle

NOTHING = 200  # a label that nothing has


def make_painter() -> Painter:
    line = CenterLine((0.0, 0.0), (80.0, 40.0), (0.0, 0.0))
    camera = Camera(640, 480, 500.0, 500.0, 319.5, 239.5, line, 0.0, 0.0, 1.4, 0.0, 0.0)
    painter = Painter(camera, Light.draw(np.random.default_rng(0)), time=0.0)
    painter.canvas[:] = (10, 20, 30, NOTHING)
    return painter


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def building(side: int) -> Building:
    fronts, gable = front(rng(), 8.0, 7.0, "shop", BRITISH), plain(rng(), 9.0, 7.0, (90, 100, 120))
    colors = ((90.0, 100.0, 120.0), (60.0, 60.0, 70.0))
    return Building(side * 7.0, 20.0, 28.0, 7.0, 9.0, 2.5, *colors, fronts, gable, True)


THINGS: list[tuple[Callable[[], Thing | Building], tuple[float, float, float], int]] = [
    (lambda: building(1), (7.0, 25.0, 3.0), labels.BUILDING),
    (lambda: building(-1), (-7.0, 25.0, 3.0), labels.BUILDING),
    (lambda: building(1), (9.0, 20.0, 3.0), labels.BUILDING),
    (lambda: Lamp(3.0, 15.0, 7.0, 0.25, -1.5, (90, 90, 90)), (3.0, 15.0, 3.0), labels.POLE),
    (lambda: Bollard(2.0, 9.0, 1.0, (40, 40, 40)), (2.0, 9.0, 0.5), labels.POLE),
    (lambda: Bollard(2.0, 12.0, 2.9, (220, 220, 220), True), (2.0, 12.0, 3.1), labels.SIGN),
    (
        lambda: Sign(3.0, 14.0, 2.4, 0.8, "disc", (230, 230, 230), (30, 30, 200), False),
        (3.0, 14.0, 2.4),
        labels.SIGN,
    ),
    (
        lambda: Sign(3.0, 14.0, 2.4, 0.8, "triangle", (230, 230, 230), (30, 30, 200), True),
        (3.0, 14.0, 1.5),
        labels.POLE,
    ),
    (lambda: TrafficLight(3.0, 12.0, 0.0), (3.0, 12.0, 2.95), labels.SIGN),
    (lambda: Fence(4.0, 10.0, 13.0, 1.2, (50, 50, 50), None), (4.0, 11.5, 0.6), labels.FENCE),
    (
        lambda: Fence(-4.0, 10.0, 13.0, 1.2, (50, 50, 50), planks(rng())),
        (-4.0, 11.5, 0.6),
        labels.FENCE,
    ),
    (lambda: Plant(3.0, 20.0, 5.0, 7.0, Flora(rng()).trees[1]), (3.0, 20.0, 4.2), labels.TREE),
    (lambda: Plant(3.0, 12.0, 2.0, 1.5, Flora(rng()).bushes[0]), (3.0, 12.0, 0.5), labels.TREE),
    (lambda: Hedge(4.0, 10.0, 18.0, 1.2, Flora(rng()).hedge), (4.0, 14.0, 0.6), labels.TREE),
    (
        lambda: Pedestrian(2.0, 10.0, 0.4, 1.0, True, Look.draw(rng())),
        (2.0, 10.0, 1.2),
        labels.PEDESTRIAN,
    ),
    (
        lambda: Cyclist(-2.0, 10.0, 1, 1.0, Look.draw(rng()), (30, 30, 200), None, False),
        (-2.05, 10.0, 1.2),
        labels.BICYCLIST,
    ),
    *[
        (
            lambda profile=profile, heading=heading: Vehicle(  # type: ignore[misc]
                2.0, 18.0, heading, profile, (30, 30, 200)
            ),
            (2.0, 18.0, 0.7),
            labels.CAR,
        )
        for profile in PROFILES
        for heading in (1, -1)
    ],
]


@pytest.mark.parametrize(("make", "point", "label"), THINGS)
def test_a_thing_is_labelled_where_it_stands(
    make: Callable[[], Thing | Building], point: tuple[float, float, float], label: int
) -> None:
    painter = make_painter()
    make().paint(painter)
    column, row = np.rint(painter.camera.project(np.array([point]))[0][0]).astype(int)
    assert painter.labels[row, column] == label


@pytest.mark.parametrize(("make", "point", "label"), THINGS)
def test_colour_changes_only_where_the_label_does(
    make: Callable[[], Thing | Building], point: tuple[float, float, float], label: int
) -> None:
    painter = make_painter()
    make().paint(painter)
    touched = painter.labels != NOTHING
    colored = (painter.image != (10, 20, 30)).any(2)
    assert not (colored & ~touched).any()
    # All that is labelled is coloured, but for the gaps between the branches of a bare tree.
    assert (colored & touched).sum() > 0.9 * touched.sum()
    assert label in painter.labels


@pytest.mark.parametrize(("make", "point", "label"), THINGS)
def test_what_is_behind_the_camera_is_not_painted(
    make: Callable[[], Thing | Building], point: tuple[float, float, float], label: int
) -> None:
    painter = make_painter()
    line = painter.camera.line
    passed = Camera(640, 480, 500.0, 500.0, 319.5, 239.5, line, 0.0, 60.0, 1.4, 0.0, 0.0)
    painter.camera = passed
    make().paint(painter)
    assert (painter.labels == NOTHING).all()


def test_a_car_that_is_partly_behind_the_camera_is_clipped() -> None:
    painter = make_painter()
    Vehicle(1.9, 1.0, 1, PROFILES[0], (30, 30, 200)).paint(painter)
    seen = painter.labels == labels.CAR
    assert seen[:, 400:].any()
    assert not seen[:, :320].any()


def test_a_car_has_the_size_of_its_profile() -> None:
    painter = make_painter()
    profile = PROFILES[0]
    Vehicle(0.0, 30.0, 1, profile, (30, 30, 200)).paint(painter)
    columns = np.flatnonzero((painter.labels == labels.CAR).any(0))
    rear = 30.0 + profile.body[1][0]
    assert np.ptp(columns) == pytest.approx(500 * profile.width / rear, abs=3)


@pytest.mark.parametrize("profile", PROFILES)
def test_meshes_face_outward(profile: object) -> None:
    body = mesh(profile)  # type: ignore[arg-type]
    middle = np.array([0.0, 0.0, (body.vertices[:, 2].max() + body.vertices[:, 2].min()) / 2])
    facing = ((body.centers - middle) * body.normals).sum(1)
    lengths = np.linalg.norm(body.normals, axis=1)
    np.testing.assert_allclose(lengths, 1.0, atol=0.01)
    # The bonnet of a tall body lies below its middle; all else faces away from it.
    assert (facing > -0.6).all()
    assert (facing > 0).mean() > 0.9
    assert body.vertices[:, 2].min() >= 0.0


def test_nearer_things_cover_farther_ones() -> None:
    painter = make_painter()
    building(1).paint(painter)
    Vehicle(4.0, 11.0, 1, PROFILES[3], (30, 30, 200)).paint(painter)
    column, row = np.rint(painter.camera.project(np.array([[4.0, 11.0, 1.0]]))[0][0]).astype(int)
    assert painter.labels[row, column] == labels.CAR


def test_thin_far_poles_are_left_out() -> None:
    painter = make_painter()
    Lamp(3.0, 120.0, 7.0, 0.2, -1.5, (90, 90, 90)).paint(painter)  # 0.8 pixels wide
    assert (painter.labels == NOTHING).all()


def test_haze_draws_colours_together_with_distance() -> None:
    painter = make_painter()
    black, white = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
    contrast = [
        painter.hazed(white, depth)[0] - painter.hazed(black, depth)[0] for depth in (1, 50, 500)
    ]
    assert contrast[0] > contrast[1] > contrast[2] > 0


def test_pyramid_halves_down_to_four_pixels() -> None:
    levels = pyramid(np.zeros((64, 20, 3), np.uint8))
    assert [level.shape[:2] for level in levels] == [(64, 20), (32, 10), (16, 5)]
