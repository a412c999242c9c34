"""The viewer's parameters."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import Any

from rclpy.exceptions import InvalidParameterTypeException
from rclpy.node import Node

from hyperseg_ros.node.compatibility import parameter_overrides
from hyperseg_ros.node.parameters import ParameterError, nearest


@dataclass(frozen=True)
class Parameters:
    """What the parameters are; all are read once, at the start."""

    host: str = "127.0.0.1"
    """Address to listen on. 127.0.0.1 is for this machine only, 0.0.0.0 for the network."""
    port: int = 8090
    """Port to listen on."""
    max_rate: float = 15.0
    """Frames a second that a page gets at most."""
    jpeg_quality: int = 80
    """Of camera images, from 1 to 100."""
    max_pages: int = 16
    """Pages that may be open at a time."""
    image_topics: tuple[str, ...] = ("",)
    """Topics of the cameras' images; [""] finds the cameras of all segmentation nodes."""
    model: str = ""
    """A model file or the name of a shipped model, for names and colours of the classes; empty
    asks the segmentation node which one it runs."""

    @property
    def local(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)


_BOUNDS = {
    "port": (1, 65535),
    "max_rate": (0.1, 120.0),
    "jpeg_quality": (1, 100),
    "max_pages": (1, 256),
}


def read_parameters(node: Node) -> Parameters:
    """Declares the parameters, with the values that a file or the command line gives.

    Raises:
        ParameterError: a name is no parameter (the nearest one is named), or a value cannot be.
    """
    defaults = vars(Parameters())
    for name in parameter_overrides(node):
        if name not in defaults and not node.has_parameter(name):
            raise ParameterError(
                f"no parameter {name!r}: {nearest(name, defaults)}"
                f"The parameters are {', '.join(defaults)}"
            )
    values: dict[str, Any] = {
        name: _declare(node, name, default) for name, default in defaults.items()
    }
    try:
        socket.getaddrinfo(values["host"] or None, values["port"], type=socket.SOCK_STREAM)
    except OSError as error:
        raise ParameterError(
            f"host {values['host']!r} is no address of this machine: {error.strerror}"
        ) from error
    return Parameters(**values)


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def _declare(node: Node, name: str, default: Any) -> Any:
    start = list(default) if isinstance(default, tuple) else default
    try:
        value = node.declare_parameter(name, start).value
    except InvalidParameterTypeException as error:
        given = parameter_overrides(node)[name].value
        kind = "list of strings" if isinstance(start, list) else type(start).__name__
        raise ParameterError(f"{name} {given!r}: it must be a {kind}") from error
    lowest, highest = _BOUNDS.get(name, (value, value))
    if not lowest <= value <= highest:
        raise ParameterError(f"{name} {value!r}: it must be from {lowest} to {highest}")
    return tuple(value) if isinstance(default, tuple) else value
