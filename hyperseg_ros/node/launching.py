"""What the launch files decide, without `launch`, so that it is tested without that too."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

SEPARATOR = ":="
OF_ROS2_LAUNCH = ("launch-prefix", "launch-prefix-filter")
"""What `ros2 launch` itself adds to a launch file's arguments."""


def check_arguments(file: str, known: Iterable[str], given: Sequence[str]) -> None:
    """Refuses launch arguments that a launch file does not have.

    `ros2 launch` sets them without a word, and nothing happens.

    Args:
        file: the launch file's path.
        known: its arguments.
        given: the process's, `sys.argv`. Those of another launch file, which includes this one,
            are left alone: it may have arguments of its own.

    Raises:
        ValueError: an argument is unknown; the nearest one is named.
    """
    name = Path(file).name
    if name not in (Path(argument).name for argument in given):
        return
    known = tuple(known)
    for argument in given:
        unknown, separator, _ = argument.partition(SEPARATOR)
        if separator and unknown not in (*known, *OF_ROS2_LAUNCH):
            found = difflib.get_close_matches(unknown, known, n=1)
            hint = f"did you mean {found[0]!r}? " if found else ""
            raise ValueError(
                f"{name} has no argument {unknown!r}: {hint}It has {', '.join(sorted(known))}"
            )


def check_file(argument: str, path: str) -> str:
    """A path with `~` expanded, once it is sure that a file is there.

    Raises:
        ValueError: there is none.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise ValueError(f"{argument}: there is no file {path}")
    return str(file)


def parse_topics(text: str) -> list[str]:
    """The topics in `a,b` or `[a, b]`, with or without quotes.

    Raises:
        ValueError: the text is neither.
    """
    inner = text.strip()
    if inner.startswith("[") and inner.endswith("]"):
        inner = inner[1:-1]
    topics = [topic.strip().strip("'\"") for topic in inner.split(",")]
    if any(set(topic) & set("[]{}: ") for topic in topics):
        raise ValueError(f"image_topics {text!r} is neither a,b nor [a, b]")
    return [topic for topic in topics if topic]


def rviz_remappings(namespace: str, image_topics: Sequence[str]) -> list[tuple[str, str]]:
    """What turns the topics in config/segment.rviz into those of the first camera."""
    topic = image_topics[0] if image_topics else "camera/image_raw"
    if not topic.startswith("/"):
        topic = f"/{namespace.strip('/')}/{topic}".replace("//", "/")
    camera = topic.removesuffix("/compressed").rpartition("/")[0]
    outputs = ("overlay", "color", "free_space/scan")
    return [("/camera/image_raw", topic.removesuffix("/compressed"))] + [
        (f"/camera/segmentation/{name}", f"{camera}/segmentation/{name}") for name in outputs
    ]
