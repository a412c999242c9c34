"""The benchmark of free space: its figures, on answers that are known."""

from __future__ import annotations

import free_space
import numpy as np
import pytest

from hyperseg_ros.classes import CAMVID

CAR, POLE = CAMVID.index("car"), CAMVID.index("pole")


def score() -> free_space.Score:
    def frame(ranges, truths, labels, vehicles, beside):
        return free_space.Bearings(
            np.array(ranges),
            np.array(truths),
            np.array(labels, np.uint8),
            np.array(vehicles),
            np.array(beside),
        )

    return free_space.Score(
        [
            frame([10.1, 12.0], [10.0, 10.0], [CAR, CAR], [8.0, 8.0], [[10, 10], [10, 12.1]]),
            frame([4.0, 30.0], [8.0, 10.0], [POLE, CAR], [np.inf, 9.0], [[8, 8], [10, np.inf]]),
            frame([8.5], [10.0], [CAR], [8.4], [[10.0, 10.0]]),
            frame([6.0, 20.0, np.inf], [np.inf] * 3, [0] * 3, [np.inf] * 3, [[np.inf] * 2] * 3),
        ]
    )


def test_figures_are_those_of_the_bearings():
    cells = [cell.strip() for cell in score().row().split("|")]
    # Errors 1, 15, 20, 50 and 200 %; of four bearings to cars two are missed. Two are early, one
    # of them beneath a car. Of three free ones one is blocked.
    assert cells[:7] == ["5", "20.0", "140.0", "40.0", "50.0", "-", "-"]
    assert cells[7:] == ["40.0", "50.0", "140.0", "33.3"]


def test_the_breakdown_says_of_which_bearings_the_errors_are():
    _, _, *lines = score().breakdown()
    rows = {name.strip(): cells for _, name, *cells, _ in (line.split("|") for line in lines)}
    shares = {name: [cell.strip() for cell in cells] for name, cells in rows.items()}
    # Of all, of those off by more than 5 %, of the missed, of the early.
    assert shares["car"] == ["80.0", "75.0", "100.0", "50.0"]
    assert shares["6 to 9 m"] == ["20.0", "25.0", "0.0", "50.0"]
    assert shares["right for a bearing beside"] == ["40.0", "50.0", "100.0", "0.0"]
    assert shares["under vehicles"] == ["20.0", "25.0", "0.0", "50.0"]
    assert shares["too far"] == ["60.0", "50.0", "100.0", "0.0"]


def test_exact_labels_leave_the_geometrys_errors(capsys):
    arguments = ["--drives", "1", "--frames", "1", "--seed", "700001", "--exact-labels"]
    assert free_space.main([*arguments, "--breakdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    exact = [line.split("|") for line in lines if "| exact |" in line]
    assert [float(cells[4]) < 2 for cells in exact] == [True, True]
    assert lines.count("pinhole") == 1


def test_a_small_run_prints_a_row_for_each_camera_and_pose(capsys):
    assert free_space.main(["--drives", "1", "--frames", "1", "--seed", "700001"]) == 0
    header, _, *rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 4
    assert all(row.count("|") == header.count("|") for row in rows)
    assert [row.split("|")[2].strip() for row in rows] == ["exact", "nominal"] * 2


@pytest.mark.parametrize("option", ["--drives", "--frames"])
def test_nothing_to_measure_is_refused(option):
    with pytest.raises(SystemExit):
        free_space.main([option, "0"])
