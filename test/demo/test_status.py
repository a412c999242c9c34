from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from hyperseg_ros.demo.status import DriveStatus, NodeFigures
from hyperseg_ros.node.diagnostics import MODEL, Key, status_name

NODE, IMAGE = "/segmentation", "/camera/image_raw"


def test_the_drive_is_read_as_it_was_said() -> None:
    status = DriveStatus("straße", 12.5, 300, labelled=True, published=7, finished=False)
    assert DriveStatus.from_message(status.to_message()) == status


def test_diagnostics_of_others_say_nothing() -> None:
    message = DiagnosticArray(status=[DiagnosticStatus(name="battery", message="active")])
    assert NodeFigures.from_message(message, NODE, IMAGE) is None


def test_the_node_before_and_after_its_first_frame() -> None:
    model = DiagnosticStatus(
        name=status_name(NODE, MODEL),
        values=[
            KeyValue(key=key, value=value)
            for key, value in ((Key.BACKEND, "openvino"), (Key.DEVICE, "a CPU"), (Key.MODEL, "m"))
        ],
    )
    camera = DiagnosticStatus(
        name=status_name(NODE, IMAGE), values=[KeyValue(key=Key.INFERENCE_P50, value="61.5")]
    )
    before = NodeFigures.from_message(DiagnosticArray(status=[model]), NODE, IMAGE)
    assert before == NodeFigures(backend="openvino, a CPU")
    after = NodeFigures.from_message(DiagnosticArray(status=[model, camera]), NODE, IMAGE)
    assert after == NodeFigures(backend="openvino, a CPU", inference_ms=61.5)


def test_a_node_that_could_not_be_configured_says_why() -> None:
    model = DiagnosticStatus(
        name=status_name(NODE, MODEL), level=DiagnosticStatus.ERROR, message="no such model"
    )
    status = NodeFigures.from_message(DiagnosticArray(status=[model]), NODE, IMAGE)
    assert status == NodeFigures(failure="no such model")
