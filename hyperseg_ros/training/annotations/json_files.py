"""JSON files of annotation tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hyperseg_ros.training.annotations.regions import AnnotationError


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        AnnotationError: it cannot be read or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise AnnotationError(f"{path}: cannot read the annotations: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f"{path}: this is not JSON: {error}") from None


def files_below(folder: Path, pattern: str) -> list[Path]:
    """The files of a pattern in a folder and its folders, sorted.

    Raises:
        AnnotationError: there is none.
    """
    found = sorted(path for path in folder.rglob(pattern) if not path.name.startswith("._"))
    if not found:
        raise AnnotationError(f"{folder}: there is no file {pattern} in this folder")
    return found
