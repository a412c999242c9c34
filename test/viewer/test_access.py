from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.viewer.access import Access, is_loopback, parse_address, split_host

THIS = socket.gethostname().lower()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.2", "127.1", "0x7f.1", "::1", "localhost", "LOCALHOST."]
)
def test_this_machine(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "192.168.0.7", "robot.local", "localhost.x", "127.1 x", "1"]
)
def test_the_network(host):
    assert not is_loopback(host)


def test_short_addresses_are_what_they_are():
    assert parse_address("127.1") == ipaddress.ip_address("127.0.0.1")
    assert parse_address("10.258") == ipaddress.ip_address("10.0.1.2")
    assert parse_address("fe80::1") == ipaddress.ip_address("fe80::1")
    assert parse_address("127.1.x") is None


@pytest.mark.parametrize(
    ("header", "parts"),
    [
        ("Localhost:80", ("localhost", ":80")),
        ("robot.local.", ("robot.local", "")),
        ("[::1]:8", ("::1", ":8")),
        ("[::1]x", ("", "")),
        ("[::1", ("", "")),
        ("", ("", "")),
    ],
)
def test_the_parts_of_a_host(header, parts):
    assert split_host(header) == parts


LOCAL = Access("127.0.0.1")
OPEN = Access("0.0.0.0")
BEHIND_PROXY = Access("127.0.0.1", ["https://Robots.example.com", "http://lab:8080/"])


@pytest.mark.parametrize(
    ("access", "host"),
    [
        (LOCAL, "localhost:8090"),
        (LOCAL, "127.9.8.7"),
        (LOCAL, "127.1:8090"),
        (LOCAL, "[::1]:8090"),
        (OPEN, "192.168.0.7:8090"),
        (OPEN, "[fe80::1]"),
        (OPEN, "localhost"),
        (OPEN, f"{THIS}:8090"),
        (OPEN, f"{THIS.partition('.')[0].upper()}.local"),
        (Access("Robot.Local"), "robot.local:8090"),
        (Access(""), "10.0.0.1"),
        (BEHIND_PROXY, "robots.example.com"),
        (BEHIND_PROXY, "lab:8080"),
        (BEHIND_PROXY, "localhost:8090"),
    ],
)
def test_names_and_addresses_of_this_machine_are_served(access, host):
    assert access.refuse_host(host) == ""


@pytest.mark.parametrize("access", [LOCAL, OPEN, BEHIND_PROXY])
@pytest.mark.parametrize(
    "host",
    ["evil.com", "127.0.0.1.evil.com", "localhost.evil.com", "", "[::1", "evil.com:8090", "lab.x"],
)
def test_other_names_are_refused_with_what_to_do(access, host):
    assert "add its origin to allowed_origins" in access.refuse_host(host)


def test_an_address_of_the_network_is_not_this_machine():
    assert LOCAL.refuse_host("192.168.0.7")


@pytest.mark.parametrize(
    ("access", "origin", "host"),
    [
        (LOCAL, None, "localhost"),
        (LOCAL, "http://localhost:8090", "localhost:8090"),
        (OPEN, "http://192.168.0.7:8090", "192.168.0.7:8090"),
        (BEHIND_PROXY, "https://robots.example.com", "127.0.0.1:8090"),
        (BEHIND_PROXY, "https://robots.example.com:443", "robots.example.com"),
        (BEHIND_PROXY, "http://lab:8080", "127.0.0.1:8090"),
    ],
)
def test_its_own_pages_connect(access, origin, host):
    assert access.refuse_origin(origin, host) == ""


@pytest.mark.parametrize("access", [LOCAL, OPEN, BEHIND_PROXY])
@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.com",
        "http://localhost:1",
        "http://lab:8081",
        "https://lab:8080",
        "http://robots.example.com.evil.com",
        "http://robots.example.com",
        "",
        "file://",
    ],
)
def test_pages_of_other_sites_do_not(access, origin):
    assert "may not connect" in access.refuse_origin(origin, "localhost:8090")


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_headers_are_served_or_refused_in_one_short_line(host, origin):
    for reason in (OPEN.refuse_host(host), OPEN.refuse_origin(origin, host)):
        assert len(reason) <= 120
        assert reason.isprintable()
        assert reason.isascii()


@pytest.mark.parametrize("origin", ["robots", "ftp://x", "https://", "https://a/b", "*", ""])
def test_an_origin_has_a_scheme_and_a_name(origin):
    with pytest.raises(ValueError, match="is not an origin, such as"):
        Access("127.0.0.1", [origin])


def test_the_token_is_compared_whole():
    access = Access("0.0.0.0", token="correct-horse")
    assert access.needs_token
    assert access.accepts_token([None, "correct-horse"])
    for wrong in ("", "correct", "correct-horse-", "ä"):
        assert not access.accepts_token([wrong, None])
    assert Access("0.0.0.0").accepts_token([None])
