"""The encodings of sensor_msgs/Image: how each lies in memory, or why it is not a picture.

The names are those of sensor_msgs/image_encodings.hpp, with its deprecated ones and `nv12`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2


@dataclass(frozen=True)
class Encoding:
    """How the pixels of one encoding lie in memory, and how OpenCV makes them BGR."""

    channels: int
    to_bgr: int | None
    """The code of cv2.cvtColor, once the channels have 8 bits; None where they are BGR already."""
    depth: int = 8
    """Bits of a channel, 8 or 16."""
    even_width: bool = False
    chroma_rows: float = 0.0
    """Rows of the interleaved chroma plane that follows the luma plane, for each row of luma.

    A row of chroma with twice as many bytes as one of luma counts as two.
    """


# OpenCV names a Bayer pattern after its second row, ROS after its first.
_BAYER = {
    "rggb": cv2.COLOR_BayerBG2BGR,
    "bggr": cv2.COLOR_BayerRG2BGR,
    "gbrg": cv2.COLOR_BayerGR2BGR,
    "grbg": cv2.COLOR_BayerGB2BGR,
}
_UYVY = Encoding(2, cv2.COLOR_YUV2BGR_UYVY, even_width=True)
_YUYV = Encoding(2, cv2.COLOR_YUV2BGR_YUYV, even_width=True)

ENCODINGS = {
    "bgr8": Encoding(3, None),
    "rgb8": Encoding(3, cv2.COLOR_RGB2BGR),
    "bgra8": Encoding(4, cv2.COLOR_BGRA2BGR),
    "rgba8": Encoding(4, cv2.COLOR_RGBA2BGR),
    "mono8": Encoding(1, cv2.COLOR_GRAY2BGR),
    "bgr16": Encoding(3, None, depth=16),
    "rgb16": Encoding(3, cv2.COLOR_RGB2BGR, depth=16),
    "bgra16": Encoding(4, cv2.COLOR_BGRA2BGR, depth=16),
    "rgba16": Encoding(4, cv2.COLOR_RGBA2BGR, depth=16),
    "mono16": Encoding(1, cv2.COLOR_GRAY2BGR, depth=16),
    # As everywhere in OpenCV, three channels are BGR and four are BGRA.
    **{
        f"{depth}UC{channels}": Encoding(channels, to_bgr, depth)
        for depth in (8, 16)
        for channels, to_bgr in ((1, cv2.COLOR_GRAY2BGR), (3, None), (4, cv2.COLOR_BGRA2BGR))
    },
    **{
        f"bayer_{pattern}{depth}": Encoding(1, to_bgr, depth)
        for depth in (8, 16)
        for pattern, to_bgr in _BAYER.items()
    },
    "uyvy": _UYVY,
    "yuyv": _YUYV,
    "yuv422": _UYVY,
    "yuv422_yuy2": _YUYV,
    "nv12": Encoding(1, cv2.COLOR_YUV2BGR_NV12, even_width=True, chroma_rows=0.5),
    "nv21": Encoding(1, cv2.COLOR_YUV2BGR_NV21, even_width=True, chroma_rows=0.5),
    "nv24": Encoding(1, None, chroma_rows=2),
}
"""The encodings that are read."""

_ALIASES = {
    "mono8": ("gray8", "grey8", "y8", "y800", "gray", "grey", "mono"),
    "mono16": ("gray16", "grey16", "y16"),
    "rgb8": ("rgb24", "rgb888"),
    "bgr8": ("bgr24", "bgr888"),
    "yuyv": ("yuy2", "yuyv422"),
    "uyvy": ("uyvy422",),
}
"""What the same pixels are called elsewhere, for hints."""

_MATRIX = re.compile(r"(8|16|32|64)(U|S|F)C([0-9]*)")


def refusal(name: str) -> str:
    """Why an encoding that is not in `ENCODINGS` is not read, a sentence.

    A hint names an encoding of exactly the same pixels, or none.
    """
    matrix = _MATRIX.fullmatch(name)
    if matrix:
        _, kind, channels = matrix.groups()
        if kind in "SF":
            return (
                f"{name!r} holds {'signed' if kind == 'S' else 'floating-point'} values, such as "
                "distances, and does not say which of them are black and white: subscribe to the "
                "camera's picture, or publish mono8 or mono16"
            )
        return (
            f"{name!r} does not say what its {channels or 'unnumbered'} channels are: a camera "
            "image has 1 (grey), 3 (BGR) or 4 (BGRA)"
        )
    plain = _plain(name)
    meant = next((known for known in ENCODINGS if plain == _plain(known)), None)
    meant = meant or next((known for known, others in _ALIASES.items() if plain in others), None)
    hint = f"did you mean {meant!r}? " if meant else ""
    return f"unknown encoding {name!r}: {hint}The encodings are {', '.join(ENCODINGS)}"


def _plain(name: str) -> str:
    """A name without case, punctuation, and zeros before a number."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"[^a-z0-9]", "", name.lower()))
