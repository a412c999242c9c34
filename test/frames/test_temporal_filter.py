"""The temporal filter on scenes whose motion is known, and on CamVid's clip."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.frames.temporal_filter import TemporalFilter
from hyperseg_ros.metrics import ConfusionMatrix
from hyperseg_ros.runtime import Segmenter
from hyperseg_ros.runtime.resizing import fit_labels

ROAD, CAR = 3, 8
HEIGHT, WIDTH = 192, 256


def texture(seed: int = 0, width: int = WIDTH) -> np.ndarray:
    """A picture that flow can follow, BGR."""
    noise = np.random.default_rng(seed).integers(0, 256, (HEIGHT // 8, width // 8, 3), np.uint8)
    return cv2.resize(noise, (width, HEIGHT), interpolation=cv2.INTER_CUBIC)


def sure(labels: np.ndarray, level: int = 240) -> np.ndarray:
    return np.full(labels.shape, level, np.uint8)


def test_labels_that_do_not_change_stay_as_they_are():
    labels = np.random.default_rng(1).integers(0, 11, (HEIGHT, WIDTH), np.uint8)
    steady = TemporalFilter(0.7)
    for index in range(4):
        result, confidence = steady.update(texture(), labels, sure(labels), index / 15)
        inside = (slice(2, -2), slice(2, -2))
        np.testing.assert_array_equal(result[inside], labels[inside])
        np.testing.assert_array_equal(confidence[inside], 240)


def test_a_doubtful_blink_is_outvoted():
    steady, labels = TemporalFilter(0.7), np.full((HEIGHT, WIDTH), ROAD, np.uint8)
    for index in range(12):
        seen, confidence = labels.copy(), sure(labels)
        if index % 3 == 2:
            seen[80:110, 90:140], confidence[80:110, 90:140] = CAR, 130
        result, steadied = steady.update(texture(), seen, confidence, index / 15)
        np.testing.assert_array_equal(result, ROAD)
    assert 60 < steadied[95, 115] < 240  # fainter, since the network says otherwise


def test_something_new_that_is_sure_lags_by_at_most_a_frame():
    steady, empty = TemporalFilter(0.9), np.full((HEIGHT, WIDTH), ROAD, np.uint8)
    background, car = texture(), texture(5)
    for index in range(10):
        steady.update(background, empty, sure(empty), index / 15)
    for number in range(2):
        image, labels = background.copy(), empty.copy()
        image[60:120, 100:180], labels[60:120, 100:180] = car[60:120, 100:180], CAR
        result, _ = steady.update(image, labels, sure(labels, 190), (10 + number) / 15)
    assert (result[64:116, 104:176] == CAR).all()
    for number in range(2):  # and when it has gone
        result, _ = steady.update(background, empty, sure(empty, 190), (12 + number) / 15)
    assert (result == ROAD).all()


def test_labels_move_with_the_picture():
    """A street that passes by: doubtful blinks are outvoted at the place where they are now."""
    wide, step = texture(2, WIDTH + 96), 6
    truth = np.random.default_rng(3).integers(0, 4, (HEIGHT // 32, (WIDTH + 96) // 32), np.uint8)
    truth = truth.repeat(32, 0).repeat(32, 1)
    steady, wrong_raw, wrong = TemporalFilter(0.7), [], []
    rng = np.random.default_rng(4)
    for index in range(12):
        part = (slice(None), slice(step * index, step * index + WIDTH))
        labels = truth[part].copy()
        blinks = cv2.resize(
            (rng.random((HEIGHT // 8, WIDTH // 8)) < 0.1).astype(np.uint8), (WIDTH, HEIGHT),
            interpolation=cv2.INTER_NEAREST,
        ).astype(bool)  # fmt: skip
        labels[blinks] = 9
        confidence = np.where(blinks, 130, 220).astype(np.uint8)
        result, _ = steady.update(np.ascontiguousarray(wide[part]), labels, confidence, index / 15)
        if index > 2:
            inside = (slice(8, -8), slice(8, -24))
            wrong_raw.append((labels != truth[part])[inside].mean())
            wrong.append((result != truth[part])[inside].mean())
    assert np.mean(wrong_raw) > 0.08
    assert np.mean(wrong) < 0.25 * np.mean(wrong_raw)


@pytest.mark.parametrize(
    ("image", "size", "time"),
    [
        (texture(), (HEIGHT, WIDTH), 1.9),  # a gap
        (texture(), (HEIGHT, WIDTH), 0.4 + 3 / 15),  # a slower rate
        (texture(), (HEIGHT, WIDTH), 0.2),  # backwards
        (texture(), (HEIGHT, WIDTH), 0.4),  # no time at all
        (texture(9), (HEIGHT, WIDTH), 0.4 + 1 / 15),  # another scene
        (texture(), (HEIGHT // 2, WIDTH // 2), 0.4 + 1 / 15),
        (cv2.resize(texture(), None, fx=2, fy=2), (HEIGHT, WIDTH), 0.4 + 1 / 15),
    ],
    ids=["gap", "rate", "backwards", "standing", "scene", "size", "image size"],
)
def test_a_frame_that_does_not_follow_resets_the_filter(image, size, time):
    steady, road = TemporalFilter(0.9), np.full((HEIGHT, WIDTH), ROAD, np.uint8)
    for index in range(7):
        steady.update(texture(), road, sure(road), index / 15)
    car = np.full(size, CAR, np.uint8)
    result, _ = steady.update(image, car, sure(car, 60), time)
    assert (result == CAR).all()
    follows = TemporalFilter(0.9)
    for index in range(7):
        follows.update(texture(), road, sure(road), index / 15)
    car = np.full((HEIGHT, WIDTH), CAR, np.uint8)
    result, _ = follows.update(texture(), car, sure(car, 60), 7 / 15)
    assert (result == ROAD).all()


def test_reset_forgets():
    steady, road = TemporalFilter(0.9), np.full((HEIGHT, WIDTH), ROAD, np.uint8)
    for index in range(4):
        steady.update(texture(), road, sure(road), index / 15)
    steady.reset()
    car = np.full((HEIGHT, WIDTH), CAR, np.uint8)
    assert (steady.update(texture(), car, sure(car, 60), 4 / 15)[0] == CAR).all()


def test_nothing_kept_changes_nothing():
    steady, rng = TemporalFilter(0.0), np.random.default_rng(0)
    for index in range(3):
        labels, confidence = rng.integers(0, 11, (2, HEIGHT, WIDTH), np.uint8)
        result = steady.update(texture(index), labels, confidence, index / 15)
        assert result[0] is labels
        assert result[1] is confidence


@pytest.mark.parametrize("kept", [-0.1, 0.91, float("nan")])
def test_what_cannot_be_kept(kept):
    with pytest.raises(ValueError, match=r"keeps 0 to 0\.9 of the past"):
        TemporalFilter(kept)


@given(
    st.integers(0, 2**32 - 1),
    st.lists(
        st.tuples(st.integers(1, 140), st.integers(1, 140), st.floats(-2, 2)),
        min_size=1,
        max_size=5,
    ),
)
def test_any_frames_give_labels_that_some_frame_had(seed, frames):
    rng, steady = np.random.default_rng(seed), TemporalFilter(0.7)
    ids = {UNLABELLED}
    for height, width, time in frames:
        image = rng.integers(0, 256, (height * 2, width, 3), np.uint8)
        labels, confidence = rng.integers(0, 11, (2, height, width), np.uint8)
        ids |= set(np.unique(labels).tolist())
        result, level = steady.update(image, labels, confidence, time)
        assert result.shape == level.shape == labels.shape
        assert result.dtype == level.dtype == np.uint8
        assert set(np.unique(result).tolist()) <= ids


def test_camvid_flickers_three_tenths_less_at_hardly_any_cost_of_iou(shared):
    """Flicker: the share of pixels that change their label along a careful optical flow.

    The model has seen these images: without the filter it flickers less than on others, and is
    right more often.
    """
    paths = sorted((shared / "camvid" / "val").glob("*.png"))[:48]
    images = [cv2.imread(str(path)) for path in paths]
    steady, outcomes = TemporalFilter(0.7), ([], [])
    with Segmenter.open("hyperseg-s-lite0-camvid") as segmenter:
        for index, image in enumerate(images):
            result = segmenter.segment([image], at_input_size=True)[0]
            steadied, _ = steady.update(image, result.labels, result.confidence, index / 15)
            for outcome, labels in zip(outcomes, (result.labels, steadied), strict=True):
                outcome.append(fit_labels(labels, image.shape[:2]))
    raw, filtered = (flicker(images, outcome) for outcome in outcomes)
    assert filtered < 0.7 * raw
    raw_iou, filtered_iou = (miou(shared, paths, outcome) for outcome in outcomes)
    assert filtered_iou > raw_iou - 0.004


def flicker(images: list[np.ndarray], labels: list[np.ndarray]) -> float:
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in images]
    rows, columns = np.mgrid[: grey[0].shape[0], : grey[0].shape[1]].astype(np.float32)
    grid = np.dstack([columns, rows])
    changed = tracked = 0
    for before, now, old, new in zip(grey, grey[1:], labels, labels[1:]):
        backward, forward = flow.calc(now, before, None), flow.calc(before, now, None)
        origin = grid + backward
        loop = backward + cv2.remap(forward, origin, None, cv2.INTER_LINEAR)
        there = cv2.remap(before, origin, None, cv2.INTER_LINEAR)
        good = (np.linalg.norm(loop, axis=-1) < 1) & (cv2.absdiff(now, there) < 20)
        moved = cv2.remap(old, origin, None, cv2.INTER_NEAREST, borderValue=UNLABELLED)
        good &= moved != UNLABELLED
        changed += int(((moved != new) & good).sum())
        tracked += int(good.sum())
    return changed / tracked


def miou(shared, paths, labels) -> float:
    matrix = ConfusionMatrix(11)
    for path, prediction in zip(paths, labels):
        truth = cv2.imread(str(shared / "camvid" / "valannot" / path.name), 0)
        matrix.update(np.where(truth < 11, truth, UNLABELLED).astype(np.uint8), prediction)
    return matrix.miou()
