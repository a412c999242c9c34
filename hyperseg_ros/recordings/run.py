"""Recordings in, segmented bags out: plans the parts, has them done, and joins them."""

from __future__ import annotations

import functools
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperseg_ros import __version__
from hyperseg_ros.classes import ClassTable
from hyperseg_ros.frames.ground_settings import ground_settings
from hyperseg_ros.frames.topics import DEFAULT
from hyperseg_ros.recordings.camera_options import body_masks, check_names, mounts, regions
from hyperseg_ros.recordings.cameras import choose_cameras, find_cameras
from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.fleet import Fleet, Outcome, Worker, run_fleet, run_here
from hyperseg_ros.recordings.joining import check_definitions, join
from hyperseg_ros.recordings.places import remove
from hyperseg_ros.recordings.plan import (
    FREE_SPACE,
    PART_SECONDS,
    PLAIN,
    BadImage,
    Options,
    Part,
    PartReport,
    Storage,
    Without,
    check_parts,
    fingerprint,
    parts_of,
    prepare,
)
from hyperseg_ros.recordings.poses import TF_STATIC, has_static_transforms
from hyperseg_ros.recordings.reading import Recording
from hyperseg_ros.recordings.segmenting import PartWorker, frame_settings
from hyperseg_ros.runtime.model_file import find_model, read_card

REPORT = "report.json"
"""What happened in a run, in the bag's folder."""


@dataclass(frozen=True)
class Result:
    """What became of a recording."""

    recording: Path
    output: Path
    """The bag; there only if no part was given up."""
    frames: int
    bad: tuple[BadImage, ...]
    damage: str
    """Why the recording could not be read whole; empty where it could."""
    failed: tuple[Outcome, ...]
    """The parts that were given up."""
    seconds: float
    """Of work, by all workers."""
    without: tuple[Without, ...] = ()
    """Frames that lack an output that was asked for."""

    @property
    def whole(self) -> bool:
        """Whether every image of the recording is segmented."""
        return not (self.bad or self.damage or self.failed)


@dataclass(frozen=True)
class Task:
    """A recording, where its bag is to be, and the parts it is done in."""

    recording: Path
    output: Path
    parts: tuple[Part, ...]
    identity: Mapping[str, Any]
    """What the bag depends on."""
    left_out: Mapping[str, str]
    """Image topics that are not taken for cameras, and what they hold."""

    @property
    def folder(self) -> Path:
        """Of the parts."""
        return parts_folder(self.output)


def parts_folder(output: Path) -> Path:
    """Where the parts of a bag are kept until it is whole."""
    return output.with_name(f".{output.name}.parts")


def plan(
    sources: Mapping[Path, Path],
    options: Options,
    resume: bool = False,
    part_seconds: float = PART_SECONDS,
    merge: bool = False,
) -> list[Task]:
    """What is to be done. Nothing is segmented yet, so mistakes are told before hours of work.

    Args:
        sources: by recording, the bag to write.
        options: how.
        resume: whether to go on with a run that was interrupted: bags and parts that it has made
            are not made again.
        part_seconds: length of a part.
        merge: whether the original topics are to be in the bags too.

    Raises:
        RecordingError: a recording cannot be read, has no cameras, or its bag is there already.
        ModelFileError: the model is not there, or is not one.
        ValueError: a mask is of no class of the model, or free space cannot be looked for.
    """
    model = find_model(options.model)
    _check(read_card(model).classes, options)
    tasks = []
    for source, output in sources.items():
        identity = {**fingerprint(source, model, options), "part": part_seconds}
        if resume and is_made_of(output, identity):
            continue
        if output.exists():
            raise RecordingError(f"{output} is there already: name another output, or remove it")
        with Recording(source) as recording:
            choice = choose_cameras(recording, options.topics)
            cameras = choice.cameras
            if merge:
                check_definitions(recording, cameras)
            topics = [camera.image for camera in cameras]
            check_names(options, source, topics)
            if FREE_SPACE in options.outputs:
                _check_poses(recording, topics, options)
            parts = parts_of(source, parts_folder(output), recording.span, part_seconds)
        check_parts(parts_folder(output), identity, resume)
        tasks.append(Task(source, output, tuple(parts), identity, choice.left_out))
    for task in tasks:
        prepare(task.folder, task.identity)
    return tasks


def _check(classes: ClassTable, options: Options) -> None:
    frame_settings(classes, options)
    regions(options)
    mounts(options)
    body_masks(options)
    if FREE_SPACE in options.outputs:
        ground_settings(classes, options.ground_classes)
    elif options.body_masks:
        raise ValueError("--body-mask is for free space: add it to --outputs, or a --mount")


def _check_poses(recording: Recording, cameras: Sequence[str], options: Options) -> None:
    """Check that every camera has a mount, or the recording /tf_static."""
    named = dict(options.mounts)
    lacking = [topic for topic in cameras if topic not in named and DEFAULT not in named]
    if lacking and not has_static_transforms(recording):
        raise RecordingError(
            f"{recording.path} has no {TF_STATIC} that says where {lacking[0]} is above the "
            f"ground: name its pose with --mount {lacking[0]}=X,Y,Z,ROLL,PITCH,YAW"
        )


def is_made_of(output: Path, identity: Mapping[str, Any]) -> bool:
    """Whether a bag is there, whole, and what such a run makes."""
    report = output / REPORT
    if not report.is_file():
        return False
    return bool(json.loads(report.read_text(encoding="utf-8")).get("identity") == identity)


def run(
    tasks: Sequence[Task],
    options: Options,
    fleet: Fleet | None = None,
    merge: bool = False,
    storage: Storage = PLAIN,
    progress: Callable[[Outcome], None] = lambda outcome: None,
) -> Iterator[Result]:
    """Does the tasks; each result comes as soon as its bag is whole.

    Args:
        tasks: see `plan`.
        options: how, as for `plan`.
        fleet: who does it; None for this process.
        merge: whether the original topics are written to the bag too.
        storage: how the bags are stored.
        progress: told of every part that is done or given up.
    """
    ledger = _Ledger()
    by_recording = {task.recording: task for task in tasks}
    waiting = [part for task in tasks for part in task.parts if not part.done]
    for task in tasks:
        ledger.take_done(task)
        if ledger.is_settled(task):
            yield _finish(task, ledger, options, merge, storage)
    for outcome in _do(waiting, options, fleet):
        progress(outcome)
        ledger.take(outcome)
        task = by_recording[outcome.part.recording]
        if ledger.is_settled(task):
            yield _finish(task, ledger, options, merge, storage)


class _Ledger:
    """What became of each part."""

    def __init__(self) -> None:
        self._reports: dict[Part, PartReport] = {}
        self._failed: dict[Part, Outcome] = {}
        self._settled: Counter[Path] = Counter()

    def take(self, outcome: Outcome) -> None:
        """A part was done or given up."""
        part = outcome.part
        if outcome.report is None:
            self._failed[part] = outcome
        else:
            self._reports[part] = outcome.report
        self._settled[part.recording] += 1

    def take_done(self, task: Task) -> None:
        """The parts that an earlier run has done."""
        for part in task.parts:
            if part.done:
                report = PartReport.from_json(part.report_path.read_text(encoding="utf-8"))
                self.take(Outcome(part, report))

    def is_settled(self, task: Task) -> bool:
        """Whether each part of a task was done or given up."""
        return self._settled[task.recording] == len(task.parts)

    def gave_up(self, task: Task) -> tuple[Outcome, ...]:
        """The parts of a task that were given up."""
        return tuple(self._failed[part] for part in task.parts if part in self._failed)

    def result(self, task: Task, damage: str) -> Result:
        """What became of a task.

        Args:
            task: that is settled.
            damage: of its recording, as far as it was read.
        """
        done = [self._reports[part] for part in task.parts if part in self._reports]
        return Result(
            task.recording,
            task.output,
            sum(report.frames for report in done),
            tuple(bad for report in done for bad in report.bad),
            damage or next((report.damage for report in done if report.damage), ""),
            self.gave_up(task),
            sum(report.seconds for report in done),
            _joined(report.without for report in done),
        )


def _do(parts: Iterable[Part], options: Options, fleet: Fleet | None) -> Iterator[Outcome]:
    if fleet is not None:
        yield from run_fleet(parts, functools.partial(_make_worker, options), fleet)
        return
    worker = PartWorker(options)
    try:
        yield from run_here(parts, worker)
    finally:
        worker.close()


def _make_worker(options: Options, threads: int) -> Worker:
    return PartWorker(options, threads)


def _finish(task: Task, ledger: _Ledger, options: Options, merge: bool, storage: Storage) -> Result:
    with Recording(task.recording) as recording:
        if not ledger.gave_up(task):
            classes = read_card(find_model(options.model)).classes
            join(
                recording,
                task.parts,
                task.output,
                find_cameras(recording, options.topics),
                (classes, options.min_confidence) if "label_info" in options.outputs else None,
                merge,
                storage,
                {"version": __version__, "model": options.model, "recording": task.recording.name},
                lambda: {REPORT: _report(ledger.result(task, recording.damage), task.identity)},
            )
            remove(task.folder)
        return ledger.result(task, recording.damage)


def _joined(parts: Iterable[tuple[Without, ...]]) -> tuple[Without, ...]:
    """What the frames of all parts lack, each reason once."""
    counts: dict[tuple[str, str, str], int] = {}
    for entry in itertools.chain.from_iterable(parts):
        key = entry.topic, entry.output, entry.reason
        counts[key] = counts.get(key, 0) + entry.frames
    return tuple(Without(*key, frames) for key, frames in counts.items())


def _report(result: Result, identity: Mapping[str, Any]) -> str:
    """Beside the messages, where `ros2 bag` leaves it alone."""
    values = {
        "recording": result.recording.name,
        "frames": result.frames,
        "damage": result.damage,
        "bad": [vars(bad) for bad in result.bad],
        "without": [vars(entry) for entry in result.without],
        "identity": identity,
    }
    return json.dumps(values, indent=1)
