"""Segments a drive and records what comes back: camera, segmentation node and recorder.

    ros2 launch hyperseg_ros demo.launch.py
    ros2 launch hyperseg_ros demo.launch.py source:=drive.mp4 frames:=0 rviz:=true

The same demo as `python -m hyperseg_ros.demo`, in the graph that the shell is set up for. It ends
when the recorder has written everything, or when one of the three fails.
"""

from __future__ import annotations

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

CONFIG = Path(get_package_share_directory("hyperseg_ros"), "config")

ARGUMENTS = (
    ("source", "simulated", "simulated, a video file, an image folder, or /dev/videoN"),
    ("frames", "300", "end after so many frames; 0: at the end of the source"),
    ("output", "demo_output", "folder to write to"),
    ("rate", "0.0", "frames a second; 0: the source's own"),
    ("width", "0", "of the images of the simulated camera or of a device; 0: its own"),
    ("height", "0", "like width"),
    ("seed", "0", "of the simulated drive"),
    ("model", "hyperseg-s-lite0-camvid", "an ONNX model file, or the name of a shipped model"),
    ("backend", "auto", "what runs the network"),
)


def generate_launch_description() -> LaunchDescription:
    """The arguments, then what `start` makes of them."""
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, default, description in ARGUMENTS
            ),
            DeclareLaunchArgument(
                "rviz",
                default_value="false",
                choices=["true", "false"],
                description="whether to show camera, overlay and labels in rviz",
            ),
            OpaqueFunction(function=start),
        ]
    )


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The three nodes, and rviz if asked for, with the arguments' values."""
    rviz = LaunchConfiguration("rviz").perform(context) == "true"

    def given(**types: type) -> dict[str, ParameterValue]:
        return {
            name: ParameterValue(LaunchConfiguration(name), value_type=value_type)
            for name, value_type in types.items()
        }

    camera = given(source=str, model=str, frames=int, rate=float, width=int, height=int, seed=int)
    segmentation = given(model=str, backend=str)
    entities: list[LaunchDescriptionEntity] = [
        Node(
            package="hyperseg_ros",
            executable="segmentation_node",
            name="segmentation",
            parameters=[
                str(CONFIG / "segment.yaml"),
                {
                    **segmentation,
                    "image_topics": ["/camera/image_raw"],
                    # Every drop in the report is then the mailbox's, none the transport's.
                    "input_reliability": "reliable",
                    "output_depth": 10,
                },
            ],
            output="screen",
            on_exit=Shutdown(reason="the segmentation node has ended"),
        ),
        Node(
            package="hyperseg_ros",
            executable="demo_camera",
            name="demo_camera",
            namespace="camera",
            # It waits for the node, the recorder and rviz.
            parameters=[{**camera, "subscribers": 3 if rviz else 2}],
            output="screen",
            on_exit=end_if_it_failed,
        ),
        Node(
            package="hyperseg_ros",
            executable="demo_recorder",
            name="demo_recorder",
            namespace="camera",
            parameters=[given(output=str, model=str)],
            output="screen",
            on_exit=Shutdown(reason="the recorder has ended"),
        ),
    ]
    if rviz:
        entities.append(
            Node(
                package="rviz2", executable="rviz2", arguments=["-d", str(CONFIG / "segment.rviz")]
            )
        )
    return entities


def end_if_it_failed(event: ProcessExited, context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """A camera that has reached the end of its drive leaves the recorder its time."""
    return [Shutdown(reason=f"{event.process_name} failed")] if event.returncode else []
