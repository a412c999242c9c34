"""The viewer's parameters."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

from hyperseg_ros.node.declared_parameters import ParameterError, ParameterSet, parameter
from hyperseg_ros.viewer.access import Access, is_loopback


@dataclass(frozen=True)
class Parameters(ParameterSet):
    """The viewer's parameters; all are read once, at the start."""

    host: str = parameter(
        "127.0.0.1",
        "Address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 for the network.",
        read_only=True,
    )
    port: int = parameter(8090, "Port to listen on.", bounds=(1, 65535), read_only=True)
    allowed_origins: tuple[str, ...] = parameter(
        (),
        "Origins of pages that reach the viewer through a proxy, such as https://robots.example.com.",
        read_only=True,
    )
    base_path: str = parameter(
        "/", "Path of the page where a proxy hands on more than /: /robot/viewer/.", read_only=True
    )
    token: str = parameter(
        "",
        "Secret that the page's address must end with: http://robot:8090/?token=...; empty for "
        "none. 8 letters, digits, - or _ at least.",
        read_only=True,
    )
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

    def check(self) -> None:
        """Refuses invalid origins, paths and tokens.

        Raises:
            ParameterError: one of them is invalid.
        """
        try:
            Access(self.host, self.allowed_origins)
        except ValueError as error:
            raise ParameterError(f"allowed_origins: {error}") from None
        if not re.fullmatch(r"/([\w.~-]+/)*", self.base_path, re.ASCII):
            raise ParameterError(
                f"base_path {self.base_path!r}: it must begin and end with /, such as /viewer/"
            )
        if not re.fullmatch(r"([\w-]{8,})?", self.token, re.ASCII):
            raise ParameterError("token: it must be 8 letters, digits, - or _ at least")

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
