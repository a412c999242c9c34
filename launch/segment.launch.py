"""Segments the images of one or several cameras.

    ros2 launch hyperseg_ros segment.launch.py
    ros2 launch hyperseg_ros segment.launch.py image_topics:=/front/image_raw,/rear/image_raw

An argument that is left out has the value of the parameter file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_directory,
)
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.events.process import ProcessExited
from launch.logging import get_logger
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from hyperseg_ros.node.fastdds_profile import AUTO, DESCRIPTION, profile_here
from hyperseg_ros.node.launching import (
    check_arguments,
    check_file,
    parse_topics,
    rviz_remappings,
)

RESPAWN_DELAY = 1.0
"""Seconds between the death of the node's process and its next start."""
WRONG_PARAMETERS = 2
"""The exit code of a node that has said what is wrong with its parameters."""
CONFIG = Path(get_package_share_directory("hyperseg_ros"), "config")


ARGUMENTS = (
    ("image_topics", "", "image topics of the cameras, as a,b or as [a, b]", ()),
    ("model", "", "an ONNX model file, or the name of a shipped model", ()),
    ("backend", "", "what runs the network, such as auto", ()),
    (
        "namespace",
        "",
        "namespace of the node, and of image topics without a leading slash",
        (),
    ),
    ("params_file", str(CONFIG / "segment.yaml"), "parameters of the node", ()),
    (
        "autostart",
        "",
        "whether the node configures and activates itself",
        ("", "true", "false"),
    ),
    (
        "use_sim_time",
        "",
        "whether time is that of a simulation or a recording, on /clock",
        ("", "true", "false"),
    ),
    (
        "respawn",
        "true",
        "whether to start the node again when its process dies",
        ("true", "false"),
    ),
    ("enclave", "", "SROS 2 enclave of the node, such as /hyperseg/segmentation", ()),
    ("rviz", "false", "whether to show the first camera in rviz", ("true", "false")),
    (
        "viewer",
        "false",
        "whether to show all cameras in the browser, on port 8090",
        ("true", "false"),
    ),
    ("viewer_host", "127.0.0.1", "address of the viewer: 0.0.0.0 opens it to the network", ()),
    ("fastdds_profile", AUTO, DESCRIPTION, ()),
)
"""Name, default, description and choices of each."""


def generate_launch_description() -> LaunchDescription:
    """The arguments, then what `start` makes of them."""
    check_arguments(__file__, [name for name, *_ in ARGUMENTS], sys.argv)
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(
                    name, default_value=default, description=description, choices=choices or None
                )
                for name, default, description, choices in ARGUMENTS
            ),
            OpaqueFunction(function=start),
        ]
    )


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The node, and rviz and the viewer if asked for, with the arguments' values."""

    def argument(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    given: dict[str, object] = {}
    image_topics = parse_topics(argument("image_topics"))
    if image_topics:
        given["image_topics"] = image_topics
    for name in ("model", "backend"):
        if argument(name):
            given[name] = ParameterValue(argument(name), value_type=str)
    switches = {
        name: argument(name) == "true" for name in ("autostart", "use_sim_time") if argument(name)
    }
    given.update(switches)
    profile = profile_here(argument("fastdds_profile"), os.environ)
    environment = profile.variables
    entities: list[LaunchDescriptionEntity] = []
    if profile.concerns:
        entities.append(LogInfo(msg=profile.said))
    else:
        get_logger("launch.user").debug(profile.said)
    entities.append(
        Node(
            package="hyperseg_ros",
            executable="segmentation_node",
            name="segmentation",
            namespace=argument("namespace"),
            parameters=[check_file("params_file", argument("params_file")), given],
            ros_arguments=["--enclave", argument("enclave")] if argument("enclave") else [],
            output="screen",
            emulate_tty=True,
            on_exit=end_if_parameters_are_wrong,
            respawn=argument("respawn") == "true",
            respawn_delay=RESPAWN_DELAY,
            additional_env=environment,
        )
    )
    clock = {name: switches[name] for name in ("use_sim_time",) if name in switches}
    if argument("rviz") == "true":
        entities.append(
            rviz(rviz_remappings(argument("namespace"), image_topics), clock, environment)
        )
    if argument("viewer") == "true":
        entities.append(viewer(argument("viewer_host"), clock, environment))
    return entities


def rviz(
    remappings: list[tuple[str, str]],
    parameters: dict[str, object],
    environment: dict[str, str],
) -> LaunchDescriptionEntity:
    """The process of rviz; where it is not installed, a line that says so."""
    try:
        get_package_prefix("rviz2")
    except PackageNotFoundError:
        return LogInfo(msg="rviz:=true: rviz2 is not installed; viewer:=true needs only a browser")
    return Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", str(CONFIG / "segment.rviz")],
        remappings=remappings,
        parameters=[parameters],
        additional_env=environment,
    )


def viewer(
    host: str, parameters: dict[str, object], environment: dict[str, str]
) -> LaunchDescriptionEntity:
    """The viewer's process."""
    return Node(
        package="hyperseg_ros",
        executable="viewer",
        parameters=[{"host": ParameterValue(host, value_type=str), **parameters}],
        output="screen",
        emulate_tty=True,
        additional_env=environment,
    )


def end_if_parameters_are_wrong(event: ProcessExited, context: LaunchContext) -> None:
    """Ends all with an error: the node, which has said why, would not start another time either."""
    if event.returncode == WRONG_PARAMETERS:
        raise RuntimeError("the parameters of the segmentation node are wrong")
