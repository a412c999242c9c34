import numpy as np
import pytest

from hyperseg_ros.runtime.precision import compare

SIZE = (4, 4)


def reference(image):
    return image[..., 0].copy()


def off_by_one_row(image):
    labels = image[..., 0].copy()
    labels[0] = 1
    return labels


def frame(label):
    return np.full((4, 4, 3), label, np.uint8)


def test_labels_and_miou():
    truth = np.zeros((4, 4), np.uint8)
    found = compare(off_by_one_row, reference, [(frame(0), truth)] * 2, SIZE, classes=2)
    assert found.frames == 2
    assert found.labels == 0.75
    assert found.reference_miou == 1.0
    # Class 0: 12 of 16 pixels; class 1: predicted, never there.
    assert found.miou == pytest.approx((0.75 + 0.0) / 2)
    assert str(found) == (
        "75.00% of the labels equal FP32's on 2 frames; mIoU 37.50%, -62.50 points to FP32"
    )


def test_without_truth_there_is_no_miou():
    found = compare(reference, reference, [(frame(0), None)], SIZE, classes=2)
    assert (found.labels, found.miou, found.reference_miou) == (1.0, None, None)
    assert str(found) == "100.00% of the labels equal FP32's on 1 frames"


def test_ids_beyond_the_table_are_unlabelled():
    truth = np.zeros((8, 8), np.uint8)
    truth[:4] = 11
    found = compare(reference, reference, [(np.zeros((8, 8, 3), np.uint8), truth)], SIZE, classes=2)
    assert found.miou == 1.0


def test_no_frames():
    with pytest.raises(ValueError, match="no frames to compare on"):
        compare(reference, reference, [], SIZE, classes=2)
