"""Segments the images of one or several cameras.

    ros2 launch hyperseg_ros segment.launch.py
    ros2 launch hyperseg_ros segment.launch.py image_topics:=/front/image_raw,/rear/image_raw

An argument that is left out has the value of the parameter file.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

RESPAWN_DELAY = 1.0
"""Seconds between the death of the node's process and its next start."""
WRONG_PARAMETERS = 2
"""The exit code of a node that has said what is wrong with its parameters."""
CONFIG = Path(get_package_share_directory("hyperseg_ros"), "config")


def generate_launch_description() -> LaunchDescription:
    """The arguments, then what `start` makes of them."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "image_topics",
                default_value="",
                description="image topics of the cameras, as a,b or as [a, b]",
            ),
            DeclareLaunchArgument(
                "model",
                default_value="",
                description="an ONNX model file, or the name of a shipped model",
            ),
            DeclareLaunchArgument(
                "backend", default_value="", description="what runs the network, such as auto"
            ),
            DeclareLaunchArgument(
                "namespace",
                default_value="",
                description="namespace of the node, and of image topics without a leading slash",
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value=str(CONFIG / "segment.yaml"),
                description="parameters of the node",
            ),
            DeclareLaunchArgument(
                "autostart",
                default_value="",
                choices=["", "true", "false"],
                description="whether the node configures and activates itself",
            ),
            DeclareLaunchArgument(
                "respawn",
                default_value="true",
                choices=["true", "false"],
                description="whether to start the node again when its process dies",
            ),
            DeclareLaunchArgument(
                "enclave",
                default_value="",
                description="SROS 2 enclave of the node, such as /hyperseg/segmentation",
            ),
            DeclareLaunchArgument(
                "rviz",
                default_value="false",
                choices=["true", "false"],
                description="whether to show the first camera in rviz",
            ),
            DeclareLaunchArgument(
                "viewer",
                default_value="false",
                choices=["true", "false"],
                description="whether to show all cameras in the browser, on port 8090",
            ),
            DeclareLaunchArgument(
                "viewer_host",
                default_value="127.0.0.1",
                description="address of the viewer: 0.0.0.0 opens it to the network",
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
    if argument("autostart"):
        given["autostart"] = argument("autostart") == "true"
    entities: list[LaunchDescriptionEntity] = [
        Node(
            package="hyperseg_ros",
            executable="segmentation_node",
            name="segmentation",
            namespace=argument("namespace"),
            parameters=[argument("params_file"), given],
            ros_arguments=["--enclave", argument("enclave")] if argument("enclave") else [],
            output="screen",
            emulate_tty=True,
            on_exit=end_if_parameters_are_wrong,
            respawn=argument("respawn") == "true",
            respawn_delay=RESPAWN_DELAY,
        )
    ]
    if argument("rviz") == "true":
        entities.append(
            Node(
                package="rviz2",
                executable="rviz2",
                arguments=["-d", str(CONFIG / "segment.rviz")],
                remappings=rviz_remappings(argument("namespace"), image_topics),
            )
        )
    if argument("viewer") == "true":
        entities.append(
            Node(
                package="hyperseg_ros",
                executable="viewer",
                parameters=[{"host": ParameterValue(argument("viewer_host"), value_type=str)}],
                output="screen",
                emulate_tty=True,
            )
        )
    return entities


def end_if_parameters_are_wrong(
    event: ProcessExited, context: LaunchContext
) -> list[LaunchDescriptionEntity]:
    """The node would not start another time either."""
    wrong = event.returncode == WRONG_PARAMETERS
    return [Shutdown(reason="the node's parameters are wrong")] if wrong else []


def parse_topics(text: str) -> list[str]:
    """The topics in `a,b` or `[a, b]`."""
    topics = yaml.safe_load(text) if text.startswith("[") else text.split(",")
    return [topic.strip() for topic in topics if topic.strip()]


def rviz_remappings(namespace: str, image_topics: list[str]) -> list[tuple[str, str]]:
    """What turns the topics in segment.rviz into those of the first camera."""
    topic = image_topics[0] if image_topics else "camera/image_raw"
    if not topic.startswith("/"):
        topic = f"/{namespace}/{topic}".replace("//", "/")
    camera = topic.removesuffix("/compressed").rpartition("/")[0]
    outputs = ("overlay", "color")
    return [("/camera/image_raw", topic.removesuffix("/compressed"))] + [
        (f"/camera/segmentation/{name}", f"{camera}/segmentation/{name}") for name in outputs
    ]
