"""Which Fast DDS profile is chosen, and what the profiles that come with the package are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hyperseg_ros.node.fastdds_profile import (
    AUTO,
    FASTDDS,
    FASTRTPS,
    FILES,
    IN_FOLDER,
    ROOM,
    FastDdsProfile,
    choose_profile,
    installed_version,
)

CONFIG = Path(__file__).parents[2] / "config"
NAMES = {"x": "http://www.eprosima.com"}
PERIOD = {2: "heartbeatPeriod", 3: "heartbeat_period"}
KINDS = ("", "_local")
PUBLISHER = """
import rclpy
from std_msgs.msg import String
rclpy.init()
node = rclpy.create_node("probe")
publisher = node.create_publisher(String, "probe", 1)
segments = {line.split()[-1] for line in open("/proc/self/maps") if "/dev/shm/fast" in line}
print(max(__import__("os").path.getsize(segment) for segment in segments))
rclpy.shutdown()
"""


def profile(version: int, kind: str = "") -> Path:
    return CONFIG / FILES[version].replace(".xml", f"{kind}.xml")


@pytest.fixture
def choose(tmp_path: Path):
    """The profile for a user's word and environment."""

    def choose(asked: str = AUTO, version: int | None = 2, **environment: str) -> FastDdsProfile:
        return choose_profile(asked, CONFIG, version, environment, tmp_path)

    return choose


@pytest.mark.parametrize(("version", "variable"), [(2, FASTRTPS), (3, FASTDDS)])
def test_ours_is_set_under_the_one_name_that_is_read(choose, version, variable):
    chosen = choose(version=version)
    file = str(profile(version))
    assert chosen.variables == {variable: file}
    assert chosen.said == f"Fast DDS profile: {file} (fastdds_profile: a file, or none)"
    assert chosen.concerns


@pytest.mark.parametrize("asked", ["none", "", "''"])
def test_none_leaves_the_environment_as_it_is(choose, asked):
    assert choose(asked).variables == {}
    assert choose(asked).said == "Fast DDS profile: none is set, as asked"


def test_the_users_own_profile_goes_before_ours(choose):
    for version in (2, 3):
        chosen = choose(version=version, FASTRTPS_DEFAULT_PROFILES_FILE="/my.xml")
        assert chosen.variables == {FASTRTPS: "/my.xml"}
        assert chosen.said == f"Fast DDS profile: /my.xml of {FASTRTPS}"
    # What Fast DDS 2 does not read by this name, the user means nevertheless.
    assert choose(FASTDDS_DEFAULT_PROFILES_FILE="/my.xml").variables == {
        FASTDDS: "/my.xml",
        FASTRTPS: "/my.xml",
    }
    assert choose(FASTRTPS_DEFAULT_PROFILES_FILE="").variables == {}


def test_a_file_that_is_asked_for_goes_before_both(choose, tmp_path):
    file = tmp_path / "mine.xml"
    file.touch()
    assert choose(str(file)).variables == {FASTRTPS: str(file)}
    assert choose(str(file), version=3).variables == {FASTDDS: str(file)}
    # Kilted reads both names, and fails if they name two files.
    chosen = choose(str(file), version=3, FASTRTPS_DEFAULT_PROFILES_FILE="/other.xml")
    assert chosen.variables == {FASTRTPS: str(file)}
    with pytest.raises(ValueError, match=r"fastdds_profile: there is no file /no/such\.xml"):
        choose("/no/such.xml")


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"}, "FASTDDS_BUILTIN_TRANSPORTS is UDPv4"),
        ({"ROS_DISTRO": "humble", "ROS_LOCALHOST_ONLY": "1"}, "its UDP would leave this machine"),
    ],
)
def test_what_our_profile_would_undo_is_left_alone(choose, environment, reason):
    chosen = choose(**environment)
    assert chosen.variables == {}
    assert chosen.said.startswith(f"Fast DDS profile: none is set: {reason}")


@pytest.mark.parametrize("version", [2, 3])
def test_a_profile_in_the_current_folder_is_the_users(choose, tmp_path, version):
    (tmp_path / IN_FOLDER[version]).touch()
    assert choose(version=version).variables == {}
    assert choose(version=version, SKIP_DEFAULT_XML_FILE="1").variables
    assert choose(version=5 - version).variables


def test_under_another_middleware_nothing_is_set_or_said(choose):
    for chosen in (choose(RMW_IMPLEMENTATION="rmw_cyclonedds_cpp"), choose(version=None)):
        assert (chosen.variables, chosen.concerns) == ({}, False)
    assert choose(RMW_IMPLEMENTATION="rmw_fastrtps_dynamic_cpp").variables


def test_where_its_shared_memory_has_no_room_the_line_says_what_to_do(tmp_path):
    gone = tmp_path / "gone"
    chosen = choose_profile(AUTO, CONFIG, 2, {}, tmp_path, shared_memory=gone)
    assert (chosen.variables, chosen.said) == (
        {},
        f"Fast DDS profile: none is set: there is no {gone}",
    )
    root = ElementTree.parse(profile(2)).getroot()
    (segment,) = root.findall(".//x:segment_size", NAMES)
    assert 4 * int(segment.text) < ROOM  # node, viewer, rviz, and what Fast DDS adds


@pytest.mark.parametrize("kind", KINDS)
def test_fast_dds_reads_the_profile_without_an_error(choose, kind):
    version = installed_version()
    chosen = choose(str(profile(version, kind)), version=version)
    environment = {**os.environ, **chosen.variables, "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"}
    run = subprocess.run(
        [sys.executable, "-c", PUBLISHER], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "XMLPARSER" not in run.stdout + run.stderr
    assert int(run.stdout.split()[-1]) > 64 << 20


@pytest.mark.parametrize("kind", KINDS)
def test_profiles_of_both_versions_differ_in_one_name(kind):
    second, third = (profile(version, kind).read_text().partition("<dds ")[2] for version in (2, 3))
    assert second.count(PERIOD[2]) == 2
    assert second.replace(PERIOD[2], PERIOD[3]) == third


@pytest.mark.parametrize("kind", KINDS)
def test_writers_of_the_profile_speak_up_before_a_planner_misses_a_label(kind):
    root = ElementTree.parse(profile(2, kind)).getroot()
    (writer,) = root.findall(".//x:data_writer[@is_default_profile='true']", NAMES)
    period = writer.find(f"x:times/x:{PERIOD[2]}", NAMES)
    seconds = {part.tag.rpartition("}")[2]: int(part.text) for part in period}
    assert seconds.get("sec", 0) + seconds["nanosec"] * 1e-9 <= 0.25
