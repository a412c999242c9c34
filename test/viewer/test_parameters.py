from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hyperseg_ros.node.declared_parameters import ParameterError
from hyperseg_ros.viewer.parameters import Parameters

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "viewer.md"


def test_the_documented_parameters_are_those_there_are():
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \|", DOCUMENT.read_text(), re.MULTILINE)
    defaults = {
        name: json.dumps(value) if isinstance(value, tuple) or value == "" else str(value)
        for name, value in vars(Parameters()).items()
    }
    assert dict(rows) == defaults


@pytest.mark.parametrize(("host", "local"), [("127.1", True), ("::1", True), ("0.0.0.0", False)])
def test_whether_only_this_machine_can_connect(host, local):
    assert Parameters(host=host).local == local


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"allowed_origins": ("robots",)}, "allowed_origins: 'robots' is not an origin"),
        ({"base_path": "viewer"}, "base_path 'viewer': it must begin and end with /"),
        ({"base_path": "/a b/"}, "base_path"),
        ({"token": "short"}, "token: it must be 8 letters, digits, - or _ at least"),
        ({"token": "with a space"}, "token"),
    ],
)
def test_what_cannot_be_is_refused(values, reason):
    with pytest.raises(ParameterError, match=reason):
        Parameters(**values).check()


def test_a_path_and_a_token_that_can_be():
    Parameters(base_path="/robots/7/viewer/", token="correct-horse_1").check()
