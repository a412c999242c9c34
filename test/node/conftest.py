"""A ROS graph for each test, and a model whose answers are known."""

from __future__ import annotations

from ros_fixtures import graph, model, ros
