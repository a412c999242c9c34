"""The `hyperseg` command: hands each sub-command to its layer, imported only when it runs."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hyperseg_ros import __version__


@dataclass(frozen=True)
class _Command:
    summary: str
    main: str
    """`module:function`; the function takes the arguments and returns the exit status."""
    extra: str
    """The extra of the Python package that installs what the command imports."""
    on_node: str = ""
    """Like `main`, of the command's variant `--node`, which needs ROS 2."""


COMMANDS = {
    "train": _Command("train a network", "hyperseg_ros.training.train:main", "train"),
    "evaluate": _Command(
        "measure a checkpoint or a model file on a data set",
        "hyperseg_ros.training.evaluate:main",
        "train",
    ),
    "average": _Command(
        "average the weights of several runs", "hyperseg_ros.training.average:main", "train"
    ),
    "check": _Command(
        "look for mistakes in a data set", "hyperseg_ros.training.check:main", "train"
    ),
    "pack": _Command("write a data set to one file", "hyperseg_ros.training.pack:main", "train"),
    "export": _Command(
        "write a checkpoint as a model file", "hyperseg_ros.export.command:main", "export"
    ),
    "build": _Command(
        "build the TensorRT engine of a model file, or an INT8 model file",
        "hyperseg_ros.runtime.build:main",
        "cpu",
    ),
    "segment": _Command(
        "segment images and videos", "hyperseg_ros.runtime.segment_files:main", "cpu"
    ),
    "benchmark": _Command(
        "measure a model, with --node the node, or with --train a training step",
        "hyperseg_ros.runtime.benchmark:main",
        "cpu",
        "hyperseg_ros.node.benchmark:main",
    ),
}

TRAINING_BENCHMARK = _Command("", "hyperseg_ros.training.benchmark:main", "train")
"""`hyperseg benchmark --train`: the benchmark of the layer that needs PyTorch."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `hyperseg`; a mistake of the caller is one line on stderr and status 2."""
    parser = argparse.ArgumentParser(
        prog="hyperseg",
        description="Real-time semantic segmentation with HyperSeg.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="commands:\n"
        + "\n".join(f"  {name:<11}{command.summary}" for name, command in COMMANDS.items())
        + "\n\n`hyperseg COMMAND --help` describes a command.",
    )
    parser.add_argument("--version", action="version", version=f"hyperseg {__version__}")
    parser.add_argument(
        "--traceback", action="store_true", help="show where in the program an error arose"
    )
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS, help="one of those below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    command = COMMANDS[options.command]
    if options.command == "benchmark" and "--train" in options.arguments:
        command = TRAINING_BENCHMARK
    try:
        on_node = command.on_node and "--node" in options.arguments
        module, _, function = (command.on_node if on_node else command.main).partition(":")
        run: Callable[[list[str]], int] = getattr(importlib.import_module(module), function)
        return run(options.arguments)
    except KeyboardInterrupt:
        return 130
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if options.traceback or package in ("", "hyperseg_ros"):
            raise
        message = (
            f"the package {package} is not installed: pip install 'hyperseg_ros[{command.extra}]'"
        )
    except (ValueError, OSError) as error:
        if options.traceback:
            raise
        message = " ".join(str(error).split())
    print(f"hyperseg {options.command}: error: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
