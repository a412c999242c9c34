"""Recordings in, a data set of the frames worth labelling out, with labels to start from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.files import write_bytes, write_text
from hyperseg_ros.frames.pixels import to_bgr
from hyperseg_ros.frames.settings import palette
from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.recordings.cameras import choose_cameras
from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.pipeline import ahead
from hyperseg_ros.recordings.reading import Recording, Stored
from hyperseg_ros.recordings.selection import Candidate, Steadiness, class_shares, look_of, select
from hyperseg_ros.runtime.drawing import colorize, overlay
from hyperseg_ros.runtime.image_files import write_image
from hyperseg_ros.runtime.segmenter import Segmenter

ORIGINS = "origins.csv"
"""Where each image comes from."""
SHEET = "sheet.jpg"
"""All selected frames at a glance."""

_TILE = (120, 160)
_COLUMNS = 10


@dataclass(frozen=True)
class Selected:
    """A frame that was chosen."""

    recording: Path
    topic: str
    time: int
    """When it was received, nanoseconds."""
    candidate: Candidate


class Harvest:
    """Finds the frames of recordings that are worth labelling.

    Args:
        segmenter: the model that is to become better.
        interval: least time between two candidates of a camera, seconds. The frame right before a
            candidate is looked at too, for how steady the labels are.
    """

    def __init__(self, segmenter: Segmenter, interval: float = 0.5) -> None:
        self._segmenter = segmenter
        self._interval = round(interval * 1e9)
        self._found: list[Selected] = []
        self.bad = 0
        """Images that could not be read."""
        self.left_out: dict[str, str] = {}
        """Image topics that were not taken for cameras, and what they hold."""

    def search(self, number: int, recording: Recording, topics: Sequence[str] = ()) -> None:
        """Adds the candidates of a recording.

        Raises:
            RecordingError: the recording has no such cameras.
        """
        choice = choose_cameras(recording, topics)
        self.left_out.update(choice.left_out)
        for index, camera in enumerate(choice.cameras):
            steadiness = Steadiness()
            for stored, image, counts in ahead(self._images(recording, camera)):
                result = self._segmenter.segment([image], True)[0]
                disagreement = steadiness.disagreement(image, result.labels)
                if not counts:
                    continue
                shares = class_shares(result.labels, len(self._segmenter.card.classes))
                candidate = Candidate(
                    number,
                    index,
                    stored.time,
                    1 - float(result.confidence.mean()) / 255,
                    disagreement,
                    shares,
                    look_of(image, shares),
                )
                self._found.append(Selected(recording.path, camera.image, stored.time, candidate))

    def _images(
        self, recording: Recording, camera: CameraTopics
    ) -> Iterator[tuple[Stored, NDArray[np.uint8], bool]]:
        """Pairs of neighbours, the second of which is a candidate."""
        before: Stored | None = None
        due: int | None = None
        for stored in recording.messages([camera.image]):
            due = stored.time if due is None else due
            if stored.time >= due and before is not None:
                due = stored.time + self._interval
                for one in (before, stored):
                    try:
                        yield one, to_bgr(recording.decode(one)), one is stored
                    except ValueError:
                        self.bad += 1
            before = stored

    def choose(self, count: int, apart: float = 1.0) -> list[Selected]:
        """The frames to label, best first; see `selection.select`."""
        chosen = select([found.candidate for found in self._found], count, apart)
        return [self._found[index] for index in chosen]

    @property
    def candidates(self) -> int:
        """Frames to choose from."""
        return len(self._found)


def write_dataset(
    folder: Path, selected: Sequence[Selected], segmenter: Segmenter, split: str = "train"
) -> None:
    """Writes the frames as a data set `folder`, with the model's labels for people to correct.

    Images lie in `<split>/images`, losslessly, or as the JPEG that the camera sent; labels in
    `<split>/labels`; the classes in `classes.yaml`; where each frame comes from in `origins.csv`;
    and all of them in `sheet.jpg`.

    Raises:
        RecordingError: the folder has files already, or a frame is not in its recording any more.
        OSError: a file cannot be written.
    """
    if folder.exists() and any(folder.iterdir()):
        raise RecordingError(f"{folder} is not empty: name another output")
    for kind in ("images", "labels"):
        (folder / split / kind).mkdir(parents=True)
    tiles: dict[int, NDArray[np.uint8]] = {}
    rows: dict[int, list[Any]] = {}
    classes = segmenter.card.classes
    for rank, chosen, stored, message in _messages(selected):
        image = to_bgr(message)
        labels = segmenter(image).labels
        name = f"{rank:04}_{chosen.recording.stem}_{stored.time}"
        file = _write_image(folder / split / "images" / name, message, image)
        write_image(folder / split / "labels" / f"{name}.png", labels)
        tiles[rank] = _tile(image, labels, classes)
        rows[rank] = _row(file, chosen, message)
    write_text(folder / "classes.yaml", classes.to_yaml())
    _write_origins(folder / ORIGINS, [rows[rank] for rank in sorted(rows)])
    write_image(folder / SHEET, _sheet([tiles[rank] for rank in sorted(tiles)]))


def _messages(
    selected: Sequence[Selected],
) -> Iterator[tuple[int, Selected, Stored, Any]]:
    """The chosen messages, each recording opened once, with their ranks."""
    for path in dict.fromkeys(chosen.recording for chosen in selected):
        wanted = {
            (chosen.topic, chosen.time): (rank, chosen)
            for rank, chosen in enumerate(selected)
            if chosen.recording == path
        }
        with Recording(path) as recording:
            for stored in recording.messages({topic for topic, _ in wanted}):
                found = wanted.pop((stored.connection.topic, stored.time), None)
                if found is not None:
                    yield *found, stored, recording.decode(stored)
        if wanted:
            raise RecordingError(f"{path} has changed since its frames were chosen")


def _write_image(path: Path, message: Any, image: NDArray[np.uint8]) -> str:
    """Writes an image; returns the file's name."""
    data = bytes(message.data[:3]) if hasattr(message, "format") else b""
    if data == b"\xff\xd8\xff":
        write_bytes(path.with_name(f"{path.name}.jpg"), bytes(message.data))
        return f"{path.name}.jpg"
    write_image(path.with_name(f"{path.name}.png"), image)
    return f"{path.name}.png"


def _row(file: str, chosen: Selected, message: Any) -> list[Any]:
    stamp = message.header.stamp
    candidate = chosen.candidate
    return [
        file,
        chosen.recording.name,
        chosen.topic,
        f"{stamp.sec}.{stamp.nanosec:09}",
        chosen.time,
        f"{candidate.uncertainty:.4f}",
        f"{candidate.disagreement:.4f}",
    ]


def _write_origins(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        ["image", "recording", "topic", "stamp", "received_ns", "uncertainty", "disagreement"]
    )
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _tile(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], classes: ClassTable
) -> NDArray[np.uint8]:
    """A frame beside its labels, small, BGR."""
    size = _TILE[::-1]
    rgb = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    small = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
    drawn = np.empty((*_TILE, 3), np.uint8)
    overlay(np.asarray(rgb, np.uint8), colorize(small, palette(classes)), 0.5, drawn)
    return np.asarray(cv2.cvtColor(np.vstack((rgb, drawn)), cv2.COLOR_RGB2BGR), np.uint8)


def _sheet(tiles: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    columns = min(_COLUMNS, max(1, len(tiles)))
    blank = np.full((2 * _TILE[0], _TILE[1], 3), 255, np.uint8)
    padded = [*tiles, *[blank] * (-len(tiles) % columns)] or [blank]
    return np.vstack([np.hstack(padded[i : i + columns]) for i in range(0, len(padded), columns)])
