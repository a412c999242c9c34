"""A ROS graph, and viewers in processes of their own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")

import rclpy
from page_client import PageClient
from rclpy.node import Node
from ros_graph import Graph
from viewer_process import ViewerProcess

import models

namespaces = (f"/seen_{number}" for number in itertools.count())


@pytest.fixture(scope="session", autouse=True)
def ros() -> Iterator[None]:
    if not rclpy.ok():  # the tests of other layers may have done it
        rclpy.init()
    yield
    rclpy.try_shutdown()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose answers are known: the class of the nearest colour."""
    return models.write_palette_model(tmp_path_factory.mktemp("model") / "palette.onnx")


@pytest.fixture
def graph(model: Path) -> Iterator[Graph]:
    node = Node("tester", namespace=next(namespaces))
    yield Graph(node, model)
    node.destroy_node()


@pytest.fixture
def start_viewer(graph: Graph, tmp_path: Path) -> Iterator[Callable[..., ViewerProcess]]:
    """Starts a viewer and waits until it listens; arguments are its parameters."""
    started: list[ViewerProcess] = []

    def start(listens: bool = True, prelude: str = "", **parameters: Any) -> ViewerProcess:
        folder = tmp_path / f"viewer_{len(started)}"
        started.append(ViewerProcess(folder, prelude, graph.namespace, **parameters))
        if listens:
            graph.wait(lambda: "the viewer is at" in started[-1].said(), "the viewer")
        return started[-1]

    yield start
    for viewer in started:
        viewer.kill()
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
