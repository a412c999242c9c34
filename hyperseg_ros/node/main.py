"""The executable of the segmentation node. Imports nothing that takes time."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the node; the exit code of the process. See `process.run`.

    A signal ends the process, without a traceback, while libraries are imported too.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    from hyperseg_ros.node.process import run

    return run(arguments)
