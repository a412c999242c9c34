"""Any parameter file, valid YAML or not, is taken or refused in one line with exit code 2."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hyperseg_ros.demo.camera import CameraParameters
from hyperseg_ros.node.parameters import Parameters
from hyperseg_ros.viewer.parameters import Parameters as ViewerParameters

SERVER = """
import os, sys
from hyperseg_ros.demo import camera, program
from hyperseg_ros.node import process
from hyperseg_ros.node.segmentation_node import SegmentationNode
from hyperseg_ros.viewer import hub, main as viewer_main

def made(kind):
    def make(*arguments):
        kind(*arguments)
        os._exit(0)
    return make

viewer_main.Hub = made(hub.Hub)
RUN = {
    "segmentation": lambda argv: process.run(argv, made(SegmentationNode)),
    "viewer": viewer_main.main,
    "demo_camera": lambda argv: program.run_program(made(camera.CameraNode), argv),
}
for line in sys.stdin:
    which, file, log = line.split()
    child = os.fork()
    if child == 0:
        sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        code = 1
        try:
            code = RUN[which](["x", "--ros-args", "--params-file", file])
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Starts nodes that end as soon as they stand, each in a process forked from this one."""

Start = Callable[[str, bytes], tuple[int, str]]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a program with a parameter file; its exit code, and all it said."""
    folder = tmp_path_factory.mktemp("parameters")
    file, log = folder / "parameters.yaml", folder / "log.txt"
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def start_(program: str, content: bytes) -> tuple[int, str]:
        file.write_bytes(content)
        server.stdin.write(f"{program} {file} {log}\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return code, log.read_bytes().decode(errors="replace")

    yield start_
    server.stdin.close()
    server.wait()


def assert_taken_or_refused(outcome: tuple[int, str], content: bytes) -> None:
    code, said = outcome
    assert code in (0, 2), (content, said)
    assert "Traceback" not in said, (content, said)
    if code == 2:
        assert len(said.strip().splitlines()) == 1, (content, said)


PROGRAMS = {
    "segmentation": Parameters,
    "viewer": ViewerParameters,
    "demo_camera": CameraParameters,
}
SCALARS = (
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["", "*", "a", "/a/b", "road", "auto", "0.0.0.0", "~", "a b", "ä"])
    | st.text(max_size=8)
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(), SCALARS, max_size=2)


@pytest.mark.parametrize("program", PROGRAMS)
@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_values_are_taken_or_refused(start, program, data):
    names = [field.name for field in dataclasses.fields(PROGRAMS[program])]
    if program == "segmentation":
        names += ["palette.road", "mask_groups.a", "regions_of_interest.default"]
    names += ["use_sim_time", "qos_overrides", "modle"]
    given_ = data.draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=3))
    content = json.dumps({"/**": {"ros__parameters": given_}}).encode(errors="replace")
    assert_taken_or_refused(start(program, content), content)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.binary(max_size=60) | st.text(st.sampled_from("/*:[]{}\n -#&!|>'\"abr_1."), max_size=60))
def test_any_bytes_are_taken_or_refused(start, content):
    content = content.encode() if isinstance(content, str) else content
    assert_taken_or_refused(start("segmentation", content), content)


HEAD = "/**:\n  ros__parameters:\n    "


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("image_topics: []", "image_topics is empty: name at least one camera's image topic"),
        ("outputs: []", "outputs is empty"),
        ("threads: []", "threads has no value: it must be an integer from 0 to 256"),
        ("threads:", "No value at line 3"),
        ("outputs: [label, 1]", "Sequence should be of same type"),
        ("outputs: [label", "Error parsing a event near line 3"),
        ("use_sim_time: 5", "use_sim_time"),
        ("qos_overrides: 5", "no parameter 'qos_overrides'"),
    ],
)
def test_what_is_wrong_is_said(start, text, reason):
    code, said = start("segmentation", (HEAD + text + "\n").encode())
    assert code == 2
    assert reason in said
    assert ".c:" not in said  # no place in somebody's source


@pytest.mark.parametrize(
    "text",
    [
        "mask_classes: []",
        "palette: {}",
        "mask_groups: {}",
        "regions_of_interest: {default: []}",
        "mask_groups: {a: []}",
        "min_confidence: 1",
        "max_rate: 0",
    ],
)
def test_what_is_empty_or_whole_is_taken(start, text):
    assert start("segmentation", (HEAD + text + "\n").encode()) == (0, "")


def test_a_file_that_is_not_there_is_said(tmp_path: Path):
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from hyperseg_ros.node.main import main; sys.exit(main(sys.argv))",
            "--ros-args",
            "--params-file",
            str(tmp_path / "nowhere.yaml"),
        ],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 2
    assert "nowhere.yaml" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
