"""The command that measures how fast recordings are segmented; its figures are the machine's."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("rosbags")

import segment_recordings


def test_the_rate_of_a_bag_is_put_beside_that_of_the_segmenter(capsys):
    assert (
        segment_recordings.main(["rate", "--rounds", "2", "--frames", "3", "--kind", "jpeg"]) == 0
    )
    said = capsys.readouterr().out
    assert "jpeg, 2 rounds of 3 frames" in said
    ratios = re.findall(r"the bag goes at (\d+\.\d)% of the segmenter's rate", said)
    assert len(ratios) == 2
    assert all(float(ratio) > 0 for ratio in ratios)


def test_memory_is_told_as_frames_go_through(capsys):
    assert segment_recordings.main(["memory", "--frames", "1000"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"1000 frames: +\d+\.\d MB", said)
    assert "1000 frames in" in said
