"""The parameter temporal_filter over DDS: a doubtful flicker is held, and is not without it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from ros_graph import pixels_of
from sensor_msgs.msg import Image
from std_msgs.msg import Header

import models
from hyperseg_ros.classes import CAMVID, UNLABELLED
from hyperseg_ros.node.conversions import to_image

HEIGHT, WIDTH = 96, 128
ROAD = CAMVID.index("road")


def doubtful() -> tuple[np.ndarray, int]:
    """A colour as bright as road that the model takes for another class, doubtfully; its id."""
    road = np.array(CAMVID.colors[ROAD][::-1], np.uint8)
    colors = np.random.default_rng(0).integers(0, 256, (20000, 3), np.uint8)
    labels, confidence = models.expected(colors)
    grey = cv2.cvtColor(np.vstack([road[None], colors])[None], cv2.COLOR_BGR2GRAY)[0].astype(int)
    alike = np.abs(grey[1:] - grey[0]) <= 2
    index = np.flatnonzero(alike & (labels != ROAD) & (confidence < 150))[0]
    return colors[index], int(labels[index])


def at_15_hz(index: int, image: np.ndarray) -> Image:
    header = Header(frame_id=f"frame {index}")
    header.stamp.sec, header.stamp.nanosec = 100, 66_000_000 * index
    return to_image(header, image, "bgr8")


@pytest.mark.parametrize("kept", [0.0, 0.7])
def test_a_doubtful_flicker_is_held_only_by_the_filter(graph, tmp_path, kept):
    model = models.write_palette_model(tmp_path / "p.onnx", input_size=(HEIGHT, WIDTH))
    graph.start(model=str(model), temporal_filter=kept)
    labels = graph.listen(graph.topic("segmentation/label"))
    camera = graph.talk(graph.topic("image_raw"))
    color, other = doubtful()
    road = np.full((HEIGHT, WIDTH, 3), CAMVID.colors[ROAD][::-1], np.uint8)
    flicker = road.copy()
    flicker[40:56, 60:76] = color
    answers = [
        pixels_of(graph.answer(camera, at_15_hz(index, image), labels))
        for index, image in enumerate((road, road, road, flicker, road))
    ]
    for index in (0, 1, 2, 4):
        assert (answers[index] == ROAD).all()
    block = answers[3][40:56, 60:76]
    assert (block == (ROAD if kept else other)).all()
    assert UNLABELLED not in answers[3]


def test_a_region_that_moves_resets_the_filter(graph, tmp_path):
    model = models.write_palette_model(tmp_path / "p.onnx", input_size=(HEIGHT, WIDTH))
    region = "regions_of_interest.default"
    left, right = ([x, 0, WIDTH // 2, HEIGHT] for x in (0, WIDTH // 2))
    graph.start(model=str(model), temporal_filter=0.7, **{region: left})
    labels = graph.listen(graph.topic("segmentation/label"))
    camera = graph.talk(graph.topic("image_raw"))
    color, other = doubtful()
    image = np.full((HEIGHT, WIDTH, 3), CAMVID.colors[ROAD][::-1], np.uint8)
    for index in range(4):
        graph.answer(camera, at_15_hz(index, image), labels)
    image[:] = color
    held = pixels_of(graph.answer(camera, at_15_hz(4, image), labels))
    assert (held[:, : WIDTH // 2] == ROAD).all()
    assert graph.set_parameters(**{region: right}) == [""]
    moved = pixels_of(graph.answer(camera, at_15_hz(5, image), labels))
    assert (moved[:, WIDTH // 2 :] == other).all()


def test_images_of_another_size_reset_the_filter_though_the_region_stays(graph, tmp_path):
    model = models.write_palette_model(tmp_path / "p.onnx", input_size=(HEIGHT, WIDTH))
    region = {"regions_of_interest.default": [0, 0, WIDTH, HEIGHT]}
    graph.start(model=str(model), temporal_filter=0.7, **region)
    labels = graph.listen(graph.topic("segmentation/label"))
    camera = graph.talk(graph.topic("image_raw"))
    color, other = doubtful()
    large = np.full((2 * HEIGHT, 2 * WIDTH, 3), CAMVID.colors[ROAD][::-1], np.uint8)
    for index in range(4):
        graph.answer(camera, at_15_hz(index, large), labels)
    large[:] = color
    held = pixels_of(graph.answer(camera, at_15_hz(4, large), labels))
    assert (held[:HEIGHT, :WIDTH] == ROAD).all()
    small = large[:HEIGHT, :WIDTH].copy()
    assert (pixels_of(graph.answer(camera, at_15_hz(5, small), labels)) == other).all()
