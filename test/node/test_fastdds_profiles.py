import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

CONFIG = Path(__file__).parents[2] / "config"
NAMES = {"x": "http://www.eprosima.com"}
PUBLISHER = """
import rclpy
from std_msgs.msg import String
rclpy.init()
rclpy.create_node("probe").create_publisher(String, "probe", 1)
rclpy.shutdown()
"""


@pytest.mark.parametrize("name", ["fastdds.xml", "fastdds_local.xml"])
def test_fast_dds_reads_the_profile_without_an_error(name):
    path = str(CONFIG / name)
    profiles = {"FASTRTPS_DEFAULT_PROFILES_FILE": path, "FASTDDS_DEFAULT_PROFILES_FILE": path}
    environment = {**os.environ, **profiles, "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"}
    run = subprocess.run(
        [sys.executable, "-c", PUBLISHER], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "XMLPARSER" not in run.stdout + run.stderr


@pytest.mark.parametrize("name", ["fastdds.xml", "fastdds_local.xml"])
def test_writers_of_the_profile_speak_up_before_a_planner_misses_a_label(name):
    root = ElementTree.parse(CONFIG / name).getroot()
    (writer,) = root.findall(".//x:data_writer[@is_default_profile='true']", NAMES)
    period = writer.find("x:times/x:heartbeatPeriod", NAMES)
    seconds = {part.tag.rpartition("}")[2]: int(part.text) for part in period}
    assert seconds.get("sec", 0) + seconds["nanosec"] * 1e-9 <= 0.25
