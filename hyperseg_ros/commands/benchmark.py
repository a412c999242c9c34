"""`hyperseg benchmark`: a model's inference, with --node the node, with --train a training step."""

from __future__ import annotations

from collections.abc import Sequence

from hyperseg_ros.commands import (
    benchmark_advice,
    benchmark_inference,
    benchmark_node,
    benchmark_training,
)

_BENCHMARKS = {
    "--node": benchmark_node,
    "--train": benchmark_training,
    "--advise": benchmark_advice,
}
"""What is measured in place of inference, by the option that asks for it."""


def main(argv: Sequence[str]) -> int:
    """Run the command: the benchmark of the model, of the node, or of training.

    Raises:
        ValueError: the model or a backend cannot be used.
        ModuleNotFoundError: ROS 2, or PyTorch, is not installed.
    """
    for option, benchmark in _BENCHMARKS.items():
        if option in argv:
            return benchmark.main(argv)
    return benchmark_inference.main(argv)
