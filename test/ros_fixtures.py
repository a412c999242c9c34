"""Fixtures of the layers that run in ROS: a graph for each test, and a model of known answers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
from rclpy.node import Node
from ros_graph import Graph

import models

namespaces = (f"/graph_{number}" for number in itertools.count())


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
def graph(model: Path, tmp_path: Path) -> Iterator[Graph]:
    graph = Graph(Node("tester", namespace=next(namespaces)), model, tmp_path)
    yield graph
    graph.close()
