"""A segmentation node in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ros_graph import PATIENCE

START = "import sys; from hyperseg_ros.node.main import main; sys.exit(main(sys.argv))"


class NodeProcess:
    """The node's process.

    Args:
        namespace: of the node.
        folder: for its log and its parameters.
        parameters: of the node.
        program: what Python runs, with the arguments of ROS.
    """

    def __init__(
        self,
        namespace: str,
        folder: Path,
        parameters: dict[str, Any],
        program: Sequence[str] = ("-c", START),
    ) -> None:
        self.log = folder / "log.txt"
        file = folder / "parameters.yaml"
        file.write_text(json.dumps({"/**": {"ros__parameters": parameters}}))  # JSON is YAML
        arguments = ["--ros-args", "-r", f"__ns:={namespace}", "--params-file", str(file)]
        with self.log.open("a") as sink:
            self.popen = subprocess.Popen(
                [sys.executable, *program, *arguments], stdout=sink, stderr=subprocess.STDOUT
            )

    def end(self) -> tuple[int, str]:
        """Its exit code and all it said."""
        return self.popen.wait(PATIENCE), self.log.read_text()

    def stop(self) -> None:
        """Ends it, with force only where it does not end by itself.

        Of one that is killed Fast DDS knows for a while only that it is silent, and may send
        nothing to the process that comes next.
        """
        self.popen.terminate()
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
