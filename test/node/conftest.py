"""A ROS graph for each test, and a model whose answers are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from node_process import NodeProcess
from ros_fixtures import graph, model, ros
from ros_graph import Graph


@pytest.fixture
def start(graph: Graph, tmp_path: Path) -> Iterator[Callable[..., NodeProcess]]:
    """Starts the node in a process of its own; arguments are its parameters, or `program`."""
    processes = []

    def start_(program: tuple[str, ...] | None = None, **parameters: Any) -> NodeProcess:
        values = {"model": str(graph.model), "input_reliability": "reliable", **parameters}
        options = {} if program is None else {"program": program}
        processes.append(NodeProcess(graph.namespace, tmp_path, values, **options))
        return processes[-1]

    yield start_
    for process in processes:
        process.stop()
