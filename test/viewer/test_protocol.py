from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import LaserScan

from hyperseg_ros.viewer.protocol import (
    MAX_MESSAGE,
    Drawn,
    ProtocolError,
    WantImage,
    Watch,
    parse_request,
    scan,
)


def test_ranges_are_what_json_can_have():
    ranges = [1.2345, math.inf, -math.inf, math.nan, -0.5]
    message = LaserScan(angle_min=-0.5, angle_increment=0.25, range_max=15.0, ranges=ranges)
    sent = json.loads(scan("/front/image", message))
    assert sent["ranges"] == [1.23, -1, 0, None, 0]
    assert (sent["type"], sent["camera"]) == ("scan", "/front/image")
    assert (sent["angle_min"], sent["angle_increment"], sent["range_max"]) == (-0.5, 0.25, 15.0)


@pytest.mark.parametrize(
    ("message", "request_"),
    [
        ({"type": "watch", "camera": "/front/image"}, Watch("/front/image")),
        ({"type": "watch", "camera": None}, Watch(None)),
        ({"type": "watch", "camera": "/a", "scan": True}, Watch("/a", scan=True)),
        ({"type": "watch", "camera": "/a", "scan": 1}, Watch("/a")),
        ({"type": "drawn", "frame": 7}, Drawn(7)),
        ({"type": "image", "frame": 7}, WantImage(7)),
    ],
)
def test_what_a_page_says_is_understood(message, request_):
    assert parse_request(json.dumps(message)) == request_


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * MAX_MESSAGE, "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "no such message"),
        ('{"type": "shell", "command": "ls"}', "no such message"),
        ('{"type": ["watch"]}', "no such message"),
        ('{"type": "watch", "camera": 7}', "the camera is not a topic"),
        ('{"type": "drawn"}', "the frame is not a number"),
        ('{"type": "drawn", "frame": true}', "the frame is not a number"),
        ('{"type": "image", "frame": "7"}', "the frame is not a number"),
        ("x" * (MAX_MESSAGE + 1), "a message of 1025 characters"),
    ],
)
def test_what_no_page_says_is_refused_with_a_reason(text, reason):
    with pytest.raises(ProtocolError, match=reason):
        parse_request(text)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
requests = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["watch", "drawn", "image"]) | anything}
).flatmap(
    lambda start: st.fixed_dictionaries({}, optional={"camera": anything, "frame": anything}).map(
        lambda rest: {**start, **rest}
    )
)


@given(st.text() | anything.map(json.dumps) | requests.map(json.dumps))
def test_nothing_else_than_a_reason_comes_of_anything(text):
    try:
        said = parse_request(text)
    except ProtocolError as error:
        said = str(error)
    assert isinstance(said, (Watch, Drawn, WantImage)) or (said.isascii() and said.isprintable())
