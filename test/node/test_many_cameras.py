"""Several cameras on one network."""

from __future__ import annotations

import threading
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
    rates = dict(zip(topics(graph), (100, 30, 25, 25), strict=True))  # the first floods
    with graph.segmentation(OBEDIENT, image_topics=list(rates)) as process:
        labels = {topic: graph.listen(label_topic(topic)) for topic in rates}
        cameras = {topic: graph.talk(topic) for topic in rates}
        graph.order(process, "slow 0.1")  # each camera has its next frame long before its turn
        stopping = threading.Event()

        def publish(topic: str) -> None:
            while not stopping.wait(1 / rates[topic]):
                cameras[topic].publish(image_message(graph.header()))

        threads = [threading.Thread(target=publish, args=(topic,)) for topic in rates]
        for thread in threads:
            thread.start()
        graph.wait(lambda: sum(map(len, labels.values())) >= 100, "a hundred labels")
        stopping.set()
        for thread in threads:
            thread.join()
        health = {topic: graph.diagnose(topic) for topic in rates}
    counts = [len(received) for received in labels.values()]
    assert min(counts) >= 0.85 * np.mean(counts)
    assert max(counts) <= 1.15 * np.mean(counts)
    for topic, (_, values) in health.items():
        received = int(values["frames received"])
        done = sum(int(values[f"frames {what}"]) for what in ("segmented", "dropped", "unwatched"))
        # One may be with the network still, and one wait for it.
        assert received - 2 <= done <= received, topic
        assert float(values["input rate (Hz)"]) > float(values["output rate (Hz)"])


def test_trouble_with_one_camera_leaves_the_others_alone(graph):
    good, bad = topics(graph)[:2]
    with graph.segmentation(image_topics=[good, bad], stale_after=10.0):
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

        deadline = time.monotonic() + 2.5
        while time.monotonic() < deadline:
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
