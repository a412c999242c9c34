from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.time import Time

from hyperseg_ros.demo.status import DriveStatus, NodeStatus

NODE, IMAGE = "/segmentation", "/camera/image_raw"


def test_the_drive_is_read_as_it_was_said() -> None:
    status = DriveStatus("straße", 12.5, 300, labelled=True, published=7, finished=False)
    message = status.to_message(Time(seconds=3))
    assert DriveStatus.from_message(message) == status
    assert message.header.stamp.sec == 3


def test_diagnostics_of_others_say_nothing() -> None:
    message = DiagnosticArray(status=[DiagnosticStatus(name="battery", message="active")])
    assert DriveStatus.from_message(message) is None
    assert NodeStatus.from_message(message, NODE, IMAGE) is None


def test_the_node_before_and_after_its_first_frame() -> None:
    model = DiagnosticStatus(
        name=f"{NODE}: model",
        message="active",
        values=[
            KeyValue(key=key, value=value)
            for key, value in (("backend", "openvino"), ("device", "a CPU"), ("model", "m"))
        ],
    )
    camera = DiagnosticStatus(
        name=f"{NODE}: {IMAGE}", values=[KeyValue(key="inference p50 (ms)", value="61.5")]
    )
    before = NodeStatus.from_message(DiagnosticArray(status=[model]), NODE, IMAGE)
    assert before == NodeStatus(active=True, backend="openvino, a CPU")
    after = NodeStatus.from_message(DiagnosticArray(status=[model, camera]), NODE, IMAGE)
    assert after == NodeStatus(active=True, backend="openvino, a CPU", inference_ms=61.5)


def test_a_node_that_could_not_be_configured_says_why() -> None:
    model = DiagnosticStatus(
        name=f"{NODE}: model", level=DiagnosticStatus.ERROR, message="no such model"
    )
    status = NodeStatus.from_message(DiagnosticArray(status=[model]), NODE, IMAGE)
    assert status == NodeStatus(active=False, failure="no such model")
