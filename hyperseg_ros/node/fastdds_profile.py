"""Which Fast DDS profile the processes have that a launch file, the demo or a benchmark starts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

AUTO = "auto"
"""The installed profile, unless the user has configured Fast DDS."""
NONE = "none"
"""No profile of ours."""
DESCRIPTION = (
    f"Fast DDS profile of what is started: a file, {NONE}, or {AUTO} (default): config/fastdds.xml "
    "unless the environment configures Fast DDS"
)
FASTRTPS = "FASTRTPS_DEFAULT_PROFILES_FILE"
"""Names a profile: what Fast DDS 2 (Humble, Jazzy) reads. In Kilted the layer above reads it too
and warns; Fast DDS then reads both, and fails at the second."""
FASTDDS = "FASTDDS_DEFAULT_PROFILES_FILE"
"""What Fast DDS 3 (Kilted, Lyrical) reads, and nothing before."""
FILES = {2: "fastdds.xml", 3: "fastdds3.xml"}
"""By Fast DDS's version: each refuses the other's name for the heartbeat's period."""
IN_FOLDER = {2: "DEFAULT_FASTRTPS_PROFILES.xml", 3: "DEFAULT_FASTDDS_PROFILES.xml"}
"""Files that Fast DDS also reads where they stand in the current folder."""
TRANSPORTS = "FASTDDS_BUILTIN_TRANSPORTS"
"""Chooses transports, which a profile that has its own would undo."""
SHARED_MEMORY = Path("/dev/shm")
ROOM = 300_000_000
"""Bytes that must be free there: a process of the profile takes 70 MB when it starts, and one that
does not get them prints errors and does without shared memory."""


@dataclass(frozen=True)
class FastDdsProfile:
    """What to do about Fast DDS's profile."""

    said: str
    """One line: what is in force."""
    concerns: bool = True
    """Whether Fast DDS is what ROS 2 uses here."""
    variables: dict[str, str] = field(default_factory=dict)
    """To be set in the environment of the processes."""


def profile_here(asked: str, environment: Mapping[str, str]) -> FastDdsProfile:
    """The profile of processes that are started from this one, in its folder.

    Args:
        asked: by the user: `auto`, `none` or nothing, or a path, which goes before all else.
        environment: that the processes would have.

    Raises:
        ValueError: there is no file of the path.
    """
    config = Path(get_package_share_directory("hyperseg_ros"), "config")
    return choose_profile(asked, config, installed_version(), environment, Path.cwd())


def installed_version() -> int | None:
    """Fast DDS's major version, of the ROS 2 in use; None where that has no Fast DDS."""
    try:
        share = get_package_share_directory("rmw_fastrtps_shared_cpp")
    except PackageNotFoundError:
        return None
    return 3 if ">fastdds<" in Path(share, "package.xml").read_text() else 2


def choose_profile(
    asked: str,
    config: Path,
    version: int | None,
    environment: Mapping[str, str],
    folder: Path,
    shared_memory: Path = SHARED_MEMORY,
) -> FastDdsProfile:
    """As `profile_here`, with all that it depends on.

    Args:
        asked: by the user.
        config: folder of our profiles.
        version: Fast DDS's major version, or None.
        environment: that the processes would have.
        folder: that they will run in.
        shared_memory: where Fast DDS has its segments.

    Raises:
        ValueError: there is no file of the path.
    """
    asked = asked.strip("'\" ")
    file = Path(asked).expanduser().absolute()
    if asked not in ("", NONE, AUTO) and not file.is_file():
        raise ValueError(f"fastdds_profile: there is no file {asked}")
    implementation = environment.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp")
    if version is None or not implementation.startswith("rmw_fastrtps"):
        return FastDdsProfile("Fast DDS profile: none, as Fast DDS is not in use", concerns=False)
    if asked in ("", NONE):
        return FastDdsProfile("Fast DDS profile: none is set, as asked")
    named = [name for name in (FASTRTPS, FASTDDS) if name in environment]
    if asked != AUTO:
        return _set(str(file), "as asked", version, named)
    if named:
        return _set(environment[named[0]], f"of {named[0]}", version, named)
    reason = _reason_against(environment, folder / IN_FOLDER[version], shared_memory)
    if reason:
        return FastDdsProfile(f"Fast DDS profile: none is set: {reason}")
    return _set(str(config / FILES[version]), f"(fastdds_profile: a file, or {NONE})", version, [])


def _set(file: str, why: str, version: int, named: list[str]) -> FastDdsProfile:
    """The profile in `file`, under the names that the environment has, or the one that is read."""
    names = set(named)
    if version == 2 or not named:
        names.add(FASTRTPS if version == 2 else FASTDDS)
    said = f"Fast DDS profile: {file or 'none'} {why}"
    return FastDdsProfile(said, variables=dict.fromkeys(sorted(names), file) if file else {})


def _reason_against(environment: Mapping[str, str], in_folder: Path, shared_memory: Path) -> str:
    """Why our profile would not do; empty where it does."""
    if TRANSPORTS in environment:
        return f"{TRANSPORTS} is {environment[TRANSPORTS]}"
    if in_folder.is_file() and not environment.get("SKIP_DEFAULT_XML_FILE", "").startswith("1"):
        return f"Fast DDS reads {in_folder}"
    if environment.get("ROS_DISTRO") == "humble" and environment.get("ROS_LOCALHOST_ONLY") == "1":
        return "its UDP would leave this machine, which ROS_LOCALHOST_ONLY forbids"
    try:
        free = shutil.disk_usage(shared_memory).free
    except OSError:
        return f"there is no {shared_memory}"
    if free < ROOM:
        return (
            f"{shared_memory} has {free / 1e6:.0f} MB free, not {ROOM / 1e6:.0f}: start a "
            "container with --shm-size=1g or --ipc=host"
        )
    return ""
