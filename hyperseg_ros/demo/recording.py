"""What is made of the frames that came back: statistics, the overlay video, the contact sheet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.demo.birds_eye import draw_birds_eye, draw_key
from hyperseg_ros.demo.contact_sheet import (
    IMAGE_WIDTH,
    EvenSamples,
    Moment,
    draw_contact_sheet,
)
from hyperseg_ros.demo.free_space import Scan
from hyperseg_ros.demo.lettering import PAPER, draw_legend
from hyperseg_ros.demo.statistics import DriveStatistics
from hyperseg_ros.demo.video import DriveVideo
from hyperseg_ros.runtime.image_files import write_image

SHEET_ROWS = 4
LEGEND_MARGIN = 8
LEGEND_SCALE = 0.42
INSET = 0.38
"""Height and width of free space from above, as shares of the overlay's."""


@dataclass(frozen=True)
class SegmentedFrame:
    """A frame and everything that came back for it; all images [H, W], uint8."""

    stamp_ns: int
    """When the camera took it, nanoseconds."""
    latency_ms: float
    """From the stamp to the arrival of the labels."""
    image: NDArray[np.uint8]
    """BGR, three channels."""
    labels: NDArray[np.uint8]
    """Class ids."""
    confidence: NDArray[np.uint8]
    """255 is certain."""
    overlay: NDArray[np.uint8]
    """BGR, three channels."""
    truth: NDArray[np.uint8] | None
    """Class ids, `UNLABELLED` where unknown; None without ground truth."""
    scan: Scan | None = None
    """Free space; None where the camera's mount is not known."""
    true_scan: Scan | None = None
    """Free space in truth, where it is known of this frame."""


class Recording:
    """Takes frames one by one and writes what is to be seen of them into a folder.

    Leaving the context by an exception leaves no unfinished video.

    Args:
        folder: an existing folder for `overlay.mp4` and `contact_sheet.png`.
        classes: of the model.
        rate: frames a second of the video.
        waits: whether each frame waited for the labels of the one before: then the video shows
            the drive at its rate, whatever time that took.
    """

    def __init__(self, folder: Path, classes: ClassTable, rate: float, waits: bool = False) -> None:
        self.statistics = DriveStatistics(classes)
        self.seconds = 0.0
        """From the first frame's stamp to the last one's."""
        self._folder = folder
        self._classes = classes
        self._period = 1 / rate if waits else 0.0
        self._start_ns: int | None = None
        self._video = DriveVideo(folder / "overlay", rate)
        self._legend = np.empty((0, 0, 3), np.uint8)
        self._moments: EvenSamples[Moment] = EvenSamples(SHEET_ROWS)

    @property
    def drive_seconds(self) -> float:
        """From the first frame to the last one, by the time of the drive."""
        return (self.statistics.frames - 1) * self._period if self._period else self.seconds

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._video.drop(error)

    def add(self, frame: SegmentedFrame) -> None:
        """Take the next frame.

        Raises:
            ValueError: the outputs are not as large as the image.
            OSError: no video can be written.
        """
        size = frame.image.shape[:2]
        for name in ("labels", "confidence", "overlay", "truth"):
            output = getattr(frame, name)
            if output is not None and output.shape[:2] != size:
                raise ValueError(f"the image is {size} (H, W), its {name} {output.shape[:2]}")
        if self._start_ns is None:
            self._start_ns = frame.stamp_ns
        self.seconds = (frame.stamp_ns - self._start_ns) / 1e9
        self.statistics.add(frame.labels, frame.confidence, frame.latency_ms, frame.truth)
        if frame.scan is not None and frame.true_scan is not None:
            self.statistics.range_errors.add(frame.scan, frame.true_scan)
        picture = self._with_legend(_with_inset(frame))
        self._video.write(picture, self.drive_seconds)
        is_first = self.statistics.frames == 1
        if is_first or frame.scan is None or frame.true_scan is not None:
            self._moments.offer(lambda: self._moment(frame))

    def finish(self, title: str, subtitle: str) -> list[Path]:
        """Finish the video and draw the contact sheet.

        Returns:
            The files written; none when there was no frame.

        Raises:
            OSError: they cannot be written completely; older ones are kept.
        """
        self._video.close()
        moments = self._moments.samples()
        if not moments:
            return []
        sheet = self._folder / "contact_sheet.png"
        write_image(sheet, draw_contact_sheet(moments, self._classes, title, subtitle))
        assert self._video.path is not None
        return [self._video.path, sheet]

    def _moment(self, frame: SegmentedFrame) -> Moment:
        """The frame as small as the sheet will show it: frames of 4K are many megabytes."""
        height, width = frame.labels.shape
        moment = Moment(
            f"{self.drive_seconds:.1f} s",
            frame.image,
            frame.labels,
            frame.overlay,
            frame.scan,
            frame.true_scan,
        )
        return moment.scaled(IMAGE_WIDTH, max(1, round(IMAGE_WIDTH * height / width)))

    def _with_legend(self, overlay: NDArray[np.uint8]) -> NDArray[np.uint8]:
        width = overlay.shape[1]
        if self._legend.shape[1] != width:
            edge = LEGEND_MARGIN
            legend = draw_legend(self._classes, width - 2 * edge, LEGEND_SCALE)
            self._legend = cv2.copyMakeBorder(
                legend, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=PAPER
            )
        return np.vstack([overlay, self._legend])


def _with_inset(frame: SegmentedFrame) -> NDArray[np.uint8]:
    """The overlay with free space from above in its lower right corner, where it is known."""
    if frame.scan is None:
        return frame.overlay
    picture = frame.overlay.copy()
    height, width = (round(side * INSET) for side in picture.shape[:2])
    inset = draw_birds_eye(frame.scan, frame.true_scan, width, height, LEGEND_SCALE)
    key = draw_key(width, LEGEND_SCALE)
    edge = LEGEND_MARGIN
    inset = np.vstack([inset, key])[: picture.shape[0] - 2 * edge, : picture.shape[1] - 2 * edge]
    bottom, right = picture.shape[0] - edge, picture.shape[1] - edge
    picture[bottom - inset.shape[0] : bottom, right - inset.shape[1] : right] = inset
    return picture
