#!/usr/bin/env python3
"""Hostile images against the decoder: what each costs, and whether one costs too much.

    benchmarks/fuzz_decoding.py --minutes 10

Every image, of 1 MB or less, must be decoded or refused with one line within 300 MB and a second of
processor time. Those that are not are written to a folder; the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import itertools
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))  # which tools/ros leaves out

from hostile_images import hostile_images

from hyperseg_ros.runtime.decoding import ImageError, decode_image

MOST_SECONDS, MOST_MEGABYTES = 1.0, 300.0


@dataclass(frozen=True)
class Cost:
    """What became of an image, and what it took."""

    outcome: str
    seconds: float
    """Of processor time."""
    megabytes: float
    """Of resident memory, at the most, above what the process had before."""

    @property
    def is_too_much(self) -> bool:
        return self.seconds > MOST_SECONDS or self.megabytes > MOST_MEGABYTES


def measure(data: bytes) -> Cost:
    """Decode an image in this process."""
    _forget_peak()
    before = _memory("VmRSS")
    begin = time.process_time()
    try:
        pixels = decode_image(data)
    except ImageError as error:
        outcome = f"refused: {error}"
        assert "\n" not in outcome, outcome
    else:
        outcome = f"decoded: {pixels.shape}"
        del pixels
    return Cost(outcome, time.process_time() - begin, _memory("VmHWM") - before)


def _forget_peak() -> None:
    """Gives freed memory back, and resets the largest so far, where Linux lets a process."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _memory(entry: str) -> float:
    found = re.search(rf"^{entry}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def main() -> int:
    """Run until the time is up, with a seed after the other."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="the first; default: 0")
    parser.add_argument("--minutes", type=float, default=1.0, help="default: 1")
    parser.add_argument(
        "--mutations", type=int, default=20_000, metavar="N", help="for each seed; default: 20000"
    )
    parser.add_argument("--output", type=Path, default=Path("fuzz_output"), metavar="FOLDER")
    parser.add_argument("--verbose", action="store_true", help="print every image")
    options = parser.parse_args()
    end, count, worst = time.monotonic() + 60 * options.minutes, 0, {}
    bad = 0
    for seed in itertools.count(options.seed):
        for name, data in hostile_images(seed, mutations=options.mutations):
            cost = measure(data)
            count += 1
            if options.verbose:
                print(f"{cost.seconds:6.2f} s {cost.megabytes:6.0f} MB  {name}: {cost.outcome}")
            if cost.is_too_much:
                bad += 1
                options.output.mkdir(parents=True, exist_ok=True)
                file = options.output / f"{seed}-{count}"
                file.write_bytes(data)
                print(f"TOO MUCH: {cost.seconds:.2f} s, {cost.megabytes:.0f} MB: {name}, in {file}")
            for key, value in (("seconds", cost.seconds), ("MB", cost.megabytes)):
                worst[key] = max(worst.get(key, (0.0, "")), (value, name))
            if time.monotonic() > end:
                break
        if time.monotonic() > end:
            break
    print(f"{count} images, {bad} cost too much, seeds {options.seed} to {seed}")
    for key, (value, name) in worst.items():
        print(f"most {key}: {value:.2f} ({name})")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
