"""The process of a segmentation node on a GPU in software, which may lose the device."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import onnx
from software_gpu import DEVICE, ILLEGAL_ADDRESS, SoftwareDriver, SoftwareTensorRt

from hyperseg_ros.node.process import run as run_node
from hyperseg_ros.runtime.backends.tensorrt import backend, cuda, library


def run(model: str, losing: str) -> int:
    """The exit code of the node.

    Args:
        model: the file of the model that the GPU computes.
        losing: a file; as soon as it is there the device is lost.
    """
    driver = SoftwareDriver()
    trt = SoftwareTensorRt(driver, onnx.load(model))

    def find_usable(gpu: int = 0) -> tuple[library.Library, cuda.Device]:
        return trt.library(), DEVICE

    backend.find_usable = library.find_usable = find_usable
    cuda.load_driver = lambda: driver

    def lose() -> None:
        while not Path(losing).exists():
            time.sleep(0.02)
        Path(losing).unlink()
        driver.failing["cuEventSynchronize"] = [ILLEGAL_ADDRESS]

    threading.Thread(target=lose, daemon=True).start()
    return run_node(sys.argv)
