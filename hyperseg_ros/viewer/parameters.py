"""The viewer's parameters."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from hyperseg_ros.node.declared_parameters import ParameterError, ParameterSet, parameter


@dataclass(frozen=True)
class Parameters(ParameterSet):
    """The viewer's parameters; all are read once, at the start."""

    host: str = parameter(
        "127.0.0.1",
        "Address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 for the network.",
        read_only=True,
    )
    port: int = parameter(8090, "Port to listen on.", bounds=(1, 65535), read_only=True)
    max_rate: float = parameter(
        15.0, "Frames a second that a page gets at most.", bounds=(0.1, 120.0), read_only=True
    )
    jpeg_quality: int = parameter(
        80, "JPEG quality of camera images.", bounds=(1, 100), read_only=True
    )
    max_pages: int = parameter(
        16, "Pages that may be open at a time.", bounds=(1, 256), read_only=True
    )
    image_topics: tuple[str, ...] = parameter(
        (),
        "Topics of the cameras' images; [] finds the cameras of all segmentation nodes.",
        read_only=True,
    )
    model: str = parameter(
        "",
        "A model file or the name of a shipped model, for names and colours of the classes; empty "
        "asks the segmentation node which one it runs.",
        read_only=True,
    )

    @property
    def local(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)


def check_address(host: str, port: int) -> None:
    """Refuses what cannot be listened on.

    Raises:
        ParameterError: `host` is not an address.
    """
    try:
        socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ParameterError(f"host {host!r} is not an address of this machine: {reason}") from None


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"
