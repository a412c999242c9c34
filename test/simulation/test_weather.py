"""Weathers, towns and varied cameras: the same street, and labels that stay exact."""

from __future__ import annotations

import numpy as np
import pytest

from hyperseg_ros.simulation import Mount, StreetCamera, varied_camera, wet
from hyperseg_ros.simulation.fronts import STYLES
from hyperseg_ros.simulation.labels import BUILDING, ROAD
from hyperseg_ros.simulation.light import WEATHERS
from hyperseg_ros.simulation.painter import Painter

SIZE = (160, 120)


@pytest.mark.parametrize("weather", WEATHERS)
def test_the_weather_changes_the_light_and_not_the_labels(weather: str) -> None:
    plain, other = (
        StreetCamera(3, *SIZE).frame(40),
        StreetCamera(3, *SIZE, weather=weather).frame(40),
    )
    np.testing.assert_array_equal(other.labels, plain.labels)
    assert np.abs(other.image.astype(int) - plain.image).mean() > 2


def test_nightfall_is_dark_and_grainy() -> None:
    day, night = (
        [StreetCamera(seed, *SIZE, weather=weather).frame(40).image for seed in range(6)]
        for weather in ("overcast", "nightfall")
    )
    assert np.mean(night) < 0.45 * np.mean(day)

    def grain(image: np.ndarray) -> float:
        rows = image.astype(float)
        return float(np.median(np.abs(rows[:, 1:] - rows[:, :-1])) / rows.mean())

    assert np.median([grain(i) for i in night]) > 2 * np.median([grain(i) for i in day])


def sun_in_the_picture(street: StreetCamera) -> tuple[int, int] | None:
    """Column and row of the sun, where it is in the picture's upper part."""
    camera = street.camera(40)
    right, down, forward = camera.axes @ street.world.light.sun
    column = round(camera.cx + camera.fx * right / forward)
    row = round(camera.cy + camera.fy * down / forward)
    return (column, row) if 5 < column < SIZE[0] - 5 and 5 < row < 60 else None


def test_a_low_sun_dazzles_where_it_stands() -> None:
    dazzled = 0
    for seed in range(8):
        street = StreetCamera(seed, *SIZE, weather="low sun")
        place = sun_in_the_picture(street)
        if place is not None:
            column, row = place
            image = street.frame(40).image
            spot = image[row - 2 : row + 3, column - 2 : column + 3].mean()
            assert spot > max(150, 1.3 * image[-30:].mean())
            dazzled += 1
    assert dazzled >= 3


def test_what_the_road_mirrors_is_the_street_upside_down() -> None:
    camera = StreetCamera(3, *SIZE).camera(40)
    points = np.array([(1.5, camera.y + 9.0, 0.7), (-4.0, camera.y + 30.0, 5.0)])
    below, _ = camera.project(points * (1, 1, -1))
    mirrored, _ = wet.below_ground(camera).project(points)
    np.testing.assert_allclose(mirrored[:, 0], below[:, 0], atol=1e-9)
    np.testing.assert_allclose(SIZE[1] - 1 - mirrored[:, 1], below[:, 1], atol=1e-9)


def test_a_wet_road_is_bright_under_what_is_bright() -> None:
    street = StreetCamera(3, *SIZE, mount=Mount(1.3))
    painter = Painter(street.camera(40), street.world.light, 0.0)
    painter.canvas[:] = (90, 90, 90, ROAD)
    painter.canvas[100:, :, 3] = BUILDING
    seen = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    seen[:, 80:] = 250
    wet.mirror(painter, seen, 0.8)
    horizon = int(painter.camera.horizon)
    under_dark, under_bright = (
        painter.image[horizon + 8 : 100, part].mean() for part in (slice(70), slice(90, 160))
    )
    assert under_dark < 65
    assert under_bright > under_dark + 40
    assert (painter.image[: horizon - 1] == 90).all()
    assert (painter.image[100:] == 90).all()


def test_other_towns_have_other_fronts() -> None:
    colors = {}
    for style in STYLES:
        frame = StreetCamera(8, *SIZE, style=style).frame(40)
        colors[style] = frame.image[frame.labels == BUILDING].mean(axis=0)
        np.testing.assert_array_equal(frame.labels, StreetCamera(8, *SIZE).frame(40).labels)
    means = list(colors.values())
    assert min(np.abs(a - b).max() for i, a in enumerate(means) for b in means[:i]) > 1


def test_varied_cameras_differ_and_repeat() -> None:
    cameras = [varied_camera(seed, *SIZE) for seed in range(30)]
    heights = [camera.mount.height for camera in cameras]
    rolls = [abs(np.degrees(camera.mount.roll)) for camera in cameras]
    assert min(heights) < 0.9
    assert max(heights) > 1.8
    assert 0.4 < np.mean([roll > 0 for roll in rolls]) < 0.9
    assert max(rolls) <= 15
    assert {camera.lens.model for camera in cameras if camera.lens} == {"equidistant", "plumb_bob"}
    again = varied_camera(4, *SIZE).frame(9)
    np.testing.assert_array_equal(again.image, cameras[4].frame(9).image)
    np.testing.assert_array_equal(again.labels, cameras[4].frame(9).labels)


@pytest.mark.parametrize("seed", range(15))
def test_every_varied_camera_can_be_drawn(seed: int) -> None:
    frame = varied_camera(seed + 1000, 64, 48).frame(5)
    assert frame.image.shape == (48, 64, 3)


def test_names_that_are_unknown() -> None:
    with pytest.raises(ValueError, match="no weather 'snow': there are overcast, sunny"):
        StreetCamera(0, *SIZE, weather="snow")
    with pytest.raises(ValueError, match="no style 'gothic' of buildings: there are british"):
        StreetCamera(0, *SIZE, style="gothic")
