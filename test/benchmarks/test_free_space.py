"""The benchmark of free space: its figures, on answers that are known."""

from __future__ import annotations

import free_space
import numpy as np
import pytest

from hyperseg_ros.classes import CAMVID


def test_figures_are_those_of_the_bearings():
    car, pole = CAMVID.index("car"), CAMVID.index("pole")
    score = free_space.Score(
        ranges=[np.array([10.1, 12.0]), np.array([4.0, 30.0]), np.array([6.0, 20.0, np.inf])],
        truths=[np.array([10.0, 10.0]), np.array([8.0, 10.0]), np.full(3, np.inf)],
        labels=[np.array(ids, np.uint8) for ids in ([car, car], [pole, car], [0, 0, 0])],
    )
    cells = [cell.strip() for cell in score.row().split("|")]
    # Errors 1, 20, 50 and 200 %; of three bearings to cars two are missed. Of three free ones one
    # is blocked.
    assert cells == ["4", "35.0", "155.0", "50.0", "66.7", "-", "-", "25.0", "33.3"]


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
