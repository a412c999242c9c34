"""Where what is compiled for this machine is kept."""

from __future__ import annotations

import os
from pathlib import Path

_FOLDER = "hyperseg_ros"


def default_folder() -> Path:
    """`$XDG_CACHE_HOME/hyperseg_ros`, by the XDG base directory specification.

    Without a home folder, as under a bare service manager, a folder that cannot be written to: no
    engine is kept.
    """
    configured = os.environ.get("XDG_CACHE_HOME", "")
    if Path(configured).is_absolute():
        return Path(configured, _FOLDER)
    try:
        return Path.home() / ".cache" / _FOLDER
    except RuntimeError:
        return Path(os.devnull, _FOLDER)
