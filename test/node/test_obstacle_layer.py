"""The contract with Nav2's obstacle layer, kept by a costmap that marks and clears as it does.

Of each scan the layer takes inf for a range just short of the longest (`inf_is_valid`), drops all
else that is not finite or not within the scan's range, or not within the heights of the source,
clears the cells from the sensor to each point within the ray-tracing range, and then marks the
points within the heights of the layer and the obstacle range: nav2_costmap_2d's obstacle_layer.cpp,
observation_buffer.cpp and `Costmap2D::raytraceLine`, of Jazzy.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sensor_msgs.msg import CameraInfo, LaserScan

import models
from hyperseg_ros.classes import CAMVID
from hyperseg_ros.node.conversions import to_image
from hyperseg_ros.simulation import Mount, StreetCamera

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "nav2.md"
HEIGHT, WIDTH = 240, 320
FREE, LETHAL, UNKNOWN = 0, 254, 255
CAR, ROAD = CAMVID.index("car"), CAMVID.index("road")


def documented() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The costmap, its obstacle layer and the source of that, as the page has them."""
    section = DOCUMENT.read_text().partition("## Free space in an obstacle layer")[2]
    _, text, *_ = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    costmap = yaml.safe_load(text)["local_costmap"]["local_costmap"]["ros__parameters"]
    layer = costmap["free_space_layer"]
    return costmap, layer, layer[layer["observation_sources"]]


class Costmap:
    """A costmap around a robot that stands at the origin, and what the layer makes of scans.

    Args:
        ground: height of the ground, where the scan's points are, in the costmap's frame; metres.
    """

    def __init__(self, ground: float) -> None:
        costmap, self.layer, self.source = documented()
        self.resolution = costmap["resolution"]
        side = round(costmap["width"] / self.resolution)
        self.cells = np.full((side, side), UNKNOWN, np.uint8)
        self._ground = ground
        self._middle = side * self.resolution / 2

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """Row and column of a point."""
        column, row = (math.floor((v + self._middle) / self.resolution) for v in (x, y))
        return row, column

    def update(self, scan: LaserScan) -> None:
        """Clears and marks."""
        points = self._points(scan) if self._has_height(self.source) else []
        for x, y in points:
            self._clear(x, y)
        nearest, farthest = self.source["obstacle_min_range"], self.source["obstacle_max_range"]
        for x, y in points if self._has_height(self.layer) else []:
            if nearest <= math.hypot(x, y) <= farthest:
                self.cells[self.cell(x, y)] = LETHAL

    def _has_height(self, limits: dict[str, Any]) -> bool:
        low, high = limits.get("min_obstacle_height", 0.0), limits.get("max_obstacle_height", 0.0)
        return bool(low <= self._ground <= high)

    def _cells(self, name: str) -> int:
        """A range of the source in cells."""
        return math.ceil(self.source[name] / self.resolution)

    def _points(self, scan: LaserScan) -> list[tuple[float, float]]:
        assert self.source["inf_is_valid"]
        points = []
        for index, value in enumerate(scan.ranges):
            reach = scan.range_max - 1e-4 if value == math.inf else value
            if math.isfinite(reach) and scan.range_min <= reach < scan.range_max:
                angle = scan.angle_min + index * scan.angle_increment
                points.append((reach * math.cos(angle), reach * math.sin(angle)))
        return points

    def _clear(self, x: float, y: float) -> None:
        """Frees the cells towards a point, one in each row or column, whichever are more."""
        start, end = np.array(self.cell(0, 0)), np.array(self.cell(x, y))
        away = float(np.hypot(*(end - start)))
        nearest, farthest = self._cells("raytrace_min_range"), self._cells("raytrace_max_range")
        if away == 0 or away < nearest:
            return
        begin = (start + (end - start) / away * nearest).astype(int)
        steps = int(np.abs(end - begin).max())
        shares = np.arange(int(min(1.0, farthest / away) * steps) + 1) / max(steps, 1)
        rows, columns = np.rint(begin[:, None] + (end - begin)[:, None] * shares).astype(int)
        self.cells[rows, columns] = FREE

    def near(self, x: float, y: float, margin: float) -> np.ndarray:
        """The cells within a margin of a point."""
        row, column = self.cell(x, y)
        reach = math.ceil(margin / self.resolution)
        return self.cells[row - reach : row + reach + 1, column - reach : column + reach + 1]


class Drive:
    """A camera that publishes exact colours of the classes, so that labels are known."""

    def __init__(self, graph, street: StreetCamera, index: int) -> None:
        self.graph, self.labels = graph, street.frame(index).labels
        k = street.intrinsics
        self.info = CameraInfo(
            height=HEIGHT, width=WIDTH, distortion_model="plumb_bob", d=[0.0] * 5
        )
        self.info.k = [k.fx, 0.0, k.cx, 0.0, k.fy, k.cy, 0.0, 0.0, 1.0]
        self.images = graph.talk(graph.topic("image_raw"))
        self.infos = graph.talk(graph.topic("camera_info"), CameraInfo)

    def scan(self, labels: np.ndarray, received: list[LaserScan]) -> LaserScan:
        """The scan of an image of these labels."""
        colors = np.array(CAMVID.colors, np.uint8)[labels]
        header = self.graph.header()
        header.frame_id = "front_optical"
        self.info.header = header
        message = to_image(header, np.ascontiguousarray(colors), "rgb8")

        def came() -> LaserScan | None:
            """Shown again and again: an image that is there before the calibration has no scan."""
            self.infos.publish(self.info)
            self.images.publish(message)
            self.graph.settle(0.2)
            return next((scan for scan in received if scan.header.stamp == header.stamp), None)

        return self.graph.wait(came, "the scan")


@pytest.fixture(scope="module")
def fine(tmp_path_factory):
    """A model of known answers, at the size of the images."""
    folder = tmp_path_factory.mktemp("model")
    return models.write_palette_model(folder / "palette.onnx", input_size=(HEIGHT, WIDTH))


def test_a_costmap_is_marked_and_cleared_as_the_street_is(graph, fine):
    street = StreetCamera(
        seed=500_002, width=WIDTH, height=HEIGHT, mount=Mount(1.3, 0.05, 0.1, 0.02)
    )
    index = 21
    pose = street.pose(index)
    mount = [0.0, 0.0, pose.height, pose.roll, pose.pitch, pose.yaw]
    graph.start(model=str(fine), ground_frame="base_footprint", **{"mount.default": mount})
    scans = graph.listen(graph.topic("segmentation/free_space/scan"), LaserScan)
    # The ground that the robot stands on may be a little lower than where it started.
    drive, costmap = Drive(graph, street, index), Costmap(ground=-0.05)

    scan = drive.scan(drive.labels, scans)
    assert scan.header.frame_id == "base_footprint"
    assert scan.range_max > costmap.source["obstacle_max_range"]
    costmap.update(scan)
    bearings = scan.angle_min + np.arange(len(scan.ranges)) * scan.angle_increment
    truth = street.free_space(index, bearings, scan.range_max, beam=scan.angle_increment)
    reachable = truth.ranges < costmap.source["obstacle_max_range"] - 0.5
    said = np.isfinite(scan.ranges)
    directions = np.stack([np.cos(bearings), np.sin(bearings)], axis=1)

    # Every obstacle of the truth is marked where it is,
    things = [
        (*(directions[i] * truth.ranges[i]), 0.1 + 0.04 * truth.ranges[i])
        for i in np.flatnonzero(reachable & said)
    ]
    assert len(things) >= 15
    marked = [(costmap.near(x, y, margin) == LETHAL).any() for x, y, margin in things]
    assert np.mean(marked) > 0.95
    # nothing else is,
    rows, columns = np.nonzero(costmap.cells == LETHAL)
    lethal = (np.stack([columns, rows], axis=1) + 0.5) * costmap.resolution - 15.0
    ends = directions[np.isfinite(truth.ranges)] * truth.ranges[np.isfinite(truth.ranges), None]
    gaps = np.linalg.norm(lethal[:, None] - ends[None], axis=-1).min(axis=1)
    assert (gaps < 0.1 + 0.06 * np.linalg.norm(lethal, axis=1)).mean() > 0.95
    # and the ground before it is free; what the camera does not see stays unknown.
    for i in np.flatnonzero(truth.ranges == np.inf):
        if scan.ranges[i] == math.inf:
            x, y = directions[i] * 8.0
            assert (costmap.near(x, y, 0.1) == FREE).any()
    assert costmap.cells[costmap.cell(1.0, 0.0)] == UNKNOWN
    assert costmap.cells[costmap.cell(-5.0, 0.0)] == UNKNOWN

    # The cars drive off: what they hid is road now.
    assert (drive.labels == CAR).mean() > 0.005
    gone = np.where(drive.labels == CAR, ROAD, drive.labels).astype(np.uint8)
    costmap.update(drive.scan(gone, scans))
    cars = np.flatnonzero(reachable & said & (truth.labels == CAR))
    cleared = [
        costmap.cells[costmap.cell(*(directions[i] * truth.ranges[i]))] != LETHAL for i in cars
    ]
    assert len(cars) >= 5
    assert np.mean(cleared) > 0.9
