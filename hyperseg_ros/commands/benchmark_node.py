"""`hyperseg benchmark --node`: what the node adds to the network's time, and what load it bears."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from hyperseg_ros.commands.options import positive
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL


def main(argv: Sequence[str]) -> int:
    """Measure the node; 1 if it does not bear a soak.

    Raises:
        ModuleNotFoundError: ROS 2 is not installed.
    """
    options = _parse(argv)
    from hyperseg_ros.benchmark import node

    if options.soak:
        objections = node.soak(options.model, options.soak)
        for objection in objections:
            print(f"FAILED: {objection}")
        return 1 if objections else 0
    node.measure_latency(options.model, options.seconds)
    node.measure_overload(options.model, 2 * options.seconds)
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hyperseg benchmark --node",
        description="Measure what the node adds to the network's time, over DDS between processes, "
        "and how it bears more cameras than the network has time for. The network itself is "
        "replaced by a clock. Needs ROS 2.",
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        default=DEFAULT_MODEL,
        help=f"whose classes and input size to use; default: {DEFAULT_MODEL}",
    )
    parser.add_argument("--node", action="store_true", help="measure the node")
    parser.add_argument(
        "--seconds", type=positive, default=10, metavar="S", help="of each measurement; default: 10"
    )
    parser.add_argument(
        "--soak",
        type=positive,
        metavar="MINUTES",
        help="keep the node under overload for this long instead; "
        "the exit status is 1 if the node does not bear it",
    )
    return parser.parse_args(argv)
