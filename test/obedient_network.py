"""A segmentation node whose network does as the test says: a program that tests run.

Each line of its standard input is an order for the frames to come, and is repeated on standard
output once it is in force:

    go            segment them, as at the beginning
    hold          wait: until `pass` lets one go on, or `go` all
    pass          let one that waits, or the next one, go on
    slow SECONDS  take so much longer
    raise         fail, each with an error
    lose          fail, and say that the device is gone for good
    hang          never come back
    die           end the thread
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.node.process import run as run_node
from hyperseg_ros.node.segmentation_node import SegmentationNode
from hyperseg_ros.runtime import Segmenter, find_model, read_card
from hyperseg_ros.runtime.backends import Backend, BackendLostError, open_backend


def say(text: str) -> None:
    """Prints a line at once and as a whole, whatever other threads print."""
    os.write(1, f"{text}\n".encode())


class Orders:
    """What the lines that were read so far say."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._order = ["go"]
        self._passes = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            with self._changed:
                if line.strip() == "pass":
                    self._passes += 1
                else:
                    self._order = line.split()
                    self._passes = 0
                self._changed.notify_all()
            say(f"order: {line.strip()}")

    def obey(self) -> None:
        """Does to a batch in the network what the order in force says."""
        say("at work")
        with self._changed:
            order, *values = self._order
            if order == "hold":
                self._changed.wait_for(lambda: self._passes or self._order != ["hold"])
                self._passes = max(0, self._passes - 1)
        if order == "slow":
            time.sleep(float(values[0]))
        if order == "raise":
            raise RuntimeError("out of luck")
        if order == "lose":
            raise BackendLostError("the device is gone")
        if order == "hang":
            threading.Event().wait()
        if order == "die":
            raise SystemExit  # what no handler of errors catches


orders = Orders()


class ObedientBackend:
    """A backend that obeys before it infers; the rest is another backend's."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def infer(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        orders.obey()
        return self._backend.infer(images)


def load(model: str, *arguments: Any, **options: Any) -> Segmenter:
    """A segmenter whose network obeys; takes the arguments of `Segmenter.open`."""
    path = find_model(model)
    names = ("backend", "threads", "precision")
    options.update(zip(names, arguments))
    backend = open_backend(options.pop("backend"), path, **options)
    return Segmenter(read_card(path), ObedientBackend(backend))


if __name__ == "__main__":
    sys.exit(run_node(sys.argv, lambda: SegmentationNode(load)))
