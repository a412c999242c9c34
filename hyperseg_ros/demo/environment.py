"""A ROS graph of the demo's own."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator, Mapping

DOMAINS = range(1, 102)
"""Domains whose ports lie below the ephemeral ones."""
DOMAIN_COORDINATOR_PORT = 22119
LOCAL = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
HUMBLE_LOCAL = {"ROS_LOCALHOST_ONLY": "1"}


@contextlib.contextmanager
def ros_environment(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The environment of the demo's processes: a graph of their own, on this machine only.

    The ROS domain is held, while the context lasts, by a port that only one program can listen on,
    as ROS 2's domain_coordinator does it. A ROS_DOMAIN_ID that is set already is left alone: then
    the demo joins that graph.
    """
    if "ROS_DOMAIN_ID" in environment:
        yield dict(environment)
        return
    with socket.socket() as holder:
        for domain in random.sample(DOMAINS, len(DOMAINS)):
            with contextlib.suppress(OSError):
                holder.bind(("127.0.0.1", DOMAIN_COORDINATOR_PORT + domain))
                break
        yield {
            **environment,
            **(HUMBLE_LOCAL if environment.get("ROS_DISTRO") == "humble" else LOCAL),
            "ROS_DOMAIN_ID": str(domain),
        }
