"""Labelled points: the labels of an image in three dimensions, by a depth image or a cloud."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.geometry.camera import CameraModel
from hyperseg_ros.geometry.errors import DepthError

POINT = np.dtype(
    {
        "names": ["x", "y", "z", "rgb", "label", "confidence"],
        "formats": ["<f4", "<f4", "<f4", "<u4", "u1", "u1"],
        "offsets": [0, 4, 8, 12, 16, 17],
        "itemsize": 20,
    }
)
"""A point: metres; 0xRRGGBB; class id; probability of the class x 255. In a PointCloud2 `rgb` is
FLOAT32, as PCL packs it, and the rest have their types here."""

DEPTH_ENCODINGS: Mapping[str, tuple[str, float]] = {
    "16UC1": ("u2", 0.001),
    "mono16": ("u2", 0.001),
    "32FC1": ("f4", 1.0),
}
"""NumPy type and metres a unit of depth encodings (REP 118)."""


def read_depth(
    data: bytes | bytearray | memoryview,
    height: int,
    width: int,
    encoding: str,
    step: int = 0,
    big_endian: bool = False,
) -> NDArray[np.float32]:
    """The depth of a sensor_msgs/Image's fields.

    Args:
        data: of the image.
        height, width: in pixels.
        encoding: 16UC1 (millimetres; 0 is no depth) or 32FC1 (metres), as REP 118 has it.
        step: bytes a row; 0 where rows are not padded.
        big_endian: of the numbers.

    Returns:
        Metres along the optical axis, float32 [height, width]; nan where there is no depth:
        zeros, nan, inf, below zero.

    Raises:
        DepthError: the encoding is another, or the data do not fill the image.
    """
    if encoding not in DEPTH_ENCODINGS:
        raise DepthError(
            f"a depth image is of encoding {' or '.join(DEPTH_ENCODINGS)}, not {encoding!r}"
        )
    kind, unit = DEPTH_ENCODINGS[encoding]
    item = np.dtype(f"{'>' if big_endian else '<'}{kind}")
    step = step or width * item.itemsize
    if min(height, width) < 1 or step < width * item.itemsize or step % item.itemsize:
        raise DepthError(
            f"a depth image of {width} x {height} {encoding} cannot have rows of {step} bytes"
        )
    needed = step * (height - 1) + width * item.itemsize
    if len(data) < needed:
        raise DepthError(
            f"the depth image has {len(data)} bytes; {width} x {height} {encoding} need {needed}"
        )
    strides = (step, item.itemsize)
    raw: NDArray[np.generic] = np.ndarray((height, width), item, data, strides=strides)
    depth = raw.astype(np.float32)
    if unit != 1.0:
        depth *= np.float32(unit)
    depth[~(depth > 0) | (depth == np.inf)] = np.nan
    return depth


def read_cloud(
    data: bytes | bytearray | memoryview,
    height: int,
    width: int,
    point_step: int,
    row_step: int,
    offsets: Mapping[str, int],
    big_endian: bool = False,
) -> NDArray[np.float32]:
    """The coordinates of an organized sensor_msgs/PointCloud2's fields.

    Args:
        data: of the cloud.
        height, width: of the cloud; of an organized one that of the image.
        point_step, row_step: bytes a point and a row.
        offsets: of the FLOAT32 fields x, y, z in a point, bytes.
        big_endian: of the numbers.

    Returns:
        x, y, z, float32 [height, width, 3]; nan where all three are 0, with which some drivers say
        that there is no depth.

    Raises:
        DepthError: the cloud has no x, y, z, is not organized, or its data do not fill it.
    """
    missing = [name for name in "xyz" if name not in offsets]
    if missing:
        raise DepthError(f"the cloud has no FLOAT32 field {', '.join(missing)}")
    if height < 2:
        raise DepthError(
            f"the cloud is not organized: its height is {height}; use the depth camera's "
            "registered cloud, which has the size of the image"
        )
    inside = all(0 <= offsets[name] <= point_step - 4 for name in "xyz")
    if width < 1 or not inside or row_step < width * point_step or len(data) < height * row_step:
        raise DepthError(
            f"the cloud's {len(data)} bytes are not {width} x {height} points of {point_step} "
            f"bytes in rows of {row_step}"
        )
    points = np.empty((height, width, 3), np.float32)
    order = ">" if big_endian else "<"
    for axis, name in enumerate("xyz"):
        points[..., axis] = np.ndarray(
            (height, width),
            np.dtype(f"{order}f4"),
            data,
            offset=offsets[name],
            strides=(row_step, point_step),
        )
    none = points[..., 0] == 0
    if none.any():
        none &= (points[..., 1] == 0) & (points[..., 2] == 0)
        points[none] = np.nan
    return points


class LabelledPoints:
    """Joins the labels of one camera with depth.

    Args:
        camera: of the labels' size. What is needed of each pixel is computed once.
    """

    def __init__(self, camera: CameraModel) -> None:
        self._size = camera.height, camera.width
        rays = camera.rays()
        self._x, self._y = np.ascontiguousarray(rays[..., 0]), np.ascontiguousarray(rays[..., 1])

    def of_depth(
        self,
        depth: NDArray[np.float32],
        labels: NDArray[np.uint8],
        confidence: NDArray[np.uint8],
        image: NDArray[np.uint8],
        out: NDArray[np.void] | None = None,
    ) -> NDArray[np.void]:
        """The points of a registered depth image, in the camera's optical frame.

        Args:
            depth: metres along the optical axis, float32 [H, W]; nan where unknown.
            labels, confidence: uint8 [H, W].
            image: BGR, uint8 [H, W, 3].
            out: of `POINT`, [H, W]: where to write.

        Returns:
            `POINT` [H, W]; x, y and z are nan where there is no depth.

        Raises:
            DepthError: the depth image is of another size than the camera's images.
        """
        if depth.shape != self._size:
            raise DepthError(_other_size("depth image", depth.shape, self._size))
        points = label_points(labels, confidence, image, out)
        np.multiply(self._x, depth, out=points["x"])
        np.multiply(self._y, depth, out=points["y"])
        points["z"] = depth
        return points


def of_cloud(
    cloud: NDArray[np.float32],
    labels: NDArray[np.uint8],
    confidence: NDArray[np.uint8],
    image: NDArray[np.uint8],
    out: NDArray[np.void] | None = None,
) -> NDArray[np.void]:
    """The points of an organized cloud, with labels; in the cloud's frame.

    Args:
        cloud: x, y, z in metres, float32 [H, W, 3], a point for each pixel.
        labels, confidence, image, out: as for `LabelledPoints.of_depth`.

    Raises:
        DepthError: the cloud is of another size than the labels.
    """
    if cloud.shape[:2] != labels.shape:
        raise DepthError(_other_size("cloud", cloud.shape[:2], labels.shape))
    points = label_points(labels, confidence, image, out)
    for axis, name in enumerate("xyz"):
        points[name] = cloud[..., axis]
    return points


def label_points(
    labels: NDArray[np.uint8],
    confidence: NDArray[np.uint8],
    image: NDArray[np.uint8],
    out: NDArray[np.void] | None = None,
) -> NDArray[np.void]:
    """Label, confidence and colour of each pixel, without coordinates yet, `POINT` [H, W]."""
    points = np.empty(labels.shape, POINT) if out is None else out
    points["label"], points["confidence"] = labels, confidence
    bytes_of = points.view(np.uint8).reshape(*labels.shape, POINT.itemsize)
    bytes_of[..., 12:15] = image  # blue is the lowest byte
    bytes_of[..., 15] = 0
    return points


def has_depth(points: NDArray[np.void]) -> bool:
    """Whether any of some points, `POINT` [H, W], has coordinates."""
    return any(np.isfinite(row).any() for row in points["z"])  # mostly in the first rows


def _other_size(what: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    return (
        f"the {what} is {found[1]} x {found[0]}, the labels have {wanted[1]} x {wanted[0]}: use "
        "the one that is registered to this camera"
    )
