"""The outputs of one camera in metres: free space as scan and grid, and labelled points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nav_msgs.msg import OccupancyGrid
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2
from std_msgs.msg import Header

from hyperseg_ros.frames.body_mask import BodyMask
from hyperseg_ros.frames.fitted_camera import FittedCamera
from hyperseg_ros.frames.frame import SegmentedFrame
from hyperseg_ros.frames.free_space import FreeSpaceMapper, GroundSettings
from hyperseg_ros.frames.labelled_points import PointsMaker
from hyperseg_ros.frames.messages import (
    laser_scan_fields,
    occupancy_grid_fields,
    point_cloud_fields,
)
from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.geometry import CalibrationError, GeometryError
from hyperseg_ros.geometry.points import has_depth
from hyperseg_ros.node.depth import Depth, Message
from hyperseg_ros.node.metric_messages import ReusedCloud, laser_scan, occupancy_grid
from hyperseg_ros.node.quality_of_service import Endpoints
from hyperseg_ros.node.transforms import Transforms

MOST_WAITING = 4
"""Frames that wait at most for depth that comes later than their labels."""

FREE_SPACE, POINTS = "free_space", "points"
"""The outputs in metres, as the parameter `outputs` names them."""


@dataclass(frozen=True)
class MetricSettings:
    """What the outputs in metres are made with."""

    ground: GroundSettings | None
    """None where free space is not asked for, or not possible."""
    transforms: Transforms | None
    body: BodyMask | None
    """The robot in the camera's images; None where it is not seen."""
    depth_topic: str
    """Empty where there is none."""
    depth_tolerance: float


@dataclass(frozen=True, eq=False)
class _Labelled:
    """What points are made of, besides depth."""

    header: Header
    frame: SegmentedFrame
    info: CameraInfo | None


class MetricOutputs:
    """The publishers of `free_space/scan`, `free_space/grid` and `points` of one camera.

    The inference thread publishes, the executor's thread calls all else.

    Args:
        node: the node that publishes.
        endpoints: creates publishers and subscriptions.
        topics: the names of the camera's topics.
        settings: of the camera.
        qos: of the publishers.

    Raises:
        ParameterError: an override of a quality of service is invalid.
    """

    def __init__(
        self,
        node: Node,
        endpoints: Endpoints,
        topics: CameraTopics,
        settings: MetricSettings,
        qos: QoSProfile,
    ) -> None:
        self._node = node
        self._topics = topics
        self._transforms = settings.transforms
        camera = FittedCamera(rectified=topics.rectified)
        self._points = PointsMaker(camera)
        self._cloud = ReusedCloud()
        self._scan_to: Publisher | None = None
        self._grid_to: Publisher | None = None
        self._points_to: Publisher | None = None
        self._depth: Depth | None = None
        self._waiting: list[_Labelled] = []
        """Frames that get points once their depth has come, the oldest first."""
        self._notify: Callable[[], None] = lambda: None
        try:
            if settings.ground is not None:
                self._mapper = FreeSpaceMapper(settings.ground, camera, settings.body)
                scan, grid = topics.output("free_space/scan"), topics.output("free_space/grid")
                self._scan_to = endpoints.publisher(LaserScan, scan, qos)
                self._grid_to = endpoints.publisher(OccupancyGrid, grid, qos)
            if settings.depth_topic:
                self._points_to = endpoints.publisher(PointCloud2, topics.output("points"), qos)
                self._depth = Depth(
                    node,
                    endpoints,
                    settings.depth_topic,
                    settings.depth_tolerance,
                    self._on_depth,
                )
        except Exception:
            self.destroy()
            raise

    @property
    def wanted(self) -> bool:
        """Whether anybody subscribes."""
        return self.wants_pose or _is_wanted(self._points_to)

    @property
    def wants_pose(self) -> bool:
        """Whether anybody subscribes to what needs the camera's pose: free space."""
        return _is_wanted(self._scan_to) or _is_wanted(self._grid_to)

    def start(self, notify: Callable[[], None]) -> None:
        """From now on `notify` is called where `publish_points` may have something to do."""
        self._notify = notify

    def follow(self) -> None:
        """Subscribes to depth while points are wanted."""
        if self._depth is not None:
            self._depth.follow(_is_wanted(self._points_to))

    def stop(self) -> None:
        """Unsubscribes from depth, and forgets the frames that wait for it."""
        self._waiting = []
        if self._depth is not None:
            self._depth.close()

    def destroy(self) -> None:
        """Removes the publishers."""
        self.stop()
        for publisher in (self._scan_to, self._grid_to, self._points_to):
            if publisher is not None:
                self._node.destroy_publisher(publisher)

    def expect(self, header: Header) -> None:
        """Says that an image is on its way through the network, to `publish` or `forget`."""
        if self._depth is not None:
            self._depth.expect(header)

    def forget(self, header: Header) -> None:
        """Says that an image will not be published."""
        if self._depth is not None:
            self._depth.forget(header)

    def publish(self, header: Header, frame: SegmentedFrame, info: CameraInfo | None) -> str:
        """Publishes the free space that somebody subscribes to; `publish_points` does the rest.

        Args:
            header: of the camera's image.
            frame: the image, segmented.
            info: the camera's calibration; None where nobody publishes one.

        Returns:
            Why free space could not be found, a sentence; empty where it could.
        """
        if _is_wanted(self._points_to):
            self._waiting.append(_Labelled(header, frame, info))
        else:
            self.forget(header)
        if self.wants_pose:
            try:
                self._publish_free_space(header, frame, info)
            except GeometryError as error:
                return str(error)
        return ""

    def publish_points(self) -> list[str]:
        """Publishes the points of the newest frame whose depth has come.

        One cloud at most: a second one at once would take the place of the first in a queue of 1.
        Frames that are older go without points. The oldest of too many that wait takes the depth
        that is nearest by then, or goes without points.

        Returns:
            Why frames go without, a sentence for each.
        """
        if self._depth is None or not self._waiting:
            return []
        waiting = self._waiting
        if not _is_wanted(self._points_to):
            self._end_wait(len(waiting))
            return []
        for index in reversed(range(len(waiting))):
            may_wait = index >= len(waiting) - MOST_WAITING
            depth = self._depth.find(waiting[index].header, patient=may_wait)
            if depth is not None:
                self._end_wait(index + 1)
                failed = ["the depth of a newer image has come"] * index
                try:
                    if not self._publish_cloud(waiting[index], depth):
                        failed.append(
                            f"what {self._depth.topic} sends has no depth: all of it is 0 or not "
                            "finite; the cloud is empty"
                        )
                except GeometryError as error:
                    failed.append(str(error))
                return failed
        reasons = [self._depth.missing(each.header) for each in waiting[:-MOST_WAITING]]
        self._end_wait(len(reasons))
        return reasons

    def _end_wait(self, count: int) -> None:
        """Ends the wait of the oldest frames."""
        done, self._waiting = self._waiting[:count], self._waiting[count:]
        for each in done:
            self.forget(each.header)

    def _on_depth(self) -> None:
        if self._waiting:
            self._notify()

    def _publish_free_space(
        self, header: Header, frame: SegmentedFrame, info: CameraInfo | None
    ) -> None:
        assert self._transforms is not None
        pose = self._transforms.pose(self._topics.image, header)
        free_space = self._mapper.find(frame, self._needed(info), pose)
        ground = Header(stamp=header.stamp, frame_id=self._transforms.ground_frame)
        if self._grid_to is not None and _is_wanted(self._grid_to):
            layout, cells = self._mapper.grid(free_space)
            fields = occupancy_grid_fields(layout, cells, ground.stamp)
            self._grid_to.publish(occupancy_grid(ground, fields))
        if self._scan_to is not None and _is_wanted(self._scan_to):
            scan = laser_scan_fields(self._mapper.scan(free_space))
            self._scan_to.publish(laser_scan(ground, scan))

    def _publish_cloud(self, labelled: _Labelled, depth: Message) -> bool:
        """Publishes the points of a frame; whether there are any."""
        assert self._points_to is not None
        header, frame, info = labelled.header, labelled.frame, labelled.info
        frame_id = header.frame_id
        if isinstance(depth, Image):
            points = self._points.of_depth(frame, self._needed(info), depth, self._cloud.canvas)
        else:
            points = self._points.of_cloud(frame, depth, self._cloud.canvas)
            frame_id = depth.header.frame_id
        cloud_header = Header(stamp=header.stamp, frame_id=frame_id)
        self._points_to.publish(self._cloud.message(cloud_header, point_cloud_fields(points)))
        return has_depth(points)

    def _needed(self, info: CameraInfo | None) -> CameraInfo:
        if info is None:
            raise CalibrationError(
                f"nobody publishes {self._topics.camera_info}: metres need the camera's calibration"
            )
        return info


def _is_wanted(publisher: Publisher | None) -> bool:
    return publisher is not None and publisher.get_subscription_count() > 0
