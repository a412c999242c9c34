"""What every test runs in: a ROS graph of its own, the shared data, and Hypothesis' settings."""

from __future__ import annotations

import importlib.util
import os
import socket
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]

LIBRARY_OF = {
    "network": "torch",
    "training": "torch",
    "export": "torch",
    "benchmarks": "torch",
    "benchmark/test_training.py": "torch",
    "benchmark/test_node.py": "rclpy",
    "benchmark/test_faults.py": "rclpy",
    "node": "rclpy",
    "demo": "rclpy",
    "viewer": "rclpy",
    "launch": "rclpy",
    "recordings": "rosbags",
    "test_loop.py": "torch",
    "commands/test_segment_recordings.py": "rosbags",
}
"""The tests of these folders and files are collected where the library is installed."""

left_out = {
    path: library
    for path, library in LIBRARY_OF.items()
    if importlib.util.find_spec(library) is None
}
collect_ignore = list(left_out)


def pytest_report_header() -> list[str]:
    """Say what is not tested."""
    return [f"no {library}: test/{path} is left out" for path, library in left_out.items()]


def own_domain() -> socket.socket:
    """Make the tests, and the processes they start, a ROS graph of their own on this machine.

    The domain is held by a port that only one run of tests can listen on, as ROS 2's own
    domain_coordinator does it; the domain is taken as long as the returned socket is open. A
    domain that the shell has set is not used: it may be a robot's.
    """
    for domain in range(101, 0, -1):  # people count up from 0
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", 22119 + domain))
        except OSError:
            holder.close()
            continue
        os.environ["ROS_DOMAIN_ID"] = str(domain)
        if os.environ.get("ROS_DISTRO") == "humble":
            os.environ["ROS_LOCALHOST_ONLY"] = "1"
        else:
            os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        return holder
    raise RuntimeError("a hundred runs of tests hold all ROS domains of this machine")


domain_holder = own_domain()  # before any test imports rclpy, which reads the environment

ANY_SPEED = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
"""How long an example takes says something about the machine."""
hypothesis.settings.register_profile("local", max_examples=50, **ANY_SPEED)
hypothesis.settings.register_profile("ci", max_examples=50, derandomize=True, **ANY_SPEED)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of clips, CamVid and reference outputs, which lies beside some checkouts."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    return folder
