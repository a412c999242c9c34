from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hyperseg_ros.viewer.parameters import Parameters, is_loopback

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "viewer.md"


def test_the_documented_parameters_are_those_there_are():
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \|", DOCUMENT.read_text(), re.MULTILINE)
    defaults = {
        name: json.dumps(value) if isinstance(value, tuple) or value == "" else str(value)
        for name, value in vars(Parameters()).items()
    }
    assert dict(rows) == defaults


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST."])
def test_this_machine(host):
    assert is_loopback(host)
    assert Parameters(host=host).local


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.0.7", "robot.local", "localhost.x"])
def test_the_network(host):
    assert not is_loopback(host)
    assert not Parameters(host=host).local
