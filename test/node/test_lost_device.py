"""A GPU that is lost to the node's process: the process ends, and the next one has it again."""

from __future__ import annotations

from pathlib import Path

import pytest
from ros_graph import image_message

from hyperseg_ros.node.process import DEVICE_LOST

pytest.importorskip("onnxruntime")
pytest.importorskip("tensorrt_rtx_bindings")
pytest.importorskip("cuda.bindings")

PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
from software_gpu_node import run
sys.exit(run({model!r}, {losing!r}))
"""
TESTS = str(Path(__file__).resolve().parents[1])


def test_the_process_ends_with_a_code_of_its_own_and_the_next_one_goes_on(graph, tmp_path):
    losing = tmp_path / "lose"

    def started():
        program = PROGRAM.format(tests=TESTS, model=str(graph.model), losing=str(losing))
        return graph.start(
            ("-c", program),
            backend="tensorrt",
            engine_cache=str(tmp_path / "engines"),
        )

    process = started()
    labels = graph.listen(graph.topic("segmentation/label"))
    camera = graph.talk(graph.topic("image_raw"))
    graph.answer(camera, image_message(graph.header()), labels)
    losing.touch()

    def ended() -> bool:
        camera.publish(image_message(graph.header()))
        return not process.running

    graph.wait(ended, "the end of the process")
    code, output = process.end()
    assert code == DEVICE_LOST, output
    assert "CUDA is lost to this process: cuEventSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS" in output
    assert f"the GPU is lost to this process: exit code {DEVICE_LOST}" in output

    # As `respawn` of the launch file does.
    again = started()
    labels.clear()

    def goes_on() -> bool:
        camera.publish(image_message(graph.header()))  # some go to the subscription of the dead
        graph.settle(0.2)
        return bool(labels)

    graph.wait(goes_on, "a label of the next process")
    assert "engine from the cache" in again.said()
    assert again.stop() == 0
