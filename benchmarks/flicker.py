"""How much labels flicker, and what the temporal filter makes of it and of mIoU.

    tools/train python benchmarks/flicker.py FRAMES [--labels FOLDER] [--model MODEL]
        [--filters KEPT ...] [--rate HZ]

FRAMES is a folder of images that follow each other, such as camvid/val (15 a second). Flicker is
the share of pixels whose label differs from that of the pixel that the optical flow says they were
in the frame before; of those only whose flow is certain: there and back again ends within a pixel,
and the images are alike there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import UNLABELLED, ClassTable
from hyperseg_ros.frames.temporal_filter import TemporalFilter
from hyperseg_ros.metrics import ConfusionMatrix
from hyperseg_ros.runtime import Segmenter
from hyperseg_ros.runtime.image_folder import sample_frames
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL
from hyperseg_ros.runtime.resizing import fit_image, fit_labels

Plane = NDArray[np.uint8]

FILTERS = (0.0, 0.5, 0.7)
RATE = 15.0
"""Frames a second, of CamVid's val clip."""
ASTRAY = 1.0
"""Pixels that flow there and back may miss its start by."""
STRANGE = 20
"""Grey levels by which a pixel may differ from where it was."""
CLASSES = ("car", "pedestrian", "bicyclist", "pole")
MOST = 100_000
"""Frames."""


@dataclass
class Score:
    """Of one filter."""

    filter: TemporalFilter
    matrix: ConfusionMatrix
    changed: int = 0
    tracked: int = 0
    before: Plane = field(default_factory=lambda: np.empty((0, 0), np.uint8))

    def row(self, classes: ClassTable) -> str:
        """The row of the table."""
        cells = [f"{self.filter.kept:g}", f"{100 * self.changed / max(self.tracked, 1):.2f}"]
        if self.matrix.counts.any():
            iou = dict(zip(classes.names, self.matrix.iou()))
            cells.append(f"{100 * self.matrix.miou():.1f}")
            cells.extend(f"{100 * iou[name]:.1f}" for name in CLASSES if name in iou)
        return " | ".join(cells)


def track(before: Plane, now: Plane) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where each pixel was in the frame before, float32 [H, W, 2], and whether that is certain.

    Args:
        before, now: grey images, uint8 [H, W].
    """
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    back = np.asarray(dis.calc(now, before, None), np.float32)
    forth = np.asarray(dis.calc(before, now, None), np.float32)
    height, width = now.shape
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    was = np.dstack([columns, rows]).astype(np.float32) + back
    returned = cv2.remap(forth, was[..., 0], was[..., 1], cv2.INTER_LINEAR)
    astray = np.linalg.norm(back + returned, axis=-1)
    seen = cv2.remap(before, was[..., 0], was[..., 1], cv2.INTER_LINEAR)
    inside = (was >= 0).all(axis=-1) & (was <= (width - 1, height - 1)).all(axis=-1)
    return was, inside & (astray < ASTRAY) & (cv2.absdiff(seen, now) < STRANGE)


def measure(
    segmenter: Segmenter,
    frames: Iterable[tuple[Plane, Plane | None]],
    filters: Sequence[float],
    rate: float,
) -> list[Score]:
    """The scores of filters on frames in their order.

    Args:
        segmenter: gives the labels, at its input size.
        frames: BGR images, and true labels where known.
        filters: shares that are kept, 0 for none.
        rate: frames a second.
    """
    classes = segmenter.card.classes
    scores = [Score(TemporalFilter(kept), ConfusionMatrix(len(classes))) for kept in filters]
    past: Plane | None = None
    for number, (image, truth) in enumerate(frames):
        fitted = fit_image(image, segmenter.card.input_size)
        result = segmenter.segment([image], at_input_size=True)[0]
        grey = np.asarray(cv2.cvtColor(fitted, cv2.COLOR_BGR2GRAY), np.uint8)
        tracked = None if past is None else track(past, grey)
        past = grey
        for score in scores:
            labels, _ = score.filter.update(fitted, result.labels, result.confidence, number / rate)
            if tracked is not None:
                was, certain = tracked
                carried = cv2.remap(score.before, was[..., 0], was[..., 1], cv2.INTER_NEAREST)
                score.changed += int(((carried != labels) & certain).sum())
                score.tracked += int(certain.sum())
            score.before = labels.copy()
            if truth is not None:
                known = np.where(truth < len(classes), truth, UNLABELLED).astype(np.uint8)
                score.matrix.update(known, fit_labels(labels, known.shape))
    return scores


def table(scores: Sequence[Score], classes: ClassTable) -> Iterator[str]:
    """The rows of the result, Markdown."""
    header = ["temporal_filter", "pixels that change label, %"]
    if scores[0].matrix.counts.any():
        header += ["mIoU %", *(f"{name} %" for name in CLASSES if name in classes.names)]
    yield f"| {' | '.join(header)} |"
    yield "|" + " --- |" * len(header)
    for score in scores:
        yield f"| {score.row(classes)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("frames", type=Path, help="folder of images that follow each other")
    parser.add_argument("--labels", type=Path, help="folder of PNG files of class ids")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a model file, or a shipped one")
    parser.add_argument("--filters", type=float, nargs="+", default=FILTERS, metavar="KEPT")
    parser.add_argument("--rate", type=float, default=RATE, metavar="HZ")
    options = parser.parse_args(arguments)
    if not options.rate > 0:
        parser.error("--rate must be above 0")
    with Segmenter.open(options.model) as segmenter:
        frames = sample_frames(options.frames, options.labels, MOST)
        scores = measure(segmenter, frames, options.filters, options.rate)
        for line in table(scores, segmenter.card.classes):
            print(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
