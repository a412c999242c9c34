"""Where the cameras of a recording are above the ground: as named, else by its /tf_static."""

from __future__ import annotations

from collections.abc import Mapping

from hyperseg_ros.frames.topics import DEFAULT, CameraTopics
from hyperseg_ros.geometry import Pose, PoseError
from hyperseg_ros.geometry.transform_tree import Transform, pose_along
from hyperseg_ros.recordings.camera_options import of_camera
from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.reading import Recording

TF_STATIC = "/tf_static"
_TF_MESSAGE = "tf2_msgs/msg/TFMessage"


class Poses:
    """The poses of the cameras of a recording.

    Args:
        recording: whose /tf_static is read, here and not later.
        mounts: the poses of cameras by image topic; of all others by `DEFAULT`.
        ground_frame: x forward, y left, z up; the ground is z = 0.
    """

    def __init__(self, recording: Recording, mounts: Mapping[str, Pose], ground_frame: str) -> None:
        self._mounts = mounts
        self._ground_frame = ground_frame
        self._transforms = static_transforms(recording) if DEFAULT not in mounts else {}
        self._found: dict[str, Pose] = {}

    def pose(self, camera: CameraTopics, frame_id: str) -> Pose:
        """The pose of a camera.

        Args:
            camera: one of the recording.
            frame_id: of its image.

        Raises:
            PoseError: there is none; the text says why.
        """
        mount = of_camera(self._mounts, camera, None)
        if mount is not None:
            return mount
        frame = frame_id.lstrip("/")
        if frame not in self._found:
            try:
                self._found[frame] = pose_along(self._transforms, frame, self._ground_frame)
            except PoseError as error:
                raise PoseError(
                    f"{TF_STATIC} does not say where the camera is: {error}; name its pose with "
                    f"--mount {camera.image}=X,Y,Z,ROLL,PITCH,YAW"
                ) from None
        return self._found[frame]


def has_static_transforms(recording: Recording) -> bool:
    """Whether a recording has a /tf_static with anything in it."""
    return any(t.name == TF_STATIC and t.type == _TF_MESSAGE for t in recording.topics)


def static_transforms(recording: Recording) -> dict[str, Transform]:
    """The transforms of /tf_static, by frame; the last word on each counts, wherever it comes."""
    found: dict[str, Transform] = {}
    if not has_static_transforms(recording):
        return found
    for stored in recording.messages([TF_STATIC]):
        try:
            message = recording.decode(stored)
        except RecordingError:
            continue  # what it would have said is missed where it is needed
        for item in message.transforms:
            move, turn = item.transform.translation, item.transform.rotation
            found[item.child_frame_id.lstrip("/")] = Transform(
                item.header.frame_id.lstrip("/"),
                (move.x, move.y, move.z),
                (turn.x, turn.y, turn.z, turn.w),
            )
    return found
