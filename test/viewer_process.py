"""A viewer in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from node_process import NodeProcess, program
from page_client import free_port


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
        self.port = parameters.setdefault("port", free_port())
        super().__init__(
            folder, namespace, parameters, program("hyperseg_ros.viewer.main", prelude)
        )

    @property
    def listens(self) -> bool:
        """Whether pages can be opened."""
        return "the viewer is at" in self.said()
