"""A ROS graph, and viewers in processes of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")

from page_client import PageClient
from ros_fixtures import graph, model, ros
from ros_graph import Graph
from viewer_process import ViewerProcess


@pytest.fixture
def start_viewer(graph: Graph, tmp_path: Path) -> Iterator[Callable[..., ViewerProcess]]:
    """Starts a viewer and waits until it listens; arguments are its parameters."""
    started: list[ViewerProcess] = []

    def start(listens: bool = True, prelude: str = "", **parameters: Any) -> ViewerProcess:
        folder = tmp_path / f"viewer_{len(started)}"
        started.append(ViewerProcess(folder, prelude, graph.namespace, **parameters))
        if listens:
            graph.wait(lambda: started[-1].listens, "the viewer")
        return started[-1]

    yield start
    for viewer in started:
        viewer.stop()
        print(viewer.said())
        assert "Error(" not in viewer.said()  # an exception that nobody expected


@pytest.fixture
def open_page() -> Iterator[Callable[..., PageClient]]:
    """Opens pages without a browser; arguments are those of `PageClient`."""
    opened: list[PageClient] = []

    def open_(viewer: ViewerProcess, *arguments: Any, **options: Any) -> PageClient:
        opened.append(PageClient(viewer.port, *arguments, **options))
        return opened[-1]

    yield open_
    for page in opened:
        page.close()
