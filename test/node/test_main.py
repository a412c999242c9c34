"""The process: what it says and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from ros_graph import image_message

from hyperseg_ros.node.conversions import to_image
from hyperseg_ros.runtime import Segmenter
from hyperseg_ros.simulation import StreetCamera


def test_between_processes_labels_equal_the_segmenters_byte_for_byte(graph):
    graph.start()
    labels = graph.listen(graph.topic("segmentation/label"))
    camera = graph.talk(graph.topic("image_raw"))
    street = StreetCamera(seed=5)
    with Segmenter.open(graph.model) as segmenter:
        for index in (0, 30, 60):
            image = street.frame(index).image
            label = graph.answer(camera, to_image(graph.header(), image, "bgr8"), labels)
            assert label.data.tobytes() == segmenter(image).labels.tobytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_the_frames_ends_it_cleanly(graph, number):
    process = graph.start()
    graph.listen(graph.topic("segmentation/label"))
    camera = graph.talk(graph.topic("image_raw"))
    for _ in range(20):
        camera.publish(image_message(graph.header(), size=(120, 160)))
    process.signal(number)
    code, output = process.end()
    assert code == 0, output
    assert "Traceback" not in output
    assert "[ERROR]" not in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_more_signals_do_not_break_off_the_clean_up(graph, number):
    """As Ctrl-C in a terminal gives them: one from the terminal, one from `ros2 launch`."""
    process = graph.start()
    graph.talk(graph.topic("image_raw"))
    while process.running:
        process.signal(number)
        time.sleep(0.01)
    code, output = process.end()
    assert code == 0, output
    assert "Traceback" not in output


def test_an_unknown_parameter_ends_it_with_one_line(graph):
    code, output = graph.start(modle="street.onnx").end()
    assert code == 2
    assert "no parameter 'modle': did you mean 'model'?" in output
    assert len(output.strip().splitlines()) == 1


def test_a_model_that_is_not_there_leaves_it_unconfigured_with_the_reason(graph):
    process = graph.start(model="/nowhere.onnx")
    reason = "cannot configure: there is no model file /nowhere.onnx"
    graph.wait(lambda: reason in process.said(), "the reason")
    assert process.running
    assert not graph.node.count_publishers(graph.topic("segmentation/label"))
    process.signal(signal.SIGINT)
    code, output = process.end()
    assert code == 0, output
    assert "Traceback" not in output


def test_a_parameter_file_that_does_not_parse_ends_it_with_the_reason(graph):
    code, output = graph.start(image_topics=["a", 1]).end()
    assert code == 2
    *_, said = output.strip().splitlines()
    assert "[FATAL]" in said
    assert "parameters.yaml" in said
    assert "Sequence should be of same type" in said
    assert "Traceback" not in output


def test_a_signal_while_libraries_are_imported_ends_the_process_quietly(tmp_path):
    """Ctrl-C in the first second: there is no node yet."""
    slow = tmp_path / "cv2.py"
    slow.write_text("import time\nprint('importing', flush=True)\ntime.sleep(600)\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
        "from hyperseg_ros.node.main import main; sys.exit(main(sys.argv))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said == ""
