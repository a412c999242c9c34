"""The ROS context of the tests that listen to the demo's nodes."""

from __future__ import annotations

from ros_fixtures import ros
