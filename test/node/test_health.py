"""What the running node says about itself."""

from __future__ import annotations

import signal
import time

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from ros_graph import image_message
from rosgraph_msgs.msg import Clock


def test_diagnostics_come_once_a_second_in_every_state(graph):
    told: list[float] = []
    graph.node.create_subscription(
        DiagnosticArray, "/diagnostics", lambda _: told.append(time.monotonic()), 10
    )
    with graph.segmentation(autostart=False):
        for transition in (None, "configure", "activate", "deactivate", "cleanup"):
            if transition:
                assert graph.change_state(transition)
            before = len(told)
            graph.wait(lambda count=before: len(told) >= count + 2, "two messages")
    seconds = told[-1] - told[0]
    assert 0.8 * seconds <= len(told) <= 1.2 * seconds + 2


def test_everything_worth_knowing_is_said(graph):
    with graph.segmentation():
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        for _ in range(5):
            message = image_message(graph.header())
            message.header.stamp = graph.node.get_clock().now().to_msg()
            graph.answer(camera, message, labels)
        model, model_values = graph.diagnose("model")
        status, values = graph.diagnose(graph.topic("image_raw"))
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
    assert (status.level, status.message) == (DiagnosticStatus.OK, "OK")
    assert values["frames segmented"] == values["frames received"] == "5"
    ages = [float(values[f"stamp to output {name} (ms)"]) for name in ("p50", "p95", "max")]
    assert 0 < ages[0] <= ages[1] <= ages[2]
    assert float(values["input rate (Hz)"]) > 0
    assert float(values["output rate (Hz)"]) > 0


def test_latency_above_the_budget_and_rates_below_the_floor_are_warned_of(graph):
    with graph.segmentation(max_latency=0.001, min_rate=500.0, stale_after=60.0):
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        message = image_message(graph.header())
        message.header.stamp = graph.node.get_clock().now().to_msg()
        time.sleep(0.01)
        graph.answer(camera, message, labels)
        status, _ = graph.diagnose(graph.topic("image_raw"))
    assert status.level == DiagnosticStatus.WARN
    assert "from stamp to output, more than 1 ms" in status.message
    assert "outputs a second, fewer than 500" in status.message


def test_ages_are_in_the_time_of_the_simulation_and_a_jump_back_forgets_them(graph):
    with graph.segmentation(use_sim_time=True):
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        clock = graph.talk("/clock", Clock)
        topic = graph.topic("image_raw")

        def age(seconds: int) -> float | None:
            """Of a frame stamped half a second before the time `seconds`."""
            clock.publish(Clock(clock=Time(sec=seconds)))
            graph.settle(0.2)
            message = image_message(graph.header())
            message.header.stamp = Time(sec=seconds - 1, nanosec=500_000_000)
            graph.answer(camera, message, labels)
            value = graph.diagnose(topic)[1].get("stamp to output max (ms)")
            return None if value is None else float(value)

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
    for _ in range(50):
        graph.answer(camera, image_message(graph.header()), labels)
    process.signal(signal.SIGINT)
    code, output = process.end()
    assert code == 0
    lines = [line for line in output.splitlines() if "vision_msgs" not in line]
    assert len(lines) == 1, output
    assert "cameras: " in lines[0]
