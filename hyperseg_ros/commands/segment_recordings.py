"""`hyperseg segment` on recordings: what is done, what is told, the exit status."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from tqdm import tqdm

from hyperseg_ros.recordings.cameras import tell_left_out
from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.fleet import Fleet, Outcome
from hyperseg_ros.recordings.overlay_video import write_overlay_videos
from hyperseg_ros.recordings.places import is_local
from hyperseg_ros.recordings.plan import FREE_SPACE, Options, Storage
from hyperseg_ros.recordings.run import REPORT, Result, plan, run

_SHOWN = 10


def segment_recordings(
    model: str, sources: Sequence[Path], output: Path, options: argparse.Namespace
) -> int:
    """Segment recordings and say what became of them.

    Args:
        model: a model file, or the name of a shipped one.
        sources: the recordings.
        output: the bag of a single recording; of several, the folder that theirs are put in.
        options: of the command.

    Returns:
        0; 1 where an image, a part or a recording is incomplete, or frames lack an output.

    Raises:
        ValueError: something is wrong with what was asked for; nothing was segmented.
        OSError: something cannot be written; what is done is kept, for --resume.
    """
    if options.video and not ("label" in options.outputs and is_local(output)):
        raise ValueError("--video needs label among --outputs, and an output on this machine")
    compression = options.compression or ("zstd" if options.storage == "mcap" else "none")
    storage = Storage(options.storage, compression)
    outputs = _outputs([path.absolute() for path in sources], output.absolute())
    if Path(model).is_file():
        model = str(Path(model).absolute())  # workers run in other folders
    asked = dict.fromkeys([*options.outputs, *([FREE_SPACE] if options.mount else [])])
    settings = Options(
        model,
        topics=tuple(options.topics),
        outputs=tuple(asked),
        masks=tuple(options.masks) if "mask" in options.outputs else (),
        backend=options.backend,
        precision=options.precision,
        threads=options.threads,
        device=options.device,
        overlay_opacity=options.opacity,
        regions=tuple(options.region),
        mounts=tuple(options.mount),
        body_masks=tuple(options.body_mask),
        ground_classes=tuple(options.ground_classes),
        ground_frame=options.ground_frame,
    )
    tasks = plan(outputs, settings, options.resume, options.part, options.merge)
    left_out = {topic: holds for task in tasks for topic, holds in task.left_out.items()}
    if left_out:
        print(tell_left_out(left_out))
    fleet = Fleet(options.ray, options.workers) if options.ray or options.workers else None
    parts = sum(len(task.parts) for task in tasks)
    begin = time.monotonic()
    results: list[Result] = []
    with tqdm(total=parts, unit="part", disable=None, leave=False) as bar:
        ready = sum(part.done for task in tasks for part in task.parts)
        bar.update(ready)

        def progress(outcome: Outcome) -> None:
            bar.update()

        for result in run(tasks, settings, fleet, options.merge, storage, progress):
            results.append(result)
            if options.video and not result.failed:
                write_overlay_videos(result.recording, result.output, settings)
    skipped = len(outputs) - len(tasks)
    if skipped:
        print(f"{skipped} bags of the previous run are complete")
    if results:
        _tell(results, time.monotonic() - begin)
    return 0 if all(result.whole and not result.without for result in results) else 1


def _outputs(sources: Sequence[Path], output: Path) -> dict[Path, Path]:
    """By recording, the bag that is to be made of it."""
    if len(sources) == 1:
        return {sources[0]: output}
    outputs: dict[Path, Path] = {}
    for source in sources:
        name = source.stem if source.is_file() else source.name
        bag = output / name
        if bag in outputs.values():
            other = next(s for s, o in outputs.items() if o == bag)
            raise RecordingError(
                f"{other} and {source} have the same name: segment them to outputs of their own"
            )
        outputs[source] = bag
    return outputs


def _tell(results: Sequence[Result], seconds: float) -> None:
    width = max(len(str(result.output)) for result in results)
    print(f"{'bag':{width}}  frames  bad images  frames/s  recording")
    for result in results:
        state = "given up" if result.failed else "complete" if result.whole else "incomplete"
        counts = f"{result.frames:6}  {len(result.bad):10}"
        rate = result.frames / max(result.seconds, 1e-9)
        print(f"{result.output!s:{width}}  {counts}  {rate:8.1f}  {state}")
    frames = sum(result.frames for result in results)
    print(f"{frames} frames in {seconds:.1f} s, {frames / max(seconds, 1e-9):.1f} frames/s")
    for result in results:
        for bad in result.bad[:_SHOWN]:
            print(
                f"{result.recording}: bad image on {bad.topic} at {_when(bad.time)}: {bad.reason}"
            )
        if len(result.bad) > _SHOWN:
            print(f"{result.recording}: all {len(result.bad)} are in {result.output / REPORT}")
        for lack in result.without:
            print(
                f"{result.recording}: no {lack.output} for {lack.frames} frames of {lack.topic}: "
                f"{lack.reason}",
                file=sys.stderr,
            )
        if result.damage:
            print(
                f"{result.recording} is incomplete: {result.damage}; "
                f"{result.frames} frames of it are segmented",
                file=sys.stderr,
            )
        for outcome in result.failed:
            print(
                f"{result.recording}: from {_when(outcome.part.start)} on given up: "
                f"{outcome.error}; try again with --resume",
                file=sys.stderr,
            )


def _when(time_ns: int) -> str:
    """A receive time, for people: UTC, and what `ros2 bag` would need."""
    moment = datetime.fromtimestamp(time_ns / 1e9, timezone.utc)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC ({time_ns / 1e9:.3f})"
