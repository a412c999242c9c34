from __future__ import annotations

import fcntl
import os
import time

import pytest

from hyperseg_ros.node.shared_memory import JUST_MADE, advice, left_behind


@pytest.fixture
def segment(tmp_path):
    """Makes a segment and its lock file, as old as it is said to be."""
    opened = []

    def make(name: str, size: int, alive: bool, age: float = 2 * JUST_MADE) -> None:
        (tmp_path / name).write_bytes(bytes(size))
        lock = tmp_path / f"{name}_el"
        lock.touch()
        os.utime(lock, (time.time() - age,) * 2)
        if alive:
            opened.append(lock.open("rb"))
            fcntl.flock(opened[-1], fcntl.LOCK_EX)

    yield make
    for file in opened:
        file.close()


def test_only_what_no_process_holds_is_left_behind(segment, tmp_path):
    assert left_behind(tmp_path) == 0
    segment("fastrtps_0123", 1000, alive=True)
    segment("fastrtps_4567", 200, alive=False)
    segment("fastdds_port7000", 30, alive=False)
    segment("fastdds_89ab", 4000, alive=False, age=0)  # its process may be about to lock it
    segment("somebody_else", 50000, alive=False)
    assert left_behind(tmp_path) == 230


def test_much_of_it_is_told_with_the_remedy(segment, tmp_path, monkeypatch):
    monkeypatch.delenv("FASTDDS_BUILTIN_TRANSPORTS", raising=False)
    segment("fastrtps_1", 1_000_000, alive=False)
    assert advice(tmp_path) == ""
    segment("fastrtps_2", 6_000_000, alive=False)
    assert advice(tmp_path).startswith(
        f"7 MB in {tmp_path} are left over from processes that were killed"
    )
    assert "`fastdds shm clean`" in advice(tmp_path)
    monkeypatch.setenv("FASTDDS_BUILTIN_TRANSPORTS", "UDPv4")
    assert advice(tmp_path) == ""
