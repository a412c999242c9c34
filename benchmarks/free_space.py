"""How accurate free space is: a model on simulated drives, against the truth.

    tools/train python benchmarks/free_space.py [MODEL] [--drives N] [--frames N] [--seed N]
        [--exact-labels] [--breakdown]

Two cameras of 640 x 480 pixels look at the same streets: the pinhole camera of each drive, and a
fisheye that is rolled by 10 degrees. The pose is the exact one of each frame, or the nominal one
of the mount, about which the car bobs. Where something stands on the ground within 15 m and in
view, a bearing counts for

- error: |range - truth| / truth, median and 90th percentile; inf counts as 30 m.
- missed: free 1 m or more beyond the truth; of all bearings, and of those that a class ends.
- early: blocked 1 m or more before the truth; "under vehicles" is the share of these that are not
  nearer than the vehicle: the ground in sight goes on beneath its bumper. "Percentile without"
  is the 90th of the error with such ranges taken as right.

Where nothing does, it counts for

- false: blocked before 14 m.

`--exact-labels` takes the true labels at the model's size, all sure, in place of the model's: what
the geometry alone is off by. `--breakdown` says, of the exact pose, which bearings the errors are
of: by class, by distance, and by whether the range is that of a bearing beside it.

Ranges are looked for up to 20 m, so that a thing that is seen a little beyond 15 m is an error of
that little.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import CAMVID
from hyperseg_ros.geometry import CameraModel, FreeSpaceFinder, FreeSpaceOptions, Pose
from hyperseg_ros.geometry.lens import make_lens
from hyperseg_ros.runtime import Segmenter
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL
from hyperseg_ros.runtime.resizing import fit_labels
from hyperseg_ros.simulation import Lens, Mount, SimulatedFrame, StreetCamera

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
LARGE = 0.05
"""Relative error that the breakdown counts as large."""
LENSES = ("pinhole", "fisheye, 10 degrees of roll")
POSES = ("exact", "nominal")


@dataclass(frozen=True)
class Bearings:
    """Ranges and truths of bearings in view; arrays are [B]."""

    ranges: Array
    truths: Array
    """inf where nothing is within `MAX_RANGE`."""
    labels: NDArray[np.uint8]
    """The class that ends each."""
    vehicles: Array
    """Metres to the nearest vehicle's outline from above."""
    beside: Array
    """Truths of the bearings to either side, [B, 2]."""

    def part(self, mask: NDArray[np.bool_]) -> Bearings:
        """Some of the bearings."""
        return Bearings(*(getattr(self, each.name)[mask] for each in fields(self)))

    @property
    def ended(self) -> Bearings:
        """Those that something ends."""
        return self.part(np.isfinite(self.truths))

    @property
    def missed(self) -> NDArray[np.bool_]:
        return self.ranges >= self.truths + BEYOND

    @property
    def early(self) -> NDArray[np.bool_]:
        return self.ranges <= self.truths - BEYOND

    @property
    def error(self) -> Array:
        """Relative to the truth; infinite truths make it nan."""
        return np.abs(self.ranges - self.truths) / self.truths

    @property
    def under_vehicles(self) -> NDArray[np.bool_]:
        """Whether a range lies between a vehicle and the ground that it hides."""
        car = self.labels == CAMVID.index("car")
        # A pixel before the bumper still is the bumper.
        return car & (self.ranges >= self.vehicles * (1 - LARGE / 2)) & (self.ranges <= self.truths)

    @property
    def displaced(self) -> NDArray[np.bool_]:
        """Whether a range that is off by more than `LARGE` is right for a bearing beside it."""
        near = np.abs(self.ranges[:, None] - self.beside) <= LARGE * self.beside
        free = np.isinf(self.beside) & (self.ranges[:, None] > MAX_RANGE - BEYOND)
        return (self.error > LARGE) & (near | free).any(axis=1)


def share(of: NDArray[np.bool_]) -> str:
    """The percentage that is true; - of nothing."""
    return f"{100 * of.mean():.1f}" if of.size else "-"


@dataclass
class Score:
    """The bearings of many frames."""

    frames: list[Bearings] = field(default_factory=list)

    @property
    def bearings(self) -> Bearings:
        """All of them."""
        names = [each.name for each in fields(Bearings)]
        return Bearings(
            *(np.concatenate([getattr(frame, name) for frame in self.frames]) for name in names)
        )

    def row(self) -> str:
        """The row of the table."""
        every = self.bearings
        free, found = every.ranges[np.isinf(every.truths)], every.ended
        cells = [
            str(len(found.truths)),
            f"{100 * np.median(found.error):.1f}",
            f"{100 * np.percentile(found.error, 90):.1f}",
            share(found.missed),
            *(share(found.missed[found.labels == CAMVID.index(name)]) for name in CLASSES),
            share(found.early),
            share(found.under_vehicles[found.early]),
            f"{100 * np.percentile(np.where(found.under_vehicles, 0, found.error), 90):.1f}",
            share(free <= MAX_RANGE - BEYOND),
        ]
        return " | ".join(cells)

    def breakdown(self) -> Iterator[str]:
        """Rows of a table: of which bearings the large errors, the missed and the early are."""
        found = self.bearings.ended
        kinds = (found.error > LARGE, found.missed, found.early)
        yield f"| bearings | share % | error > {100 * LARGE:g} % | missed % | early % |"
        yield "|" + " --- |" * 5
        groups = {name: found.labels == CAMVID.index(name) for name in CAMVID.names}
        edges = np.linspace(0, MAX_RANGE, 6)
        for near, far in pairwise(edges):
            within = (found.truths > near) & (found.truths <= far)
            groups[f"{near:g} to {far:g} m"] = within
        groups["right for a bearing beside"] = found.displaced
        groups["under vehicles"] = found.under_vehicles & (found.error > LARGE)
        groups["too far"] = found.ranges > found.truths
        for name, group in groups.items():
            if group.any():
                cells = [share(group[kind]) for kind in kinds]
                yield f"| {name} | {share(group)} | {' | '.join(cells)} |"


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
    segmenter: Segmenter,
    drive: StreetCamera,
    indices: Sequence[int],
    scores: dict[str, Score],
    exact_labels: bool = False,
) -> None:
    """Adds frames of a drive to the scores, by pose."""
    options = FreeSpaceOptions(
        max_range=LOOKED_FOR, angle_min=-math.radians(60), angle_max=math.radians(60)
    )
    camera = camera_of(drive).fitted(segmenter.card.input_size)
    ground = segmenter.card.classes.ground_ids
    finders = {pose: FreeSpaceFinder(camera, ground, options) for pose in scores}
    for index in indices:
        labels, confidence = segmented(segmenter, drive.frame(index), exact_labels)
        poses = {"exact": mounted(drive.pose(index)), "nominal": mounted(drive.mount)}
        bearings = finders["exact"].view(poses["exact"]).bearings
        beam = options.angle_increment
        truth = drive.free_space(index, bearings, MAX_RANGE, beam)
        vehicles = drive.vehicles(index, bearings, beam)
        padded = np.pad(truth.ranges, 1, mode="edge")
        beside = np.stack([padded[:-2], padded[2:]], axis=1)
        for name, finder in finders.items():
            found = finder.find(labels, confidence, poses[name])
            said = np.where(found.ranges == -np.inf, found.seen_from, found.ranges)
            said = np.where(said == np.inf, UNSEEN, said)
            counts = np.isfinite(said) & (truth.ranges > found.seen_from)
            frame = Bearings(said, truth.ranges, truth.labels, vehicles, beside)
            scores[name].frames.append(frame.part(counts))


def segmented(
    segmenter: Segmenter, frame: SimulatedFrame, exact: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Labels and confidence at the model's size; exact ones are sure."""
    if exact:
        labels = fit_labels(frame.labels, segmenter.card.input_size)
        return labels, np.full_like(labels, 255)
    result = segmenter.segment([frame.image], at_input_size=True)[0]
    return result.labels, result.confidence


def table(
    model: str, seeds: Sequence[int], frames: int, exact_labels: bool, breakdown: bool
) -> Iterator[str]:
    """The rows of the result, Markdown."""
    yield (
        "| camera | pose | bearings | error, median % | 90th percentile % | missed % | "
        + " | ".join(f"{name}s %" for name in CLASSES)
        + " | early % | of these under vehicles % | percentile without % | false % |"
    )
    yield "|" + " --- |" * (10 + len(CLASSES))
    details: list[str] = []
    with Segmenter.open(model) as segmenter:
        for lens in LENSES:
            scores = {pose: Score() for pose in POSES}
            for seed in seeds:
                indices = range(seed % STEP, seed % STEP + frames * STEP, STEP)
                measure(segmenter, street(seed, lens), indices, scores, exact_labels)
            for pose, score in scores.items():
                yield f"| {lens} | {pose} | {score.row()} |"
            details += ["", lens, *scores[POSES[0]].breakdown()]
    if breakdown:
        yield from details


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "model", nargs="?", default=DEFAULT_MODEL, help="a model file, or a shipped one"
    )
    parser.add_argument("--drives", type=int, default=40)
    parser.add_argument("--frames", type=int, default=8, help="of each drive")
    parser.add_argument("--seed", type=int, default=SEED, help="of the first drive")
    parser.add_argument("--exact-labels", action="store_true", help="in place of the model's")
    parser.add_argument("--breakdown", action="store_true", help="which bearings the errors are of")
    options = parser.parse_args(arguments)
    if min(options.drives, options.frames) < 1 or options.seed < 0:
        parser.error("--drives and --frames must be 1 or more, --seed 0 or more")
    seeds = range(options.seed, options.seed + options.drives)
    for line in table(
        options.model, seeds, options.frames, options.exact_labels, options.breakdown
    ):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
