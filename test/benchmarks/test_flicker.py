"""The benchmark of flicker: its figures, on labels that are known."""

from __future__ import annotations

import cv2
import flicker
import numpy as np

import models
from hyperseg_ros.runtime import Segmenter
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL
from hyperseg_ros.simulation import StreetCamera


def texture(shift: int) -> np.ndarray:
    """A smooth random picture, moved to the right."""
    noise = np.random.default_rng(3).uniform(0, 255, (40, 60)).astype(np.float32)
    large = cv2.resize(noise, (240, 160), interpolation=cv2.INTER_CUBIC)
    return np.clip(large[:, 40 - shift : 200 - shift], 0, 255).astype(np.uint8)


def test_pixels_are_tracked_to_where_they_were():
    was, certain = flicker.track(texture(0), texture(5))
    assert certain[:, 10:-10].mean() > 0.9
    columns = np.broadcast_to(np.arange(160), (160, 160))
    error = np.abs(was[..., 0] - (columns - 5))[certain]
    assert np.median(error) < 0.2
    assert np.percentile(error, 95) < 1


def test_what_cannot_be_tracked_does_not_count():
    other = np.random.default_rng(4).integers(0, 255, (160, 160)).astype(np.uint8)
    assert flicker.track(texture(0), other)[1].mean() < 0.1


def test_still_frames_do_not_flicker_and_filters_take_from_it():
    street = StreetCamera(5)
    still = [(street.frame(7).image, None)] * 3
    moving = [(street.frame(index).image, street.frame(index).labels) for index in range(5)]
    with Segmenter.open(DEFAULT_MODEL) as segmenter:
        assert [s.changed for s in flicker.measure(segmenter, still, (0.0, 0.7), 15.0)] == [0, 0]
        plain, filtered = flicker.measure(segmenter, moving, (0.0, 0.7), 15.0)
    assert plain.tracked == filtered.tracked > 100_000
    assert 0 < filtered.changed < 0.9 * plain.changed
    assert filtered.matrix.miou() > 0.5


def test_the_table_has_a_row_for_each_filter(tmp_path, capsys):
    model = models.write_palette_model(tmp_path / "street.onnx")
    for index in range(3):
        frame = StreetCamera(5, 160, 120).frame(index)
        cv2.imwrite(str(tmp_path / f"{index}.png"), frame.image)
    assert flicker.main([str(tmp_path), "--model", str(model), "--filters", "0", "0.6"]) == 0
    header, _, *rows = capsys.readouterr().out.splitlines()
    assert header == "| temporal_filter | pixels that change label, % |"
    assert [row.split("|")[1].strip() for row in rows] == ["0", "0.6"]
