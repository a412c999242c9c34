"""The viewer beside a running segmentation node, over DDS."""

from __future__ import annotations

import math
import signal
import socket
import time
from typing import Any

import cv2
import numpy as np
import pytest
from page_client import deaf_page, decode
from rclpy.qos import ReliabilityPolicy, qos_profile_sensor_data
from ros_graph import RELIABLE, Graph, driving, image_message, pixels_of
from sensor_msgs.msg import CompressedImage, Image, LaserScan
from std_msgs.msg import String

from hyperseg_ros.node.conversions import to_image
from hyperseg_ros.viewer.page_connection import IN_FLIGHT


@pytest.fixture
def image_topic(graph: Graph) -> str:
    return graph.topic("image_raw")


@pytest.fixture
def viewer(graph, start_viewer, image_topic):
    return start_viewer(image_topics=[image_topic], max_rate=100.0)


def stamp_of(message: Image) -> list[int]:
    return [message.header.stamp.sec, message.header.stamp.nanosec]


def test_a_page_gets_the_image_and_the_label_as_they_were_published(
    graph, viewer, open_page, image_topic
):
    with graph.segmentation():
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(image_topic)
        page = open_page(viewer, image_topic)
        graph.wait(lambda: camera.get_subscription_count() == 2, "the viewer's subscription")
        graph.wait(
            lambda: graph.node.count_subscribers(graph.topic("segmentation/label")) == 2, "the same"
        )
        message = image_message(graph.header(), seed=3)
        label = graph.answer(camera, message, labels)

        def shown():
            camera.publish(message)  # again, until the node's publisher knows of the viewer
            graph.settle(0.5)
            return page.labels()

        graph.wait(shown, "a picture with labels")

        header, (jpeg, png) = [picture for picture in page.pictures if picture[1][1]][-1]
        assert header["stamp"] == stamp_of(message)
        assert header["camera"] == image_topic
        published = pixels_of(label)
        np.testing.assert_array_equal(decode(png), published)
        assert decode(jpeg).shape == (48, 64, 3)
        counts = np.bincount(published.ravel())
        shares = {str(index): count / published.size for index, count in enumerate(counts) if count}
        assert header["shares"] == pytest.approx(shares)

        page.send({"type": "image", "frame": header["frame"]})
        graph.wait(lambda: page.images, "the image")
        np.testing.assert_array_equal(decode(page.images[0][1][0]), pixels_of(message))


def test_the_page_knows_the_classes_the_health_and_the_pace(graph, viewer, open_page, image_topic):
    with graph.segmentation(**{"palette.road": [255, 0, 0]}):
        camera = graph.talk(image_topic)
        page = open_page(viewer, image_topic)

        def stamped_now() -> Image:
            message = image_message(graph.header())
            message.header.stamp = graph.node.get_clock().now().to_msg()
            return message

        def known() -> dict[str, Any] | None:
            state = page.state.get(image_topic, {})
            complete = (
                state.get("classes") and state["latency_ms"] and len(state["diagnostics"]) > 1
            )
            settled = complete and state["rate"] > 3 and not state["notes"]
            return state if settled else None

        with driving(camera, stamped_now):
            state = graph.wait(known, "the state of everything")
    assert [name for _, name, _ in state["classes"]][:4] == ["sky", "building", "pole", "road"]
    assert state["classes"][3][2] == [255, 0, 0]
    assert state["classes"][0][2] == [128, 128, 128]
    assert 0 < state["latency_ms"] < 10_000
    assert state["rate"] <= 100  # frames that were held up may arrive in a burst
    model, health = state["diagnostics"]
    assert (model["name"], model["level"]) == ("model", 0)
    assert ["model", "nearest-colour"] in model["values"]
    assert health["name"] == image_topic


def test_cameras_are_found_by_themselves(graph, start_viewer, open_page, image_topic):
    viewer = start_viewer()
    page = open_page(viewer)
    graph.wait(lambda: any(text["type"] == "state" for text in page.texts), "the first state")
    assert page.state == {}
    other = f"{graph.namespace}/rear/picture"
    with graph.segmentation(image_topics=[image_topic, other]):
        graph.wait(lambda: {image_topic, other} <= set(page.state), "the cameras")


def test_it_subscribes_only_while_somebody_looks(graph, viewer, open_page, image_topic):
    label, diagnostics = graph.topic("segmentation/label"), "/diagnostics"

    def subscriptions() -> tuple[int, ...]:
        return tuple(map(subscribed, (image_topic, label, diagnostics)))

    def subscribed(topic: str) -> int:
        ends = graph.node.get_subscriptions_info_by_topic(topic)
        viewer = (graph.namespace, "viewer")
        return sum((end.node_namespace, end.node_name) == viewer for end in ends)

    for topic in (image_topic, label):
        graph.node.create_publisher(Image, topic, RELIABLE)
    graph.settle(1)
    assert subscriptions() == (0, 0, 0)
    first = open_page(viewer)
    graph.wait(lambda: subscriptions() == (0, 0, 1), "the subscription to diagnostics")
    second = open_page(viewer, image_topic)
    graph.wait(lambda: subscriptions() == (1, 1, 1), "the subscriptions of the camera")
    first.send({"type": "watch", "camera": image_topic})
    first.send({"type": "image", "frame": 0})
    graph.wait(first.errors, "the answer, for which the viewer has read what came before it")
    second.close()
    graph.settle(1)
    assert subscriptions() == (1, 1, 1)
    first.send({"type": "watch", "camera": None})  # as a page does that is hidden
    graph.wait(lambda: subscriptions() == (0, 0, 1), "their end")
    first.vanish()
    graph.wait(lambda: subscriptions() == (0, 0, 0), "the end of the last")


def test_free_space_is_subscribed_to_and_sent_only_where_a_page_shows_it(
    graph, viewer, open_page, image_topic
):
    topic = graph.topic("segmentation/free_space/scan")
    camera = graph.node.create_publisher(Image, image_topic, RELIABLE)
    publisher = graph.node.create_publisher(LaserScan, topic, RELIABLE)
    page = open_page(viewer, image_topic)
    graph.wait(camera.get_subscription_count, "the viewer")
    scan = LaserScan(angle_increment=0.1, range_max=15.0, ranges=[4.0, math.inf])

    def scans() -> list[dict[str, Any]]:
        return [text for text in page.texts if text["type"] == "scan"]

    with driving(publisher, lambda: scan):
        graph.wait(lambda: page.state.get(image_topic, {}).get("watched"), "the camera")
        assert publisher.get_subscription_count() == 0
        page.send({"type": "watch", "camera": image_topic, "scan": True})
        graph.wait(scans, "free space")
        assert scans()[-1]["ranges"] == [4.0, -1]
        page.send({"type": "watch", "camera": image_topic})
        graph.wait(lambda: not publisher.get_subscription_count(), "the end of it")
    page.send({"type": "watch", "camera": image_topic, "scan": True})
    graph.wait(lambda: f"Nothing comes on {topic}" in page.notes(image_topic), "the note")


def test_a_page_that_does_not_draw_gets_the_newest_when_it_does(
    graph, viewer, open_page, image_topic
):
    camera = graph.node.create_publisher(Image, image_topic, RELIABLE)
    page = open_page(viewer, image_topic, pace=None)
    graph.wait(camera.get_subscription_count, "the viewer")
    with driving(camera, lambda: image_message(graph.header())) as published:
        graph.wait(lambda: len(page.pictures) == IN_FLIGHT, "the first pictures")
        other = open_page(viewer, image_topic)
        graph.wait(lambda: len(other.pictures) > 20, "pictures for a page that draws")
    newest = stamp_of(published[-1])
    graph.wait(lambda: other.stamps()[-1] == newest, "the newest")
    assert len(page.pictures) == IN_FLIGHT
    page.send({"type": "drawn", "frame": page.pictures[-1][0]["frame"]})
    graph.wait(lambda: len(page.pictures) > IN_FLIGHT, "the next picture")
    assert page.stamps()[IN_FLIGHT:] == [newest]


def test_two_pages_of_different_speed_both_get_fresh_pictures(
    graph, viewer, open_page, image_topic
):
    with graph.segmentation():
        camera = graph.talk(image_topic)
        fast = open_page(viewer, image_topic)
        slow = open_page(viewer, image_topic, pace=None)
        with driving(camera, lambda: image_message(graph.header())) as published:
            graph.wait(lambda: len(slow.pictures) == IN_FLIGHT, "pictures for the slow page")
            for drawn in range(1, 5):
                seen = len(fast.labels())
                graph.wait(lambda seen=seen: len(fast.labels()) > seen + 5, "the fast page's")
                # In the meantime the slow one has got nothing; now it gets what is fresh.
                assert len(slow.pictures) == IN_FLIGHT + drawn - 1
                before = fast.stamps()[-5]
                slow.send({"type": "drawn", "frame": slow.pictures[drawn - 1][0]["frame"]})
                graph.wait(
                    lambda drawn=drawn: len(slow.pictures) == IN_FLIGHT + drawn, "the slow page's"
                )
                assert slow.stamps()[-1] >= before
        last = stamp_of(published[-1])
        graph.wait(lambda: fast.stamps()[-1] == last, "the last picture on the fast page")
        slow.send({"type": "drawn", "frame": slow.pictures[-1][0]["frame"]})
        graph.wait(lambda: slow.stamps()[-1] == last, "the last picture on the slow page")
    for page in (fast, slow):
        # An image that was shown alone, before the first labels came, may be newer than these.
        stamps = [header["stamp"] for header, (_, png) in page.pictures if png]
        assert stamps == sorted(stamps)
        numbers = [header["frame"] for header, _ in page.pictures]
        assert numbers == sorted(set(numbers))


def test_a_page_that_reads_nothing_harms_no_other(graph, viewer, open_page, image_topic):
    camera = graph.node.create_publisher(Image, image_topic, RELIABLE)
    good = open_page(viewer, image_topic)
    graph.wait(camera.get_subscription_count, "the viewer")
    with deaf_page(viewer.port) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        text = f'{{"type":"watch","camera":"{image_topic}"}}'.encode()
        deaf.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
        drawn = b'{"type":"drawn","frame":999999}'
        size = (120, 160)
        with driving(camera, lambda: image_message(graph.header(), size=size)):
            for _ in range(30):
                deaf.sendall(bytes([0x81, 0x80 | len(drawn), 0, 0, 0, 0]) + drawn)
                graph.settle(0.05)
            before = len(good.pictures)
            graph.wait(lambda: len(good.pictures) > before + 10, "pictures for the other page")


def test_the_segmentation_node_may_go_and_come_back(graph, viewer, open_page, image_topic):
    label = graph.topic("segmentation/label")
    page = open_page(viewer, image_topic)
    missing = f"Waiting for a segmentation node: nobody publishes {label}."
    graph.wait(lambda: missing in page.notes(image_topic), "the note")
    camera = graph.node.create_publisher(Image, image_topic, RELIABLE)
    with driving(camera, lambda: image_message(graph.header())):
        graph.wait(lambda: page.pictures, "images alone")
        assert page.labels() == []
        for _ in range(2):
            with graph.segmentation():
                page.pictures.clear()
                graph.wait(lambda: len(page.labels()) > 5, "labels")
                graph.wait(lambda: page.notes(image_topic) == "", "no note")
            graph.wait(lambda: missing in page.notes(image_topic), "the note again")
            page.pictures.clear()

            def alone() -> bool:
                """Whether the newest pictures have no labels; those on their way have come."""
                newest = page.pictures[-5:]
                return len(newest) == 5 and not any(png for _, (_, png) in newest)

            graph.wait(alone, "images alone again")
    graph.wait(lambda: missing in viewer.said(), "the line in the log")
    assert viewer.said().count(missing) == 1


def test_a_camera_that_never_comes_is_said(graph, viewer, open_page, image_topic):
    page = open_page(viewer, image_topic)
    missing = f"Waiting for the camera: nobody publishes {image_topic}."
    graph.wait(lambda: missing in page.notes(image_topic), "the note")
    graph.wait(lambda: missing in viewer.said(), "the line in the log")
    graph.node.create_publisher(Image, image_topic, RELIABLE)
    graph.wait(lambda: "Nothing comes on" in page.notes(image_topic), "the other note")


def test_an_image_that_cannot_be_shown_is_said_and_the_next_one_is_shown(
    graph, viewer, open_page, image_topic
):
    camera = graph.node.create_publisher(Image, image_topic, RELIABLE)
    page = open_page(viewer, image_topic)
    graph.wait(camera.get_subscription_count, "the viewer")

    def thermal() -> Image:
        message = image_message(graph.header())
        message.encoding = "thermal16"
        return message

    with driving(camera, thermal):
        graph.wait(lambda: "unknown encoding 'thermal16'" in page.notes(image_topic), "the note")
    line = f"Cannot show {image_topic}: unknown encoding 'thermal16'"
    graph.wait(lambda: line in viewer.said(), "the line in the log")
    assert page.pictures == []
    with driving(camera, lambda: image_message(graph.header())):
        graph.wait(lambda: page.pictures, "a picture")
        graph.wait(lambda: "thermal16" not in page.notes(image_topic), "no note")


def test_a_topic_of_another_type_is_said(graph, viewer, open_page, image_topic):
    graph.node.create_publisher(String, image_topic, RELIABLE)
    page = open_page(viewer, image_topic)
    wrong = f"{image_topic} carries std_msgs/msg/String, which is not an image."
    graph.wait(lambda: wrong in page.notes(image_topic), "the note")


def test_compressed_and_best_effort_cameras_are_shown(graph, viewer, open_page, image_topic):
    camera = graph.node.create_publisher(CompressedImage, image_topic, qos_profile_sensor_data)
    page = open_page(viewer, image_topic)
    graph.wait(camera.get_subscription_count, "the viewer")
    image = np.full((48, 64, 3), (10, 200, 60), np.uint8)
    data = cv2.imencode(".jpg", image)[1].tobytes()

    def make() -> CompressedImage:
        return CompressedImage(header=graph.header(), format="jpeg", data=data)

    with driving(camera, make):
        graph.wait(lambda: page.pictures, "a picture")
    assert np.abs(decode(page.pictures[0][1][0]).astype(int) - image).max() <= 4


def test_it_follows_a_publisher_that_offers_more(graph, viewer, open_page, image_topic):
    page = open_page(viewer, image_topic)
    for qos in (qos_profile_sensor_data, RELIABLE):
        camera = graph.node.create_publisher(Image, image_topic, qos)

        def asked_for(reliability: ReliabilityPolicy = qos.reliability) -> bool:
            ends = graph.node.get_subscriptions_info_by_topic(image_topic)
            return [end.qos_profile.reliability for end in ends] == [reliability]

        page.pictures.clear()
        with driving(camera, lambda: image_message(graph.header())):
            graph.wait(asked_for, "the subscription")
            graph.wait(lambda: page.pictures, "pictures")
        graph.node.destroy_publisher(camera)


def test_without_the_model_file_classes_are_numbers_and_the_page_says_why(
    graph, start_viewer, open_page, image_topic
):
    viewer = start_viewer(image_topics=[image_topic], model="/nowhere.onnx")
    page = open_page(viewer, image_topic)
    graph.wait(lambda: "set the viewer's parameter model" in page.notes(image_topic), "the note")
    assert page.state[image_topic]["classes"] == []


def test_a_viewer_that_comes_back_shows_the_same(graph, start_viewer, open_page, image_topic):
    camera = graph.node.create_publisher(Image, image_topic, RELIABLE)
    viewer = start_viewer(image_topics=[image_topic])
    with driving(camera, lambda: image_message(graph.header())):
        for _ in range(2):
            page = open_page(viewer, image_topic)
            graph.wait(lambda: page.pictures, "pictures")  # noqa: B023
            viewer.stop()
            viewer = start_viewer(image_topics=[image_topic], port=viewer.port)
            assert "is in use" not in viewer.said()  # by what is left of its own connections


def test_labels_without_images_are_shown_alone(graph, viewer, open_page, image_topic):
    publisher = graph.node.create_publisher(Image, graph.topic("segmentation/label"), RELIABLE)
    page = open_page(viewer, image_topic)
    graph.wait(publisher.get_subscription_count, "the viewer")
    labels = np.random.default_rng(1).integers(0, 9, (48, 64), np.uint8)
    with driving(publisher, lambda: to_image(graph.header(), labels, "mono8")):
        graph.wait(page.labels, "labels")
    np.testing.assert_array_equal(page.labels()[0], labels)
    # Their publisher, the test, has no parameters: after a while the classes are numbers.
    graph.wait(lambda: page.state[image_topic].get("classes") == [], "the classes")
    page.send({"type": "image", "frame": page.pictures[-1][0]["frame"]})
    graph.wait(lambda: "the picture has labels only" in page.errors(), "the answer")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_that_are_repeated_do_not_break_off_the_clean_up(start_viewer, number):
    viewer = start_viewer()
    while viewer.running:
        viewer.signal(number)
        time.sleep(0.005)
    code, said = viewer.end()
    assert code == 0, said
    assert "Traceback" not in said
