"""A node under test in a process of its own: the only way that tests run one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PATIENCE = 60.0
"""Seconds until something that must happen has happened, on a machine under heavy load."""
DIES_WITH_THE_TESTS = ("setpriv", "--pdeathsig", "TERM")
"""Also where they are killed, no node is left behind."""


def program(module: str, prelude: str = "") -> tuple[str, ...]:
    """What Python runs for `main` of `module`, after the statements in `prelude`."""
    return "-c", f"{prelude}\nimport sys\nfrom {module} import main\nsys.exit(main(sys.argv))"


SEGMENTATION = program("hyperseg_ros.node.main")


class NodeProcess:
    """A node's process.

    Args:
        folder: for its log and its parameters; made if it is not there.
        namespace: of the node.
        parameters: of the node.
        program: what Python runs; the arguments of ROS follow.
        arguments: further ones of ROS.
    """

    def __init__(
        self,
        folder: Path,
        namespace: str,
        parameters: dict[str, Any],
        program: Sequence[str] = SEGMENTATION,
        arguments: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "log.txt"
        file = folder / "parameters.yaml"
        file.write_text(json.dumps({"/**": {"ros__parameters": parameters}}))  # JSON is YAML
        ros = ["--ros-args", "-r", f"__ns:={namespace}", "--params-file", str(file), *arguments]
        with self._log.open("w") as sink:
            self._popen = subprocess.Popen(
                [*DIES_WITH_THE_TESTS, sys.executable, *program, *ros],
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    def said(self) -> str:
        """All that it has logged and printed so far."""
        return self._log.read_text(errors="replace")

    def tell(self, line: str) -> None:
        """Writes a line to its standard input."""
        assert self._popen.stdin is not None
        self._popen.stdin.write(f"{line}\n".encode())
        self._popen.stdin.flush()

    def signal(self, number: int) -> None:
        """Sends a signal, if it still runs."""
        self._popen.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Waits for it to end by itself: its exit code and all it said."""
        return self._popen.wait(PATIENCE), self.said()

    def kill(self) -> None:
        """Ends it as a crash does."""
        self._popen.kill()
        self._popen.wait()

    def stop(self) -> int:
        """Ends it as a terminal does; its exit code.

        With force only where it does not end by itself: of one that is killed Fast DDS knows for
        a while only that it is silent, and may send nothing to the process that comes next.
        """
        if self.running:
            self.signal(signal.SIGINT)
        try:
            return self._popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            if self._popen.stdin is not None:
                self._popen.stdin.close()
