"""Where the package's data are: installed for ROS or for Python, or in the source checkout."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path


def share_folders(name: str) -> Iterator[Path]:
    """The places of a folder of data such as `models`, whether they exist or not.

    `share/hyperseg_ros/<name>` of every ROS prefix, then of the Python environment; then `<name>`
    of the source checkout.
    """
    for prefix in (*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix):
        if prefix:
            yield Path(prefix, "share", "hyperseg_ros", name)
    yield Path(__file__).resolve().parents[2] / name
