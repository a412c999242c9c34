#!/usr/bin/env python3
"""How fast recordings are segmented, how two workers share a machine, and how memory grows.

    tools/ros benchmarks/segment_recordings.py rate [--kind raw|jpeg] [--threads N]
    tools/ros benchmarks/segment_recordings.py workers
    tools/ros benchmarks/segment_recordings.py memory

`rate`: frames a second of 640 x 480 from one bag to another, read, decoded, segmented, written and
joined, beside those of the segmenter alone on frames in memory. `workers`: two workers of Ray, each
with half of the threads, beside one worker alone with as many threads as each of them. Both are
measured in turn, round by round, in wall time and in the CPU time of the process, which another
process on the machine changes less; medians, and the median of the rounds' ratios.

`memory`: resident memory while 20,000 frames go through one process, with a network that takes no
time. The bags are made in a temporary folder and removed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.benchmark.clocked_network import open_clocked
from hyperseg_ros.frames.messages import COMPRESSED_IMAGE, IMAGE, image_fields
from hyperseg_ros.recordings import segmenting
from hyperseg_ros.recordings.definitions import definition, serialize
from hyperseg_ros.recordings.fleet import Fleet, Worker, run_fleet
from hyperseg_ros.recordings.joining import join
from hyperseg_ros.recordings.plan import COMPRESSIONS, Options, Part, PartReport, Storage
from hyperseg_ros.recordings.reading import Recording
from hyperseg_ros.recordings.run import plan, run
from hyperseg_ros.recordings.segmenting import PartWorker
from hyperseg_ros.recordings.writing import qos, writing_bag
from hyperseg_ros.runtime import Segmenter
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, find_model, read_card
from hyperseg_ros.simulation import StreetCamera

TOPIC = "/front/image_raw"
RATE = 30
"""Frames a second of the bags."""
DIFFERENT = 30
"""Images that differ; they come again and again."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("rate", "workers", "memory"))
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--kind", choices=("raw", "jpeg"), default="raw")
    parser.add_argument("--threads", type=int, default=0, help="of `rate`; 0: as the backend likes")
    parser.add_argument("--compression", choices=COMPRESSIONS, default="zstd", help="of `rate`")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--frames", type=int, default=0, help="of a bag; default: 150, or 20000")
    options = parser.parse_args(argv)
    measure = {"rate": measure_rate, "workers": measure_workers, "memory": measure_memory}
    with tempfile.TemporaryDirectory() as folder:
        measure[options.what](Path(folder), options)
    return 0


def measure_rate(folder: Path, options: argparse.Namespace) -> None:
    """Print how a bag goes beside the segmenter alone."""
    frames = options.frames or 150
    images = pictures(640, 480)
    source = write_bag(folder / "drive", images, frames, options.kind)
    settings = Options(options.model, threads=options.threads)
    storage = Storage(compression=options.compression)
    (task,) = plan({source: folder / "out"}, settings, part_seconds=1e6)
    worker = PartWorker(settings)
    classes = read_card(find_model(options.model)).classes
    worker.run(task.parts[0])  # which loads the model
    rounds: dict[str, list[Cost]] = {"segmenter": [], "part": [], "join": []}
    with Segmenter.open(options.model, threads=options.threads) as segmenter:

        def alone() -> None:
            for index in range(frames):
                segmenter.segment([images[index % DIFFERENT]], True)

        def joined() -> None:
            with Recording(source) as recording:
                cameras = segmenting.find_cameras(recording)
                info = classes, 0.0
                join(recording, task.parts, folder / "out", cameras, info, storage=storage)

        alone()
        for _ in range(options.rounds):
            rounds["segmenter"].append(Cost.of(alone))
            rounds["part"].append(Cost.of(lambda: worker.run(task.parts[0])))
            rounds["join"].append(Cost.of(joined))
            shutil.rmtree(folder / "out")
    worker.close()
    print(f"{options.kind}, {options.rounds} rounds of {frames} frames, ms a frame: wall, CPU")
    for name, costs in rounds.items():
        print(f"{name:10} {_median(costs, 'wall', frames)} {_median(costs, 'cpu', frames)}")
    for kind in ("wall", "cpu"):
        ratios = [
            getattr(alone_, kind) / (getattr(part, kind) + getattr(joining, kind))
            for alone_, part, joining in zip(*rounds.values(), strict=True)
        ]
        print(f"the bag goes at {statistics.median(ratios):.1%} of the segmenter's rate ({kind})")


def measure_workers(folder: Path, options: argparse.Namespace) -> None:
    """Print how two workers do beside one alone."""
    import ray

    frames = options.frames or 600
    cpus = len(os.sched_getaffinity(0))
    threads = max(1, cpus // 2)
    source = write_bag(folder / "drive", pictures(640, 480), frames, options.kind)
    settings = Options(options.model)
    per_part = frames // 8
    (task,) = plan({source: folder / "out"}, settings, part_seconds=per_part / RATE)
    ray.init(num_cpus=2 * threads, include_dashboard=False, log_to_driver=False)
    singles, pairs = [], []
    alone = PartWorker(settings, threads)
    for number in range(options.rounds):
        notes = folder / f"notes_{number}"
        notes.mkdir()
        measured = _Noted(alone, notes)
        for part in task.parts[:4]:
            measured.run(part)
        singles.append(_noted(notes))
        shutil.rmtree(notes)
        notes.mkdir()

        def make(count: int, notes: Path = notes) -> Worker:
            return _Noted(PartWorker(settings, count), notes)

        outcomes = list(run_fleet(task.parts, make, Fleet(workers=2)))
        assert all(outcome.report is not None for outcome in outcomes)
        pairs.append(_noted(notes))
    alone.close()
    ray.shutdown()
    print(f"{threads} threads a worker, {options.rounds} rounds, ms a frame of each worker:")
    for name, found in (("one alone", singles), ("each of two", pairs)):
        print(f"{name:12} {_median(found, 'wall', 1)} wall {_median(found, 'cpu', 1)} CPU")
    for kind in ("wall", "cpu"):
        ratios = [getattr(a, kind) / getattr(b, kind) for a, b in zip(singles, pairs, strict=True)]
        print(f"two go at {statistics.median(ratios):.1%} of twice one ({kind})")


def measure_memory(folder: Path, options: argparse.Namespace) -> None:
    """Print the resident memory of this process as frames go through."""
    frames = options.frames or 20_000
    images = pictures(160, 120)
    source = write_bag(folder / "drive", images, frames, options.kind)
    settings = Options(options.model)
    (task,) = plan({source: folder / "out"}, settings, part_seconds=30)
    done = 0
    begin = time.perf_counter()

    def told(outcome: Any) -> None:
        nonlocal done
        done += outcome.report.frames
        step = max(1, len(task.parts) // 10)
        if outcome.part.index % step == 0 or done == frames:
            print(f"{done:7} frames: {resident('VmRSS'):7.1f} MB", flush=True)

    with mock.patch.object(
        segmenting.Segmenter, "open", lambda model, *_: open_clocked(model, inference_ms=0.0)
    ):
        (result,) = run([task], settings, progress=told)
    seconds = time.perf_counter() - begin
    print(f"{result.frames} frames in {seconds:.0f} s, with the bag joined: ", end="")
    print(f"{resident('VmRSS'):.1f} MB, at most {resident('VmHWM'):.1f} MB")


class Cost:
    """Wall and CPU time of something, seconds."""

    def __init__(self, wall: float, cpu: float) -> None:
        self.wall, self.cpu = wall, cpu

    @classmethod
    def of(cls, work: Callable[[], Any]) -> Cost:
        """Of a piece of work in this process, with all its threads."""
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        return cls(time.perf_counter() - wall, time.process_time() - cpu)


class _Noted:
    """A worker that notes what each part costs a frame, in milliseconds."""

    def __init__(self, worker: PartWorker, folder: Path) -> None:
        self._worker, self._folder, self._done = worker, folder, 0

    def run(self, part: Part) -> PartReport:
        reports: list[PartReport] = []
        cost = Cost.of(lambda: reports.append(self._worker.run(part)))
        self._done += 1
        if self._done > 1:  # the first loads the model
            each = [value * 1e3 / reports[0].frames for value in (cost.wall, cost.cpu)]
            (self._folder / f"{part.index}.json").write_text(json.dumps(each))
        return reports[0]


def _noted(folder: Path) -> Cost:
    notes = [json.loads(file.read_text()) for file in folder.iterdir()]
    return Cost(*(statistics.median(column) for column in zip(*notes, strict=True)))


def _median(costs: Sequence[Cost], kind: str, frames: int) -> str:
    scale = 1e3 / frames if frames > 1 else 1.0
    return f"{statistics.median(getattr(cost, kind) for cost in costs) * scale:8.2f}"


def pictures(width: int, height: int) -> list[NDArray[np.uint8]]:
    """Images of a street, BGR, uint8 [height, width, 3] each."""
    camera = StreetCamera(1, width, height)
    return [camera.frame(3 * index).image for index in range(DIFFERENT)]


def write_bag(path: Path, images: Sequence[NDArray[np.uint8]], frames: int, kind: str) -> Path:
    """A bag of one camera at `RATE`."""
    kinds: dict[str, tuple[str, str]] = {
        "raw": (TOPIC, IMAGE),
        "jpeg": (f"{TOPIC}/compressed", COMPRESSED_IMAGE),
    }
    topic, message = kinds[kind]
    made = [_fields(image, kind) for image in images]
    with writing_bag(path) as bag:
        connection = bag.add(topic, message, *definition(message), [qos()])
        for index, time_ in enumerate(_times(frames)):
            sec, nanosec = divmod(time_, 10**9)
            header = {"stamp": {"sec": sec, "nanosec": nanosec}, "frame_id": "camera"}
            fields = {"header": header, **made[index % len(made)]}
            bag.write(connection, time_, serialize(message, fields))
    return path


def _fields(image: NDArray[np.uint8], kind: str) -> dict[str, Any]:
    if kind == "raw":
        return image_fields(np.ascontiguousarray(image), "bgr8")
    return {"format": "bgr8; jpeg compressed bgr8", "data": cv2.imencode(".jpg", image)[1]}


def _times(frames: int) -> Iterator[int]:
    return (1_700_000_000 * 10**9 + index * 10**9 // RATE for index in range(frames))


def resident(entry: str) -> float:
    """An entry of this process's status, megabytes."""
    found = re.search(rf"^{entry}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.M)
    return int(found[1]) * 1024 / 1e6 if found else float("nan")


if __name__ == "__main__":
    raise SystemExit(main())
