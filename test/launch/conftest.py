"""A ROS graph, and `ros2 launch` in processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("launch_ros", reason="PyPI has no launch_ros: install ROS 2")
pytest.importorskip("ros2launch", reason="PyPI has no ros2launch: install ROS 2")

from node_process import DIES_WITH_THE_TESTS, PATIENCE
from ros_fixtures import graph, model, ros


class LaunchProcess:
    """`ros2 launch` of one of our files, in a process group of its own like a terminal's.

    Args:
        folder: for its log.
        file: the launch file's name.
        arguments: of the launch file.
    """

    def __init__(self, folder: Path, file: str, arguments: dict[str, Any]) -> None:
        self._log = folder / "launch.txt"
        command = [*DIES_WITH_THE_TESTS, "ros2", "launch", "hyperseg_ros", file]
        command += [f"{name}:={value}" for name, value in arguments.items()]
        with self._log.open("w") as sink:
            self._popen = subprocess.Popen(
                command, stdout=sink, stderr=subprocess.STDOUT, cwd="/", start_new_session=True
            )

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    def said(self) -> str:
        """All that launch and the nodes have said so far."""
        return self._log.read_text(errors="replace")

    def interrupt(self) -> None:
        """As Ctrl-C does: launch and the nodes get it both."""
        os.killpg(self._popen.pid, signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """Waits for it to end by itself: its exit code and all that was said."""
        return self._popen.wait(PATIENCE), self.said()

    def close(self) -> None:
        """Ends it and its nodes, if need be with force."""
        if self.running:
            self.interrupt()
            try:
                self._popen.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(self._popen.pid, signal.SIGKILL)
                self._popen.wait()
        print(self.said())


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., LaunchProcess]]:
    """Launches a file with arguments."""
    processes: list[LaunchProcess] = []

    def start(file: str, **arguments: Any) -> LaunchProcess:
        processes.append(LaunchProcess(tmp_path, file, arguments))
        return processes[-1]

    yield start
    for process in processes:
        process.close()
