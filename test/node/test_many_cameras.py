"""Several cameras on one network."""

from __future__ import annotations

import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from ros_graph import OBEDIENT, Graph, image_message, pixels_of

CAMERAS = ("front", "left", "rear", "right")


def topics(graph: Graph) -> list[str]:
    return [f"{graph.namespace}/{name}/image_raw" for name in CAMERAS]


def label_topic(topic: str) -> str:
    return topic.replace("image_raw", "segmentation/label")


def test_a_network_that_is_too_slow_for_all_serves_each_its_fair_share(graph):
    bursts = dict(zip(topics(graph), (8, 3, 2, 2), strict=True))  # the first floods
    turns = 3
    with graph.segmentation(OBEDIENT, image_topics=list(bursts), input_depth=10) as process:
        labels = {topic: graph.listen(label_topic(topic)) for topic in bursts}
        cameras = {topic: graph.talk(topic) for topic in bursts}
        graph.order(process, "hold")
        for turn in range(1, turns + 1):
            # Before the turn of any camera comes, all have sent their next frames.
            for topic, count in bursts.items():
                for _ in range(count):
                    cameras[topic].publish(image_message(graph.header()))
            for topic, count in bursts.items():
                graph.wait_for_count("received", turn * count, topic)
            for served in range(1, 5):
                process.tell("pass")
                total = 4 * (turn - 1) + served
                graph.wait(
                    lambda total=total: sum(map(len, labels.values())) == total, "the next label"
                )
            assert [len(received) for received in labels.values()] == [turn] * 4
        graph.order(process, "go")
        graph.wait(lambda: sum(map(len, labels.values())) == 4 * turns + 1, "the last label")
        counts = {topic: graph.settled_counts(topic) for topic in bursts}
    for topic, count in bursts.items():
        assert counts[topic]["received"] == turns * count
        assert counts[topic]["segmented"] == len(labels[topic])
        assert counts[topic]["segmented"] + counts[topic]["dropped"] == turns * count


def test_trouble_with_one_camera_leaves_the_others_alone(graph):
    good, bad = topics(graph)[:2]
    with graph.segmentation(image_topics=[good, bad], stale_after=600.0):
        labels = graph.listen(label_topic(good))
        others = graph.listen(label_topic(bad))
        cameras = {topic: graph.talk(topic) for topic in (good, bad)}

        def publish_a_bad_image():
            broken = image_message(graph.header())
            broken.step = 1
            cameras[bad].publish(broken)

        def trouble():
            publish_a_bad_image()
            status, values = graph.diagnose(bad)
            return (status, values) if status.level == DiagnosticStatus.ERROR else None

        for _ in range(25):
            publish_a_bad_image()
            message = image_message(graph.header())
            label = graph.answer(cameras[good], message, labels)
            assert np.array_equal(pixels_of(label), graph.expected(pixels_of(message)))
        status, values = graph.wait(trouble, f"the trouble with {bad}")
        assert "bad frames: bad image: step 1 is smaller than a row" in status.message
        assert int(values["frames segmented"]) == len(others) == 0
        status, _ = graph.diagnose(good)
        assert (status.level, status.message) == (DiagnosticStatus.OK, "OK")


def test_a_camera_that_vanishes_is_stale_and_the_others_go_on(graph):
    stays, goes = topics(graph)[:2]
    with graph.segmentation(image_topics=[stays, goes], stale_after=0.5):
        labels = graph.listen(label_topic(stays))
        gone = graph.listen(label_topic(goes))
        staying, going = graph.talk(stays), graph.talk(goes)
        graph.answer(going, image_message(graph.header()), gone)
        graph.node.destroy_publisher(going)
        deadline = time.monotonic() + 2.5
        while time.monotonic() < deadline:
            graph.answer(staying, image_message(graph.header()), labels)
        assert graph.diagnose(goes)[0].level == DiagnosticStatus.STALE
        returned = graph.talk(goes)
        graph.answer(returned, image_message(graph.header()), gone)
