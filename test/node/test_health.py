"""What the running node says about itself."""

from __future__ import annotations

import signal
import time

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from ros_graph import Graph, image_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image


def seconds(stamp: Time) -> float:
    return stamp.sec + stamp.nanosec * 1e-9


def stamped_now(graph: Graph) -> Image:
    message = image_message(graph.header())
    message.header.stamp = graph.node.get_clock().now().to_msg()
    return message


def test_diagnostics_come_once_a_second_in_every_state(graph):
    with graph.segmentation(autostart=False):
        told = graph.listen("/diagnostics", DiagnosticArray)
        for transition in (None, "configure", "activate", "deactivate", "cleanup"):
            if transition:
                assert graph.change_state(transition)
            before = len(told)
            graph.wait(lambda count=before: len(told) >= count + 3, "three messages")
    gaps = np.diff([seconds(message.header.stamp) for message in told])
    # On a busy machine some are late; the timer keeps its time all the same.
    assert np.min(gaps) <= 1.1
    assert np.sum(gaps) >= len(gaps) - 1


def test_everything_worth_knowing_is_said(graph):
    with graph.segmentation(stale_after=600.0) as process:
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        sent = 0

        def measured() -> tuple[DiagnosticStatus, dict[str, str]] | None:
            """What is said of the camera after five frames; later, it is of the last ones only."""
            nonlocal sent
            for _ in range(5):
                graph.answer(camera, stamped_now(graph), labels)
            sent += 5
            status, values = graph.diagnose(graph.topic("image_raw"))
            return (status, values) if "stamp to output p50 (ms)" in values else None

        status, values = graph.wait(measured, "rates and ages")
        model, model_values = graph.diagnose("model")
    assert (model.level, model.message) == (DiagnosticStatus.OK, "active")
    assert set(model_values) - {"compiled model"} == {  # that is OpenVINO's
        "model",
        "backend",
        "device",
        "precision",
        "batch size",
        "reason",
        "engine cache",
    }
    assert model_values["reason"] in process.said()
    if model_values["backend"] == "openvino":  # which chooses the precision too
        assert f"; {model_values['precision']}: " in model_values["reason"]
    assert (status.level, status.message) == (DiagnosticStatus.OK, "OK")
    assert values["frames segmented"] == values["frames received"] == str(sent)
    ages = [float(values[f"stamp to output {name} (ms)"]) for name in ("p50", "p95", "max")]
    assert 0 < ages[0] <= ages[1] <= ages[2]
    assert float(values["input rate (Hz)"]) > 0
    assert float(values["output rate (Hz)"]) > 0


def test_latency_above_the_budget_and_rates_below_the_floor_are_warned_of(graph):
    with graph.segmentation(max_latency=0.001, min_rate=500.0, stale_after=600.0):
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))

        def late() -> DiagnosticStatus | None:
            message = stamped_now(graph)
            time.sleep(0.01)
            graph.answer(camera, message, labels)
            status, _ = graph.diagnose(graph.topic("image_raw"))
            return status if "from stamp to output, more than 1 ms" in status.message else None

        status = graph.wait(late, "the warning")
    assert status.level == DiagnosticStatus.WARN
    assert "outputs a second, fewer than 500" in status.message


def test_ages_are_in_the_time_of_the_simulation_and_a_jump_back_forgets_them(graph):
    with graph.segmentation(use_sim_time=True, stale_after=600.0):
        labels = graph.listen(graph.topic("segmentation/label"))
        diagnostics = graph.listen("/diagnostics", DiagnosticArray)
        camera = graph.talk(graph.topic("image_raw"))
        clock = graph.talk("/clock", Clock)
        topic = graph.topic("image_raw")

        def age(now: int) -> float:
            """Of a frame stamped half a second before the time `now`."""
            clock.publish(Clock(clock=Time(sec=now)))
            graph.wait(
                lambda: diagnostics and seconds(diagnostics[-1].header.stamp) == now,
                "the time to be the node's",
            )

            def told() -> str | None:
                message = image_message(graph.header())
                message.header.stamp = Time(sec=now - 1, nanosec=500_000_000)
                graph.answer(camera, message, labels)
                return graph.diagnose(topic)[1].get("stamp to output max (ms)")

            return float(graph.wait(told, "the age"))

        message = image_message(graph.header())
        graph.answer(camera, message, labels)
        assert "stamp to output max (ms)" not in graph.diagnose(topic)[1]  # no time yet
        assert age(100) == 500.0
        assert age(7) == 500.0  # neither 93 s into the future nor backwards
        assert graph.diagnose(topic)[0].level == DiagnosticStatus.OK


def test_nothing_is_printed_for_each_frame(graph):
    process = graph.start()
    labels = graph.listen(graph.topic("segmentation/label"))
    camera = graph.talk(graph.topic("image_raw"))
    graph.answer(camera, image_message(graph.header()), labels)
    before = process.said()
    assert before.count("cameras: ") == 1
    for _ in range(50):
        graph.answer(camera, image_message(graph.header()), labels)
    process.signal(signal.SIGINT)
    assert process.end() == (0, before)
