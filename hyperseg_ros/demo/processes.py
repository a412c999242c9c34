"""The demo's nodes as processes: started with parameters, watched, ended in order."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from ament_index_python.packages import get_package_prefix

PATIENCE = 5.0
"""Seconds for a process to end after each signal."""


class ProcessError(RuntimeError):
    """A process ended that should not have; the message gives its reason."""


class NodeProcess:
    """One of the package's executables, running in a process group of its own.

    A Ctrl-C in the terminal so reaches the demo only, which ends its processes in order. Leaving
    the context ends the process.

    Args:
        executable: its name in lib/hyperseg_ros.
        namespace: of its node.
        parameters: ROS parameters of its node.
        folder: for its parameters and, with `quiet`, its log.
        environment: of the process.
        quiet: whether what it prints goes to the log rather than to the terminal.
    """

    def __init__(
        self,
        executable: str,
        namespace: str,
        parameters: Mapping[str, object],
        folder: Path,
        environment: Mapping[str, str],
        *,
        quiet: bool,
    ) -> None:
        self.name = executable
        self._log = folder / f"{executable}.log" if quiet else None
        parameter_file = folder / f"{executable}.yaml"
        # JSON is YAML: no quoting rules of a command line or of another library get in the way.
        parameter_file.write_text(json.dumps({"/**": {"ros__parameters": dict(parameters)}}))
        program = Path(get_package_prefix("hyperseg_ros"), "lib", "hyperseg_ros", executable)
        output = self._log.open("wb") if self._log else None
        arguments = ["-r", f"__ns:={namespace}", "--params-file", str(parameter_file)]
        try:
            self._process = subprocess.Popen(
                [sys.executable, str(program), "--ros-args", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                env=dict(environment),
                start_new_session=True,
            )
        finally:
            if output:
                output.close()

    def ended(self) -> bool:
        """Whether the process has ended well.

        Raises:
            ProcessError: it has ended with an error.
        """
        status = self._process.poll()
        if status is None or status == 0:
            return status == 0
        raise ProcessError(f"{self.name} {self._reason(status)}")

    def interrupt(self) -> None:
        """Ask the process to end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def wait(self, seconds: float) -> bool:
        """Whether the process has ended, at the latest after `seconds`."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def __enter__(self) -> NodeProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for end in (self.interrupt, self._process.terminate, self._process.kill):
            end()
            if self.wait(PATIENCE):
                return

    def _reason(self, status: int) -> str:
        if status < 0:
            how = f"was ended by {signal.Signals(-status).name}"
        else:
            how = f"failed with exit status {status}"
        if self._log is None:
            return how
        lines = [line for line in self._log.read_text(errors="replace").splitlines() if line]
        said = [line for line in lines if "[ERROR]" in line or "[FATAL]" in line]
        if not said and status > 0:
            said = lines
        return ": ".join([how, *said[-1:]]) + f"\nIts log is {self._log}"
