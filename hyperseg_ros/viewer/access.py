"""Access control: the host names that are served, the origins that may connect, the token.

A page of another site can be made to reach the viewer by a name of that site which resolves to the
robot (DNS rebinding). Such a request names the site in its header `Host`, so only this machine's
own names and addresses, and those of `allowed_origins`, are served.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence

MAX_REASON = 120
"""Bytes of a reason that fit into the close frame of a WebSocket."""
_ORIGIN = re.compile(r"(https?)://([^/?#@\s]+)", re.IGNORECASE)
_LEGACY_ADDRESS = re.compile(r"[0-9a-fx.]+", re.IGNORECASE)
_PORTS = {"http": ":80", "https": ":443"}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Access:
    """The rules of one viewer.

    Args:
        host: the address or name that it listens on.
        allowed_origins: such as `https://robots.example.com`: what pages are opened by where a
            proxy is between them and the viewer.
        token: what a page's address must have, empty for nothing.

    Raises:
        ValueError: an origin that is not one.
    """

    def __init__(self, host: str, allowed_origins: Sequence[str] = (), token: str = "") -> None:
        self._is_local = is_loopback(host)
        self._names = {"localhost", host.lower(), *_names_of_this_machine()} - {""}
        self._origins = {_normal_origin(origin) for origin in allowed_origins}
        self._hosts = {origin.partition("://")[2] for origin in self._origins}
        self._token = token.encode()

    @property
    def needs_token(self) -> bool:
        """Whether a page's address must have a token."""
        return bool(self._token)

    def refuse_host(self, host: str) -> str:
        """Why a request with this header `Host` is refused, or an empty string."""
        name, port = split_host(host)
        if f"{name}{port}" in self._hosts or name in self._hosts:
            return ""
        address = parse_address(name)
        if self._is_local:
            allowed = address.is_loopback if address else name == "localhost"
        else:
            # An attacker's page can be served under a name only, never under an address of ours.
            allowed = address is not None or name in self._names
        if allowed:
            return ""
        name = _excerpt(host)
        return f"The viewer is not served under the name {name}: add its origin to allowed_origins."

    def refuse_origin(self, origin: str | None, host: str) -> str:
        """Why a page of this origin gets no pictures, or an empty string.

        Args:
            origin: the header `Origin`; None of what is not a browser.
            host: the header `Host` of the same request, which `refuse_host` has accepted.
        """
        if origin is None:
            return ""
        normal = _ORIGIN.fullmatch(origin) and _normal_origin(origin)
        if normal and (normal in self._origins or _ORIGIN.sub(r"\2", origin).lower() == host):
            return ""
        return (
            f"Pages of {_excerpt(origin)} may not connect: add it to the viewer's allowed_origins."
        )

    def accepts_token(self, tokens: Iterable[str | None]) -> bool:
        """Whether one of the texts is the token, or none is needed."""
        return not self._token or any(
            hmac.compare_digest(self._token, token.encode(errors="replace"))
            for token in tokens
            if token is not None
        )


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine, as 127.1 does."""
    address = parse_address(host)
    return address.is_loopback if address else host.rstrip(".").lower() == "localhost"


def parse_address(host: str) -> Address | None:
    """The address that `host` is, short forms such as 127.1 included, or None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    if _LEGACY_ADDRESS.fullmatch(host):
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    return None


def split_host(host: str) -> tuple[str, str]:
    """Name, in lower case, and `:port`, or an empty string, of a header `Host`."""
    if host.startswith("["):
        name, bracket, port = host[1:].partition("]")
        right = bracket and re.fullmatch(r"(:\d+)?", port)
        return (name.lower(), port) if right else ("", "")
    name, colon, port = host.partition(":")
    return name.lower().rstrip("."), colon + port


def _names_of_this_machine() -> set[str]:
    name = socket.gethostname().lower()
    return {name, f"{name.partition('.')[0]}.local"}


def _normal_origin(origin: str) -> str:
    """An origin in lower case and without the port that its scheme has anyway.

    Raises:
        ValueError: it is none.
    """
    found = _ORIGIN.fullmatch(origin.rstrip("/"))
    if found is None:
        raise ValueError(f"{origin!r} is not an origin, such as 'https://robots.example.com'")
    scheme, host = found.group(1).lower(), found.group(2).lower()
    return f"{scheme}://{host.removesuffix(_PORTS[scheme])}"


def _excerpt(text: str) -> str:
    """A piece of what came, harmless in a log and on a page."""
    return ascii(text[:40])[1:-1][:40]
