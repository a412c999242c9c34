"""What the node adds to the network's time, and how it bears overload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from hyperseg_ros.benchmark.rig import Load, Outcome, Rig
from hyperseg_ros.frames.topics import class_tokens
from hyperseg_ros.msg import ClassMasks
from hyperseg_ros.node.statistics import WINDOW
from hyperseg_ros.runtime import find_model, read_card

BASE = {"label": Image, "confidence": Image}
MEMORY_GROWTH = 1.05
"""What resident memory may grow by in a soak."""
AGE_BOUND = 2.0
"""How many times inference x (cameras + 1) the 95th percentile of ages may be in a soak."""


def measure_latency(model: str, seconds: float) -> None:
    """Print what the node and each of its outputs add to the network's time.

    Args:
        model: whose classes and input size to use.
        seconds: of each measurement.
    """
    inference = 30.0
    load = Load(1, 10.0, (720, 1280), inference, model)
    print("One camera, 1280 x 720 at 10 Hz. Added to the network's time, ms:", flush=True)
    print(f"{'':24} {'at the consumer':>18} {'published':>18}")
    print(f"{'outputs':24} {'median     p95':>18} {'median     p95':>18}")

    def measure(rig: Rig, title: str, further: Mapping[str, type]) -> float:
        outcome = rig.measure({**BASE, **further}, seconds)
        arrival = np.percentile(outcome.arrival_ms, (50, 95)) - inference
        published = np.array(outcome.published_ms) - inference
        row = f"{arrival[0]:10.1f}{arrival[1]:8.1f} {published[0]:10.1f}{published[1]:8.1f}"
        print(f"{title:24} {row}", flush=True)
        return float(published[0])

    with Rig(load, bare=True) as rig:
        bare = np.percentile(rig.measure_arrival(BASE, seconds), (50, 95)) - inference
        print(f"{'ROS 2 without the node':24} {bare[0]:10.1f}{bare[1]:8.1f}", flush=True)
    with Rig(load) as rig:
        before = measure(rig, "label, confidence", {})
        for name, kind in _further(model).items():
            with_it = measure(rig, f"+ {name}", {name: kind})
            # In turn, so that what else the machine does counts for both.
            after = measure(rig, "label, confidence", {})
            print(f"  {name} adds {with_it - (before + after) / 2:.1f} ms", flush=True)
            before = after


def _further(model: str) -> dict[str, type]:
    """The outputs whose cost is measured: name and message type."""
    first, *_ = class_tokens(read_card(find_model(model)).classes.names).values()
    mask = f"mask/{first}"
    return {
        mask: Image,
        f"{mask}/compressed": CompressedImage,
        "label/compressed": CompressedImage,
        "masks": ClassMasks,
        "color": Image,
        "overlay": Image,
    }


def measure_overload(model: str, seconds: float) -> None:
    """Print how the node bears four cameras with a network that is too slow for them.

    Args:
        model: whose classes and input size to use.
        seconds: of the measurement.
    """
    load = Load(4, 30.0, (480, 640), 100.0, model)
    print("\nFour cameras, 640 x 480 at 30 Hz; a network of 10 frames/s:", flush=True)
    with Rig(load) as rig:
        _report_overload(load, rig.measure(BASE, seconds))


def soak(model: str, minutes: int) -> list[str]:
    """Overload the node for minutes, and print how it bears each.

    Returns:
        What shows that it does not bear it for ever: a sentence for each.
    """
    load = Load(4, 30.0, (480, 640), 50.0, model)
    print(f"Four cameras, 640 x 480 at 30 Hz; a network of 20 frames/s; {minutes} minutes:")
    outputs = {**BASE, **_further(model)}
    outcomes = []
    with Rig(load) as rig:
        for minute in range(minutes):
            print(f"minute {minute + 1}", flush=True)
            outcomes.append(rig.measure(outputs, 60.0 - WINDOW))
            _report_overload(load, outcomes[-1])
    return list(objections(load, outcomes))


def objections(load: Load, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What shows that the node does not bear its load for ever."""
    # Where there is more than one minute, the first may fill caches.
    first = outcomes[0].memory_mb[len(outcomes) > 1]
    last = outcomes[-1].memory_mb[1]
    if last > MEMORY_GROWTH * first:
        yield f"memory grew from {first:.1f} to {last:.1f} MB"
    bound = AGE_BOUND * load.inference_ms * (load.cameras + 1)
    for outcome in outcomes:
        p95 = np.percentile(outcome.arrival_ms, 95)
        if p95 > bound:
            yield f"labels are {p95:.0f} ms old, more than {bound:.0f} ms"
    if outcomes[-1].bad:
        yield f"{outcomes[-1].bad} frames failed"


def _report_overload(load: Load, outcome: Outcome) -> None:
    share = np.array(outcome.frames) / np.mean(outcome.frames) - 1
    p95 = np.percentile(outcome.arrival_ms, 95)
    bound = load.inference_ms * (load.cameras + 1)
    print(f"  frames per camera     {', '.join(map(str, outcome.frames))}")
    print(f"  off the fair share   {np.abs(share).max():.1%} at most")
    print(f"  age at the consumer  p95 {p95:.0f} ms; inference x (cameras + 1) is {bound:.0f} ms")
    print(f"  memory of the node   {outcome.memory_mb[0]:.1f} -> {outcome.memory_mb[1]:.1f} MB")
    print(f"  frames that failed   {outcome.bad}", flush=True)
