import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.metrics import ConfusionMatrix


def array(*values: int) -> np.ndarray:
    return np.array(values, np.uint8)


def test_counts_ious_and_accuracy_of_a_worked_example():
    confusion = ConfusionMatrix(3)
    confusion.update(array(0, 0, 0, 1, 1, 2, 255), array(0, 0, 1, 1, 1, 0, 2))
    assert confusion.matrix.tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert confusion.iou().tolist() == [2 / 4, 2 / 3, 0]
    assert confusion.miou() == pytest.approx((2 / 4 + 2 / 3) / 3)
    assert confusion.pixel_accuracy() == pytest.approx(4 / 6)


def test_a_class_in_neither_is_left_out_of_the_mean():
    confusion = ConfusionMatrix(3)
    confusion.update(array(0, 1), array(0, 0))
    assert confusion.iou()[:2].tolist() == [0.5, 0.0]
    assert math.isnan(confusion.iou()[2])
    assert confusion.miou() == 0.25


def test_a_pixel_predicted_as_no_class_is_a_miss():
    confusion = ConfusionMatrix(2)
    confusion.update(array(0, 0, 1, 1), array(0, UNLABELLED, 1, 7))
    assert confusion.iou().tolist() == [0.5, 0.5]
    assert confusion.pixel_accuracy() == 0.5


def test_nothing_seen_is_nan():
    confusion = ConfusionMatrix(2)
    confusion.update(array(255, 255), array(0, 1))
    assert math.isnan(confusion.miou())
    assert math.isnan(confusion.pixel_accuracy())


@given(st.data())
def test_updates_add_up_to_one_over_everything(data):
    shape = npst.array_shapes(min_dims=2, max_dims=2, max_side=6)
    ids = st.sampled_from([0, 1, 2, UNLABELLED])
    truth = data.draw(npst.arrays(np.uint8, shape, elements=ids))
    prediction = data.draw(npst.arrays(np.uint8, truth.shape, elements=st.integers(0, 2)))
    whole, parts = ConfusionMatrix(3), ConfusionMatrix(3)
    whole.update(truth, prediction)
    for row in range(len(truth)):
        parts.update(truth[row], prediction[row])
    assert (whole.matrix == parts.matrix).all()
    for i in range(3):
        for j in range(3):
            assert whole.matrix[i, j] == np.sum((truth == i) & (prediction == j))


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        (array(0, 3), array(0, 0), "class id 3; valid ids are 0 to 2, and 255"),
        (array(0), array(0, 0), r"\(1,\) but prediction is \(2,\)"),
        (np.zeros(1, int), array(0), "uint8, not int64"),
    ],
)
def test_labels_that_are_none_are_refused_and_not_counted(truth, prediction, message):
    confusion = ConfusionMatrix(3)
    with pytest.raises(ValueError, match=message):
        confusion.update(truth, prediction)
    assert not confusion.matrix.any()


@pytest.mark.parametrize("num_classes", [0, 256])
def test_number_of_classes_fits_uint8_labels(num_classes):
    with pytest.raises(ValueError, match="1 to 255"):
        ConfusionMatrix(num_classes)
