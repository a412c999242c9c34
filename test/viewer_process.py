"""A viewer in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from node_process import NodeProcess
from page_client import free_port

START = "import sys; from hyperseg_ros.viewer.main import main; sys.exit(main(sys.argv))"


class ViewerProcess(NodeProcess):
    """A viewer on a port of its own.

    Args:
        folder: for its log and its parameters.
        prelude: Python that is run before.
        namespace: of the node.
        parameters: of the node.
    """

    def __init__(
        self, folder: Path, prelude: str = "", namespace: str = "/", **parameters: Any
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.port = parameters.setdefault("port", free_port())
        super().__init__(namespace, folder, parameters, ("-c", f"{prelude}\n{START}"))

    def said(self) -> str:
        """What it has logged so far."""
        return self.log.read_text()
