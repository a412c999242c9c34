import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.training.evaluation.calibration import Calibration


def counted(truth, prediction, confidence):
    calibration = Calibration()
    calibration.update(
        *(np.asarray(values, np.uint8).reshape(1, -1) for values in (truth, prediction, confidence))
    )
    return calibration


def test_confidence_that_is_kept_has_no_error():
    """80 of 100 pixels are right, all with 80 %."""
    truth = [0] * 80 + [1] * 20
    assert counted(truth, [0] * 100, [204] * 100).error() == pytest.approx(0, abs=1e-12)


def test_the_error_is_the_gap_of_each_bin_weighted_by_its_pixels():
    """Half of the pixels claim 100 %, the other half 20 %, and 60 % of either are right."""
    truth = ([0] * 30 + [1] * 20) * 2
    calibration = counted(truth, [0] * 100, [255] * 50 + [51] * 50)
    assert calibration.error() == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)


def test_a_floor_keeps_the_pixels_from_it_on():
    calibration = counted([0, 0, 1, UNLABELLED], [0, 0, 0, 0], [255, 127, 128, 255])
    assert calibration.above(0.5) == (pytest.approx(2 / 3), 0.5)
    assert calibration.above(0) == (1.0, pytest.approx(2 / 3))
    assert calibration.above(1) == (pytest.approx(1 / 3), 1.0)


def test_nothing_labelled_has_no_figures():
    calibration = counted([UNLABELLED], [0], [255])
    assert np.isnan(calibration.error())
    assert np.isnan(calibration.above(0.5)).all()


@given(
    arrays(np.uint8, 60, elements=st.sampled_from([0, 1, UNLABELLED])),
    arrays(np.uint8, 60, elements=st.integers(0, 1)),
    arrays(np.uint8, 60),
)
def test_the_error_equals_the_definition(truth, prediction, confidence):
    labelled = truth != UNLABELLED
    if not labelled.any():
        return
    claims, right = confidence[labelled] / 255, (truth == prediction)[labelled]
    error = 0.0
    for number in range(15):
        inside = np.minimum((confidence[labelled].astype(int) * 15) // 255, 14) == number
        if inside.any():
            error += inside.mean() * abs(claims[inside].mean() - right[inside].mean())
    assert counted(truth, prediction, confidence).error() == pytest.approx(error)
