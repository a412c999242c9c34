"""The `hyperseg` command: one table of commands, each imported only when it runs."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hyperseg_ros import __version__


@dataclass(frozen=True)
class Command:
    """A command, whose function `main` takes the arguments and returns the exit status."""

    summary: str
    module: str = ""
    """Where `main` is; empty for `hyperseg_ros.commands.<name>`."""


COMMANDS = {
    "train": Command("train a network"),
    "evaluate": Command("measure a checkpoint or a model file on a data set"),
    "average": Command("average the weights of several runs"),
    "offsets": Command("fit constants that raise the mIoU of a checkpoint"),
    "check": Command("look for mistakes in a data set"),
    "pack": Command("write a data set to one file"),
    "import": Command(
        "make a data set of an annotation tool's files", "hyperseg_ros.commands.import_labels"
    ),
    "export-labels": Command(
        "write labels as an annotation tool imports them", "hyperseg_ros.commands.export_labels"
    ),
    "export": Command("write a checkpoint, or a model for another size, as a model file"),
    "build": Command("build the TensorRT engine of a model file, or an INT8 model file"),
    "segment": Command("segment images, videos and recordings"),
    "select": Command("choose the frames of recordings that are worth labelling"),
    "benchmark": Command(
        "measure a model; with --node, --train or --advise the node, training, or all ways to run"
    ),
}

_ROS = (
    "source the setup file of a ROS 2 installation, such as /opt/ros/jazzy/setup.bash; "
    "without one, in a checkout: tools/ros hyperseg ..."
)
_PIP = "in a checkout of hyperseg_ros: pip install '.[{}]'"
_TRAIN, _CPU = _PIP.format("train,export"), _PIP.format("cpu")
ADVICE = {
    **dict.fromkeys(("rclpy", "ament_index_python"), _ROS),
    **dict.fromkeys(("sensor_msgs", "std_msgs", "diagnostic_msgs", "nav_msgs"), _ROS),
    **dict.fromkeys(("torch", "lightning", "tensorboard", "onnxscript", "yaml", "PIL"), _TRAIN),
    **dict.fromkeys(("openvino", "onnxruntime"), _CPU),
    **dict.fromkeys(("rosbags", "mcap"), _PIP.format("recordings")),
    **dict.fromkeys(("ray", "upath"), _PIP.format("fleet")),
    "pycocotools": _PIP.format("train,annotations"),
    "tensorrt": "JetPack brings it; elsewhere see docs/jetson.md",
    "hyperseg_ros.msg": "it is made by `colcon build`; without ROS 2, in a checkout: "
    "tools/ros hyperseg ...",
}
"""How to install what a command may find missing, by the name of the module."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `hyperseg`; a mistake of the caller is one line on stderr and status 2, a full disk 1."""
    status = 2
    parser = argparse.ArgumentParser(
        prog="hyperseg",
        description="Real-time semantic segmentation with HyperSeg.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="commands:\n"
        + "\n".join(f"  {name:<14}{command.summary}" for name, command in COMMANDS.items())
        + "\n\n`hyperseg COMMAND --help` describes a command.",
    )
    parser.add_argument("--version", action="version", version=f"hyperseg {__version__}")
    parser.add_argument(
        "--traceback", action="store_true", help="show where in the program an error arose"
    )
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS, help="one of those below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    module = COMMANDS[options.command].module or f"hyperseg_ros.commands.{options.command}"
    try:
        run: Callable[[list[str]], int] = importlib.import_module(module).main
        return run(options.arguments)
    except KeyboardInterrupt:
        return 130
    except ModuleNotFoundError as error:
        message = _advice(error)
        if options.traceback or not message:
            raise
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if options.traceback or package in ("", "hyperseg_ros"):
            raise
        message = f"{error.msg}: another release of {package} is needed; {_install(package)}"
    except (ValueError, OSError) as error:
        if options.traceback:
            raise
        message = " ".join(str(error).split())
        from hyperseg_ros.files import disk_is_full  # here, since this module imports no other

        status = 1 if disk_is_full(error) else 2
    except RuntimeError as error:
        if options.traceback or not _is_of_a_backend(error):
            raise
        message = " ".join(str(error).split())
    print(f"hyperseg {options.command}: error: {message}", file=sys.stderr)
    return status


def _is_of_a_backend(error: RuntimeError) -> bool:
    """Whether a backend has failed; who raised its error has imported it."""
    base = sys.modules.get("hyperseg_ros.runtime.backends.base")
    return base is not None and isinstance(error, (base.InferenceError, base.BackendLostError))


def _advice(error: ModuleNotFoundError) -> str:
    """What is missing and how to install it; empty for a module of ours that is not there."""
    name = error.name or ""
    package = name.partition(".")[0]
    if not str(error).startswith("No module named"):
        return str(error)  # who raised it knows better
    if package in ("", "hyperseg_ros") and name not in ADVICE:
        return ""
    missing = name if name in ADVICE else package
    return f"the package {missing} is not installed; {_install(missing)}"


def _install(module: str) -> str:
    return ADVICE.get(module, _PIP.format("cpu,train,export"))


if __name__ == "__main__":
    sys.exit(main())
