"""Images that need a parameter: the node says which, and is right once it is set."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from ros_graph import image_message, pixels_of
from sensor_msgs.msg import CompressedImage, Image

import models
from hyperseg_ros.classes import CAMVID


def ramp(header, highest: int) -> Image:
    """A mono16 image of a sensor with fewer bits."""
    values = np.tile(np.linspace(0, highest, 64).astype("<u2"), (48, 1))
    return Image(
        header=header, height=48, width=64, encoding="mono16", step=128, data=values.tobytes()
    )


def test_a_sensor_of_12_bits_is_a_warning_until_its_range_is_set(graph):
    process = graph.start(overlay_opacity=0.0)
    overlays = graph.listen(graph.topic("segmentation/overlay"))
    camera = graph.talk(graph.topic("image_raw"))
    dark = pixels_of(graph.answer(camera, ramp(graph.header(), 4095), overlays))
    assert dark.max() == 16
    camera.publish(ramp(graph.header(), 4095))
    graph.wait(lambda: "set range_16bit to what the sensor gives" in process.said(), "the warning")

    assert graph.set_parameters(range_16bit=[0, 4095]) == [""]
    bright = pixels_of(graph.answer(camera, ramp(graph.header(), 4095), overlays))
    assert (bright.min(), bright.max()) == (0, 255)
    (reason,) = graph.set_parameters(range_16bit=[9, 9])
    assert "range_16bit [9, 9]: it must be [black, white]" in reason


def test_the_warning_is_on_diagnostics(graph):
    graph.start()
    graph.listen(graph.topic("segmentation/label"))
    camera = graph.talk(graph.topic("image_raw"))

    def warned() -> bool:
        camera.publish(ramp(graph.header(), 1023))
        status, _ = graph.diagnose(graph.topic("image_raw"))
        return status.level == status.WARN and "such as [0, 1023]" in status.message

    graph.wait(warned, "the warning")


def test_a_compressed_bayer_image_is_segmented_in_colour(graph):
    topic = graph.topic("image_raw/compressed")
    graph.start(image_topics=[topic])
    labels = graph.listen(graph.topic("segmentation/label"))
    camera = graph.talk(topic, CompressedImage)
    red = np.zeros((48, 64), np.uint8)
    red[::2, ::2] = 255  # rggb
    png = cv2.imencode(".png", red)[1].tobytes()
    message = CompressedImage(
        header=graph.header(), format="bayer_rggb8; png compressed ", data=png
    )
    inner = pixels_of(graph.answer(camera, message, labels))[4:-4, 4:-4]
    (expected,) = models.expected(np.array([[0, 0, 255]], np.uint8), CAMVID)[0]
    assert (inner == expected).all()


def test_an_image_beyond_max_pixels_is_refused_and_the_next_segmented(graph):
    graph.start(max_pixels=48 * 64)
    labels = graph.listen(graph.topic("segmentation/label"))
    camera = graph.talk(graph.topic("image_raw"))
    camera.publish(image_message(graph.header(), size=(96, 128)))
    graph.wait_for_bad(1)
    graph.answer(camera, image_message(graph.header()), labels)
    _, values = graph.diagnose(graph.topic("image_raw"))
    assert "128 x 96 pixels is larger than max_pixels, 3072" in values["last error"]


@pytest.mark.parametrize("rate", [0.001, -1.0, 1e9])
def test_rates_that_cannot_be_are_refused(graph, rate):
    graph.start()
    (reason,) = graph.set_parameters(max_rate=rate)
    assert "max_rate" in reason
    assert graph.set_parameters(max_rate=0.01) == [""]
