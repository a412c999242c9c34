from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.fleet import TRIES, Fleet, Worker, run_fleet, run_here, share_threads
from hyperseg_ros.recordings.plan import Part, PartReport

ray_only = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed (extra fleet)"
)


def parts(folder: Path, count: int) -> list[Part]:
    return [Part(folder / "drive", folder, index, index, index + 1) for index in range(count)]


def clumsy(folder: Path, raises: dict[int, int], dies: dict[int, int]) -> Callable[[int], Worker]:
    """Makes workers that note each try in a file, and fail at what they are told.

    Args:
        folder: of the notes.
        raises, dies: the tries of a part that raise, or end the process, by the part's number.
    """

    class Clumsy:  # inside, so that it travels to workers that cannot import this file
        def run(self, part: Part) -> PartReport:
            tries = len(list(folder.glob(f"{part.index}.*")))
            (folder / f"{part.index}.{tries}").touch()
            if tries < dies.get(part.index, 0):
                os._exit(1)
            if tries < raises.get(part.index, 0):
                raise RuntimeError(f"part {part.index} has failed")
            return PartReport(frames=part.index, bad=(), seconds=0.0)

    return lambda threads: Clumsy()


def tries(folder: Path) -> dict[int, int]:
    found: dict[int, int] = {}
    for note in folder.iterdir():
        index = int(note.name.partition(".")[0])
        found[index] = found.get(index, 0) + 1
    return found


def test_a_part_that_fails_is_tried_again_and_given_up_after_three_times(tmp_path):
    worker = clumsy(tmp_path, raises={1: 2, 3: 99}, dies={})(1)

    outcomes = {outcome.part.index: outcome for outcome in run_here(parts(tmp_path, 5), worker)}

    assert tries(tmp_path) == {0: 1, 1: 3, 2: 1, 3: TRIES, 4: 1}
    assert [outcomes[index].report.frames for index in (0, 1, 2, 4)] == [0, 1, 2, 4]
    assert outcomes[3].report is None
    assert outcomes[3].error == "part 3 has failed"


def test_what_no_second_try_mends_ends_the_run(tmp_path):
    class Full:
        def run(self, part):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        list(run_here(parts(tmp_path, 2), Full()))


@ray_only
def test_workers_that_die_cost_their_part_once_more_and_nothing_else(tmp_path):
    make_worker = clumsy(tmp_path, raises={2: 1, 5: 99}, dies={1: 1})

    found = run_fleet(parts(tmp_path, 8), make_worker, Fleet(workers=2))
    outcomes = {outcome.part.index: outcome for outcome in found}

    assert tries(tmp_path) == {0: 1, 1: 2, 2: 2, 3: 1, 4: 1, 5: TRIES, 6: 1, 7: 1}
    assert sorted(outcomes) == list(range(8))
    assert [i for i, outcome in outcomes.items() if outcome.report is None] == [5]
    assert "part 5 has failed" in outcomes[5].error


@pytest.mark.parametrize(
    ("cpus", "workers", "threads"),
    [
        ([2], 1, 2),
        ([2], 2, 1),
        ([4, 4, 8], 3, 4),
        ([4, 4, 8], 4, 4),
        ([4, 4, 8], 5, 2),
        ([8], 3, 2),
    ],
)
def test_every_worker_has_a_place_on_one_machine(cpus, workers, threads):
    assert share_threads(cpus, workers) == threads


def test_more_workers_than_cpus_are_refused():
    with pytest.raises(RecordingError, match="4 workers need 4 CPUs, and Ray has 2"):
        share_threads([2], 4)
