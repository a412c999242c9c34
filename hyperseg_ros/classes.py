"""Class tables: the names and colours every layer shares."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNLABELLED = 255
"""The class id of a pixel that belongs to no class."""


@dataclass(frozen=True)
class ClassTable:
    """The classes of a model or data set; the position in the table is the class id.

    Args:
        names: one to 255 distinct, non-empty class names.
        colors: one RGB colour a class, each channel 0-255.
        ground: names of the classes that are ground: surfaces to drive or walk on; empty: unknown.

    Raises:
        ValueError: the table breaks one of these rules.
    """

    names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    ground: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= UNLABELLED:
            raise ValueError(f"a class table has 1 to {UNLABELLED} classes, not {len(self.names)}")
        if len(self.colors) != len(self.names):
            raise ValueError(f"{len(self.names)} class names but {len(self.colors)} colours")
        for name in self.names:
            if not isinstance(name, str) or not name.strip():
                raise ValueError(f"a class name is a non-empty string, not {name!r}")
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated:
            raise ValueError(f"class names must be distinct; repeated: {', '.join(repeated)}")
        for name, color in zip(self.names, self.colors, strict=True):
            if len(color) != 3 or not all(
                isinstance(channel, int) and 0 <= channel <= 255 for channel in color
            ):
                raise ValueError(
                    f"the colour of class {name!r} must be three integers 0-255 (RGB), not {color}"
                )
        strangers = [name for name in self.ground if name not in self.names]
        if strangers:
            raise ValueError(f"ground is of the classes; {', '.join(map(repr, strangers))} is not")

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """The id of the class called `name`.

        Raises:
            ValueError: there is no such class; the message names the nearest one.
        """
        if name in self.names:
            return self.names.index(name)
        nearest = difflib.get_close_matches(name, self.names, n=1)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise ValueError(f"no class {name!r}: {hint}The classes are {', '.join(self.names)}")

    @property
    def ground_ids(self) -> tuple[int, ...]:
        """Ids of the classes that are ground."""
        return tuple(index for index, name in enumerate(self.names) if name in self.ground)

    def to_yaml(self, void: Sequence[int] = (UNLABELLED,)) -> str:
        """The table as the `classes.yaml` of a data set folder.

        Args:
            void: the ids that are of no class.
        """
        entries = [
            f"  - {{name: {json.dumps(name, ensure_ascii=False)}, color: {list(map(int, color))}"
            f"{', ground: true' * (name in self.ground)}}}"
            for name, color in zip(self.names, self.colors, strict=True)
        ]
        return "\n".join(["classes:", *entries, f"void: {list(void)}", ""])

    def to_info(self) -> dict[str, list[Any]]:
        """The table in plain lists, for files; read by `from_info`."""
        return {
            "class_names": list(self.names),
            "class_colors": [list(color) for color in self.colors],
            "class_ground": list(self.ground),
        }

    @classmethod
    def from_info(cls, info: Mapping[str, Any]) -> ClassTable:
        """The table of a checkpoint's or data file's entries; older ones do not say what is ground.

        Raises:
            KeyError: there is no table among them.
            ValueError: the table breaks a rule.
        """
        colors = tuple((r, g, b) for r, g, b in info["class_colors"])
        return cls(tuple(info["class_names"]), colors, tuple(info.get("class_ground", ())))

    def palette(self) -> NDArray[np.uint8]:
        """RGB colour of every uint8 id, uint8 [256, 3]; ids beyond the table are black."""
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(self)] = self.colors
        return palette


CAMVID = ClassTable(
    names=(
        "sky",
        "building",
        "pole",
        "road",
        "pavement",
        "tree",
        "sign",
        "fence",
        "car",
        "pedestrian",
        "bicyclist",
    ),
    colors=(
        (128, 128, 128),
        (128, 0, 0),
        (192, 192, 128),
        (128, 64, 128),
        (60, 40, 222),
        (128, 128, 0),
        (192, 128, 128),
        (64, 64, 128),
        (64, 0, 128),
        (64, 64, 0),
        (0, 128, 192),
    ),
    ground=("road", "pavement"),
)
"""The 11 merged CamVid classes of SegNet (Badrinarayanan et al., 2017); void is `UNLABELLED`."""

CAMVID_WITH_VOID = ClassTable((*CAMVID.names, "void"), (*CAMVID.colors, (0, 0, 0)), CAMVID.ground)
"""The 12 CamVid classes of the published HyperSeg models, which are trained on void too."""

CITYSCAPES = ClassTable(
    names=(
        "road",
        "sidewalk",
        "building",
        "wall",
        "fence",
        "pole",
        "traffic light",
        "traffic sign",
        "vegetation",
        "terrain",
        "sky",
        "person",
        "rider",
        "car",
        "truck",
        "bus",
        "train",
        "motorcycle",
        "bicycle",
    ),
    colors=(
        (128, 64, 128),
        (244, 35, 232),
        (70, 70, 70),
        (102, 102, 156),
        (190, 153, 153),
        (153, 153, 153),
        (250, 170, 30),
        (220, 220, 0),
        (107, 142, 35),
        (152, 251, 152),
        (70, 130, 180),
        (220, 20, 60),
        (255, 0, 0),
        (0, 0, 142),
        (0, 0, 70),
        (0, 60, 100),
        (0, 80, 100),
        (0, 0, 230),
        (119, 11, 32),
    ),
    ground=("road", "sidewalk", "terrain"),
)
"""The 19 training classes of Cityscapes (Cordts et al., CVPR 2016)."""


def bit_color(label: int) -> tuple[int, int, int]:
    """A colour for an id that is unlike the colours of its neighbours; PASCAL VOC's rule.

    The id's bits are dealt out to red, green and blue, from the highest of each downwards.
    """
    channels = [0, 0, 0]
    for bit in range(8):
        channels[bit % 3] |= (label >> bit & 1) << (7 - bit // 3)
    return channels[0], channels[1], channels[2]


_VOC_NAMES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
PASCAL_VOC = ClassTable(_VOC_NAMES, tuple(bit_color(label) for label in range(len(_VOC_NAMES))))
"""The 20 classes of PASCAL VOC 2012 and the background, in the data set's own colours."""
