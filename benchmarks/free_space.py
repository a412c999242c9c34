"""How accurate free space is: a model on simulated drives, against the truth.

    tools/train python benchmarks/free_space.py [MODEL] [--drives N] [--frames N] [--seed N]

Two cameras of 640 x 480 pixels look at the same streets: the pinhole camera of each drive, and a
fisheye that is rolled by 10 degrees. The pose is the exact one of each frame, or the nominal one
of the mount, about which the car bobs. Where something stands on the ground within 15 m and in
view, a bearing counts for

- error: |range - truth| / truth, median and 90th percentile; inf counts as 30 m.
- missed: free 1 m or more beyond the truth; of all bearings, and of those that a class ends.
- early: blocked 1 m or more before the truth.

Where nothing does, it counts for

- false: blocked before 14 m.

Ranges are looked for up to 20 m, so that a thing that is seen a little beyond 15 m is an error of
that little.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import CAMVID
from hyperseg_ros.geometry import CameraModel, FreeSpaceFinder, FreeSpaceOptions, Pose
from hyperseg_ros.geometry.lens import make_lens
from hyperseg_ros.runtime import Segmenter
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL
from hyperseg_ros.simulation import Lens, Mount, StreetCamera

Array = NDArray[np.floating]

SEED = 740_000
"""The first of the drives; training and its validation have others."""
STEP = 23
"""Frames between two that are measured; at 15 Hz, 1.5 s."""
MAX_RANGE = 15.0
"""Metres to the farthest thing that counts."""
LOOKED_FOR = 20.0
"""Metres up to which ranges are looked for."""
UNSEEN = 30.0
"""Metres that inf counts as."""
BEYOND = 1.0
"""Metres by which a range is missed or early."""
FISHEYE = Lens("equidistant", (-0.012, 0.003, -0.001, 0.0), focal=380.0)
ROLL = math.radians(10)
CLASSES = ("car", "pedestrian", "bicyclist")
LENSES = ("pinhole", "fisheye, 10 degrees of roll")
POSES = ("exact", "nominal")


@dataclass
class Score:
    """Ranges and truths of many bearings in view, and the class that ends each."""

    ranges: list[Array] = field(default_factory=list)
    truths: list[Array] = field(default_factory=list)
    """inf where nothing is within `MAX_RANGE`."""
    labels: list[NDArray[np.uint8]] = field(default_factory=list)

    def row(self) -> str:
        """The row of the table."""
        ranges, truths = np.concatenate(self.ranges), np.concatenate(self.truths)
        labels = np.concatenate(self.labels)
        free = np.isinf(truths)
        false = ranges[free] <= MAX_RANGE - BEYOND
        ranges, truths, labels = ranges[~free], truths[~free], labels[~free]
        error = np.abs(ranges - truths) / truths
        missed = ranges >= truths + BEYOND

        def share(of: NDArray[np.bool_]) -> str:
            return f"{100 * of.mean():.1f}" if of.size else "-"

        of_classes = [share(missed[labels == CAMVID.index(name)]) for name in CLASSES]
        cells = [
            str(len(truths)),
            f"{100 * np.median(error):.1f}",
            f"{100 * np.percentile(error, 90):.1f}",
            share(missed),
            *of_classes,
            share(ranges <= truths - BEYOND),
            share(false),
        ]
        return " | ".join(cells)


def street(seed: int, lens: str) -> StreetCamera:
    """A drive with one of `LENSES`."""
    plain = StreetCamera(seed)
    if lens == LENSES[0]:
        return plain
    mount = plain.mount
    turned = Mount(mount.height, ROLL, mount.pitch, mount.yaw)
    return StreetCamera(seed, mount=turned, lens=FISHEYE)


def camera_of(drive: StreetCamera) -> CameraModel:
    """The camera model of a drive."""
    k = drive.intrinsics
    lens = drive.lens or Lens("plumb_bob", ())
    optics = make_lens(lens.model, lens.coefficients)
    return CameraModel(drive.width, drive.height, k.fx, k.fy, k.cx, k.cy, optics)


def mounted(mount: Mount) -> Pose:
    """A simulated mount as a pose."""
    return Pose.mounted(0, 0, mount.height, mount.roll, mount.pitch, mount.yaw)


def measure(
    segmenter: Segmenter, drive: StreetCamera, indices: Sequence[int], scores: dict[str, Score]
) -> None:
    """Adds frames of a drive to the scores, by pose."""
    options = FreeSpaceOptions(
        max_range=LOOKED_FOR, angle_min=-math.radians(60), angle_max=math.radians(60)
    )
    camera = camera_of(drive).fitted(segmenter.card.input_size)
    ground = segmenter.card.classes.ground_ids
    finders = {pose: FreeSpaceFinder(camera, ground, options) for pose in scores}
    for index in indices:
        result = segmenter.segment([drive.frame(index).image], at_input_size=True)[0]
        poses = {"exact": mounted(drive.pose(index)), "nominal": mounted(drive.mount)}
        bearings = finders["exact"].view(poses["exact"]).bearings
        truth = drive.free_space(index, bearings, MAX_RANGE, options.angle_increment)
        for name, finder in finders.items():
            found = finder.find(result.labels, result.confidence, poses[name])
            said = np.where(found.ranges == -np.inf, found.seen_from, found.ranges)
            said = np.where(said == np.inf, UNSEEN, said)
            counts = np.isfinite(said) & (truth.ranges > found.seen_from)
            scores[name].ranges.append(said[counts])
            scores[name].truths.append(truth.ranges[counts])
            scores[name].labels.append(truth.labels[counts])


def table(model: str, seeds: Sequence[int], frames: int) -> Iterator[str]:
    """The rows of the result, Markdown."""
    yield (
        "| camera | pose | bearings | error, median % | 90th percentile % | missed % | "
        + " | ".join(f"{name}s %" for name in CLASSES)
        + " | early % | false % |"
    )
    yield "|" + " --- |" * (8 + len(CLASSES))
    with Segmenter.open(model) as segmenter:
        for lens in LENSES:
            scores = {pose: Score() for pose in POSES}
            for seed in seeds:
                indices = range(seed % STEP, seed % STEP + frames * STEP, STEP)
                measure(segmenter, street(seed, lens), indices, scores)
            for pose, score in scores.items():
                yield f"| {lens} | {pose} | {score.row()} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "model", nargs="?", default=DEFAULT_MODEL, help="a model file, or a shipped one"
    )
    parser.add_argument("--drives", type=int, default=40)
    parser.add_argument("--frames", type=int, default=8, help="of each drive")
    parser.add_argument("--seed", type=int, default=SEED, help="of the first drive")
    options = parser.parse_args(arguments)
    if min(options.drives, options.frames) < 1 or options.seed < 0:
        parser.error("--drives and --frames must be 1 or more, --seed 0 or more")
    for line in table(
        options.model, range(options.seed, options.seed + options.drives), options.frames
    ):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
