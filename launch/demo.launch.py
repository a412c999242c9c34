"""Segments a drive and records what comes back: the demo, in the graph of the shell.

    ros2 launch hyperseg_ros demo.launch.py
    ros2 launch hyperseg_ros demo.launch.py source:=drive.mp4 frames:=0 rviz:=true

The same program as `python -m hyperseg_ros.demo`, with its options as arguments. Its nodes are in
the namespace /demo, beside whatever else is in the graph.
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
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    LogInfo,
    OpaqueFunction,
    Shutdown,
)
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.substitutions import ExecutableInPackage

from hyperseg_ros.demo.options import OPTIONS, SOURCE
from hyperseg_ros.node.fastdds_profile import AUTO, profile_here
from hyperseg_ros.node.launching import check_arguments

CONFIG = Path(get_package_share_directory("hyperseg_ros"), "config")
FLAGS = {
    "view": "whether to show it in the browser, on port 8090",
    "rviz": "whether to show camera, overlay and labels in rviz",
}
RVIZ_TOPICS = (
    "image_raw",
    "segmentation/overlay",
    "segmentation/color",
    "segmentation/free_space/scan",
)


def generate_launch_description() -> LaunchDescription:
    """The arguments, then what `start` makes of them."""
    described = {"source": SOURCE, **{option.name: option.description for option in OPTIONS}}
    check_arguments(__file__, [*described, *FLAGS], sys.argv)
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value="", description=description)
                for name, description in described.items()
            ),
            *(
                DeclareLaunchArgument(
                    name,
                    default_value="false",
                    choices=["true", "false"],
                    description=description,
                )
                for name, description in FLAGS.items()
            ),
            OpaqueFunction(function=start),
        ]
    )


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The demo, and rviz if asked for."""

    def argument(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    arguments = [argument("source")] if argument("source") else []
    for option in OPTIONS:
        if argument(option.name):
            arguments += [option.flag, argument(option.name)]
    if argument("view") == "true":
        arguments.append("--view")
    entities: list[LaunchDescriptionEntity] = [
        ExecuteProcess(
            cmd=[ExecutableInPackage("demo", "hyperseg_ros"), *arguments],
            # A domain that is set is joined; without one it would make a graph of its own.
            additional_env={"ROS_DOMAIN_ID": os.environ.get("ROS_DOMAIN_ID", "0")},
            output="screen",
            on_exit=end,
        )
    ]
    if argument("rviz") == "true":
        profile = profile_here(argument("fastdds_profile") or AUTO, os.environ)
        entities.append(show_in_rviz(profile.variables))
    return entities


def show_in_rviz(environment: dict[str, str]) -> LaunchDescriptionEntity:
    """The process of rviz; where it is not installed, a line that says so."""
    try:
        get_package_prefix("rviz2")
    except PackageNotFoundError:
        return LogInfo(msg="rviz:=true: rviz2 is not installed; view:=true needs only a browser")
    return Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", str(CONFIG / "segment.rviz")],
        remappings=[(f"/camera/{topic}", f"/demo/camera/{topic}") for topic in RVIZ_TOPICS],
        additional_env=environment,
    )


def end(event: ProcessExited, context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Ends everything with the demo; `ros2 launch` fails if it did."""
    if event.returncode and not context.is_shutdown:
        raise RuntimeError("the demo failed, for the reason above")
    return [Shutdown(reason="the demo has ended")]
