"""The parts that recordings are segmented in: each is done whole or not at all, anywhere.

Parts follow from the recording alone, never from how many machines there are: so the result is the
same however it was made, and a run that was interrupted goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hyperseg_ros.frames.ground_settings import GROUND_FRAME
from hyperseg_ros.frames.outputs import OUTPUTS as NODE_OUTPUTS
from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.places import write_text

FREE_SPACE = "free_space"
OUTPUTS = tuple(output for output in NODE_OUTPUTS if output != "points")
"""The node's outputs that a bag may hold: all that need no depth."""
DEFAULT_OUTPUTS = ("label", "confidence", "label_info", "camera_info")
STORAGES = ("mcap", "sqlite3")
"""By the names that `ros2 bag` has for them."""
COMPRESSIONS = ("zstd", "none")
"""Of the chunks of an MCAP file, which every reader of MCAP undoes by itself."""
PART_SECONDS = 30.0
_PLAN = "plan.json"
MOST_PARTS = 4096
"""Of a recording: one whose clock jumps by years has few parts that hold anything."""


@dataclass(frozen=True)
class Options:
    """How recordings are segmented.

    Args:
        model: a model file, or the name of a shipped model.
        topics: image topics; empty for those that the recording has.
        outputs: some of `OUTPUTS`.
        masks: classes, or "all", with a mask topic each.
        backend, precision: as of `Segmenter.open`.
        threads: CPU threads of a worker; 0 for its share of the CPUs.
        device: as of `EngineOptions`.
        min_confidence: pixels below it are unlabelled, 0 to 1.
        overlay_opacity: of the colours, 0 to 1.
        at_input_size: whether outputs have the size of the network's input, not the image's.
        regions: by image topic or `topics.DEFAULT`: x, y, width, height of the part of the images
            that the network sees, as of the node's parameter `regions_of_interest`.
        mounts: for free space, by image topic or `topics.DEFAULT`: x, y, z, roll, pitch, yaw, as
            of the node's parameter `mount`; of other cameras /tf_static says the pose.
        body_masks: for free space, by image topic or `topics.DEFAULT`: an image file, as of the
            node's parameter.
        ground_classes, ground_frame: as the node's parameters.
    """

    model: str
    topics: tuple[str, ...] = ()
    outputs: tuple[str, ...] = DEFAULT_OUTPUTS
    masks: tuple[str, ...] = ()
    backend: str = "auto"
    precision: str = "auto"
    threads: int = 0
    device: str = "auto"
    min_confidence: float = 0.0
    overlay_opacity: float = 0.5
    at_input_size: bool = False
    regions: tuple[tuple[str, tuple[int, ...]], ...] = ()
    mounts: tuple[tuple[str, tuple[float, ...]], ...] = ()
    body_masks: tuple[tuple[str, str], ...] = ()
    ground_classes: tuple[str, ...] = ()
    ground_frame: str = GROUND_FRAME


@dataclass(frozen=True)
class Storage:
    """How a bag is stored.

    Args:
        plugin: one of `STORAGES`.
        compression: one of `COMPRESSIONS`; sqlite3 has none.

    Raises:
        RecordingError: sqlite3 is to be compressed.
    """

    plugin: str = "mcap"
    compression: str = "none"

    def __post_init__(self) -> None:
        if self.plugin != "mcap" and self.compression != "none":
            raise RecordingError(f"a bag in {self.plugin} has no compressed chunks: name mcap")


PLAIN = Storage()
"""As parts are stored, which are read once and removed."""


@dataclass(frozen=True)
class Part:
    """A stretch of a recording."""

    recording: Path
    folder: Path
    """Where the recording's parts are kept."""
    index: int
    start: int
    """Receive time of its first messages, nanoseconds."""
    stop: int
    """Receive time after its last."""

    @property
    def path(self) -> Path:
        """The bag with the part's messages; it is there once the part is done."""
        return self.folder / f"part_{self.index:04}"

    @property
    def report_path(self) -> Path:
        """What happened in the part, in the bag's folder."""
        return self.path / "report.json"

    @property
    def done(self) -> bool:
        """Whether the part is there, whole."""
        return self.report_path.is_file()


@dataclass(frozen=True)
class BadImage:
    """An image that could not be segmented."""

    topic: str
    time: int
    """When it was received, nanoseconds."""
    reason: str


@dataclass(frozen=True)
class Without:
    """Frames of a camera that lack an output, for one reason."""

    topic: str
    """Of the camera's images."""
    output: str
    reason: str
    frames: int


@dataclass(frozen=True)
class PartReport:
    """What happened in a part."""

    frames: int
    bad: tuple[BadImage, ...]
    seconds: float
    """Of work."""
    damage: str = ""
    """Why the recording could not be read to the part's end; empty where it could."""
    without: tuple[Without, ...] = ()

    def to_json(self) -> str:
        """As a part's folder keeps it."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> PartReport:
        """The reverse of `to_json`."""
        values = json.loads(text)
        bad = tuple(BadImage(**entry) for entry in values["bad"])
        without = tuple(Without(**entry) for entry in values["without"])
        return cls(**{**values, "bad": bad, "without": without})


def parts_of(
    recording: Path, folder: Path, span: tuple[int, int], seconds: float = PART_SECONDS
) -> list[Part]:
    """A recording's parts, of equal length.

    Args:
        recording: its path.
        folder: where its parts are to be kept.
        span: its first receive time, and one after the last, nanoseconds.
        seconds: length of a part, rounded up where there would be more than `MOST_PARTS`.
    """
    start, stop = span
    length = max(round(seconds * 1e9), -(-(stop - start) // MOST_PARTS), 1)
    return [
        Part(recording, folder, index, begin, min(begin + length, stop))
        for index, begin in enumerate(range(start, stop, length))
    ]


def fingerprint(recording: Path, model: Path, options: Options) -> dict[str, Any]:
    """What parts depend on, which must not have changed when a run is resumed."""
    files = sorted(recording.iterdir()) if recording.is_dir() else [recording]
    return {
        "recording": [[file.name, file.stat().st_size] for file in files if file.is_file()],
        "model": _digest(model),
        "body masks": [_digest(Path(path)) for _, path in options.body_masks],
        "options": json.loads(json.dumps(asdict(options))),
    }


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def check_parts(folder: Path, identity: Mapping[str, Any], resume: bool) -> None:
    """Check that a run may use the folder of a recording's parts.

    Args:
        folder: of the parts; nothing is changed in it.
        identity: what the parts depend on, see `fingerprint`.
        resume: whether existing parts are kept.

    Raises:
        RecordingError: there are parts and they are not to be kept, or are of another run.
    """
    plan = folder / _PLAN
    if not (plan.is_file() and any(folder.glob("part_*/report.json"))):
        return
    if not resume:
        raise RecordingError(
            f"{folder} holds parts of a run that was interrupted: go on with --resume, or remove it"
        )
    before = json.loads(plan.read_text(encoding="utf-8"))
    changed = [key for key in identity if before.get(key) != identity[key]]
    if changed:
        raise RecordingError(
            f"{folder} holds parts of another run: {_and(changed)} changed since; remove the "
            "folder, or name what it was made with"
        )


def prepare(folder: Path, identity: Mapping[str, Any]) -> None:
    """Makes the folder of a recording's parts, and notes what they depend on."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / _PLAN, json.dumps(identity, indent=1))


def _and(names: Sequence[str]) -> str:
    return " and ".join(names) + (" have" if len(names) > 1 else " has")
