"""Where a camera is above the ground: from TF where it is installed, else from parameters."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from hyperseg_ros.frames.topics import DEFAULT
from hyperseg_ros.geometry import Pose, PoseError
from hyperseg_ros.node.stamps import nanoseconds
from hyperseg_ros.node.throttled_log import LOG_PERIOD, ThrottledLog

try:
    import tf2_ros
except ImportError:  # not among the ROS 2 wheels of PyPI
    tf2_ros = None

LATE = 0.5
"""Seconds that the latest transform may be older than the image."""
LOOK = 2.0
"""Seconds that TF is listened to before a mount is broadcast: a frame has one parent, and whoever
gives it another must be heard first, since a static transform cannot be taken back."""


class _Rivals:
    """Passes transforms on to a buffer, and notes whoever else says where a frame is.

    Args:
        buffer: of tf2_ros, or what has its methods that take transforms.
        ours: the transforms that are not noted, by the frame that each places.
    """

    def __init__(self, buffer: Any, ours: Mapping[str, TransformStamped]) -> None:
        self._buffer = buffer
        self._ours = ours
        self.parents: dict[str, str] = {}
        """Of all frames, by their names, that others have placed."""

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Takes a transform for a time."""
        self._note(transform)
        self._buffer.set_transform(transform, authority)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Takes a transform for good."""
        self._note(transform)
        self._buffer.set_transform_static(transform, authority)

    def _note(self, transform: TransformStamped) -> None:
        child, parent = transform.child_frame_id, transform.header.frame_id
        ours = self._ours.get(child)
        if ours is not None and (ours.header.frame_id, ours.transform) == (
            parent,
            transform.transform,
        ):
            return
        self.parents[child] = parent


class Transforms:
    """The poses of the cameras in the ground frame.

    Args:
        node: the node that listens to TF.
        ground_frame: x forward, y left, z up; the ground is z = 0.
        mounts: the poses of cameras by image topic; of all others by `topics.DEFAULT`.
        broadcast: whether to publish these poses as static transforms, where nobody else says
            where the camera's frame is.
    """

    def __init__(
        self, node: Node, ground_frame: str, mounts: Mapping[str, Pose], broadcast: bool
    ) -> None:
        self.ground_frame = ground_frame
        self._node = node
        self._mounts = mounts
        self._buffer = tf2_ros.Buffer() if tf2_ros is not None else None
        self._listener: Any = None
        self._broadcaster: Any = None
        self._log = ThrottledLog(node.get_logger())
        self._found: set[str] = set()
        """The frames whose pose TF has given since it is listened to."""
        self._sent: dict[str, TransformStamped] = {}
        """The mounts that are broadcast, by the camera's frame."""
        self._rivals = _Rivals(self._buffer, self._sent)
        self._looks_since = math.inf
        """When TF was begun to be listened to, seconds of a steady clock."""
        if broadcast and tf2_ros is not None:
            self._broadcaster = tf2_ros.StaticTransformBroadcaster(node)
        elif broadcast:
            node.get_logger().warning("tf2_ros is not installed: mounts are not broadcast")

    def listen(self, wanted: bool) -> None:
        """Subscribes to TF, which robots publish hundreds of times a second, while it is wanted."""
        if self._buffer is None or wanted == (self._listener is not None):
            return
        if wanted:
            heard = self._buffer if self._broadcaster is None else self._rivals
            self._listener = tf2_ros.TransformListener(heard, self._node, spin_thread=False)
            self._looks_since = time.monotonic()
        else:
            self._listener.unregister()
            self._listener = None
            self._looks_since = math.inf
            self._found.clear()
            self._rivals.parents.clear()

    def clock_jumped(self) -> None:
        """Forgets what TF said; to be called when the clock has jumped back."""
        if self._buffer is not None:
            self._buffer.clear()
            self._found.clear()

    def close(self) -> None:
        """Stops listening, and takes the broadcast mounts back."""
        self.listen(False)
        broadcaster, self._broadcaster = self._broadcaster, None
        if broadcaster is not None:
            self._node.destroy_publisher(broadcaster.pub_tf)

    def pose(self, camera: str, header: Header) -> Pose:
        """The pose of a camera when it took an image.

        Args:
            camera: its image topic.
            header: of the image.

        Raises:
            PoseError: there is none; the text says why.
        """
        mount = self._mounts.get(camera, self._mounts.get(DEFAULT))
        if mount is not None and self._broadcaster is not None:
            self._announce(camera, mount, header)
        try:
            pose = self._from_tf(header)
        except PoseError as error:
            if mount is None:
                raise
            if header.frame_id in self._found:  # a robot that counts on TF drives by a guess
                self._log.warning(
                    camera, f"free_space of {camera} goes by its mount, no longer by TF: {error}"
                )
            return mount
        self._found.add(header.frame_id)
        return pose

    def _from_tf(self, header: Header) -> Pose:
        if self._buffer is None:
            raise PoseError(
                "the camera's pose above the ground is not known: set mount.default to "
                "[x, y, z, roll, pitch, yaw] (tf2_ros is not installed)"
            )
        if not header.frame_id:
            raise PoseError("the images have no frame_id to look up in TF: set mount.default")
        if header.stamp.sec < 0:
            raise PoseError("the images have a stamp below zero, which TF cannot look up")
        try:
            try:
                found = self._buffer.lookup_transform(
                    self.ground_frame, header.frame_id, Time.from_msg(header.stamp)
                )
            except tf2_ros.ExtrapolationException:
                found = self._buffer.lookup_transform(self.ground_frame, header.frame_id, Time())
                self._check_age(found, header)
        except tf2_ros.TransformException as error:
            raise PoseError(
                f"TF does not have {header.frame_id} in {self.ground_frame}: {error}; publish it, "
                "or set ground_frame or mount.default"
            ) from None
        move, turn = found.transform.translation, found.transform.rotation
        return Pose.from_transform((move.x, move.y, move.z), (turn.x, turn.y, turn.z, turn.w))

    def _check_age(self, found: TransformStamped, header: Header) -> None:
        late = (nanoseconds(header) - nanoseconds(found.header)) / 1e9
        if abs(late) > LATE:
            order = "older" if late > 0 else "newer"
            raise PoseError(
                f"the transform from {header.frame_id} to {self.ground_frame} is {abs(late):.2f} s "
                f"{order} than the image: TF has stopped, or the clocks differ"
            )

    def _announce(self, camera: str, mount: Pose, header: Header) -> None:
        """Publishes a mount, once for each frame, unless others say where the frame is."""
        frame = header.frame_id
        if not frame or time.monotonic() - self._looks_since < LOOK or self._broadcaster is None:
            return
        parent = self._rivals.parents.get(frame)
        if parent is not None:
            self._warn_of_rival(camera, frame, parent)
            return
        if frame in self._sent:
            return
        message = TransformStamped(child_frame_id=frame)
        message.header.frame_id = self.ground_frame
        message.header.stamp = header.stamp
        move, turn = message.transform.translation, message.transform.rotation
        move.x, move.y, move.z = mount.position
        turn.x, turn.y, turn.z, turn.w = mount.quaternion
        self._sent[frame] = message
        # All of them: Humble latches the last message only.
        self._broadcaster.sendTransform(list(self._sent.values()))

    def _warn_of_rival(self, camera: str, frame: str, parent: str) -> None:
        remedy = f"set mount_broadcast to false, or drop the mount of {camera}"
        if frame in self._sent:
            self._log.warning(
                f"parents of {frame}",
                f"TF has {frame} twice, in {self.ground_frame} by mount_broadcast and in {parent} "
                f"by another node: {remedy}, and restart what listens to TF",
                10 * LOG_PERIOD,
            )
        else:
            self._log.warning(
                f"parent of {frame}",
                f"the mount of {camera} is not broadcast: TF has {frame} in {parent} already, and "
                f"a frame has one parent; {remedy}",
                math.inf,
            )
