"""What was compiled from a model file is compared with it, on frames of the package."""

import cv2
import numpy as np
import pytest

import models
from hyperseg_ros.runtime.backends import BackendError, verification
from hyperseg_ros.runtime.backends.verification import Verification
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, find_model, verification_frames

pytest.importorskip("onnxruntime")


@pytest.fixture
def model(tmp_path):
    return models.write_palette_model(tmp_path / "street.onnx")


def test_the_frames_show_every_class():
    from hyperseg_ros.runtime.backends.onnxruntime import OnnxRuntimeBackend

    found = Verification(find_model(DEFAULT_MODEL), 1, 0.98)
    backend = OnnxRuntimeBackend(find_model(DEFAULT_MODEL))
    seen = set()

    def infer(images):
        labels, confidence = backend.infer(images)
        seen.update(np.unique(labels).tolist())
        return labels, confidence

    assert found.agreement(infer) == 1
    assert seen == set(range(11))
    assert len(verification_frames()) == 4
    assert all(cv2.imread(str(file)).shape == (480, 640, 3) for file in verification_frames())


@pytest.mark.parametrize("batch", [1, 3])
def test_agreement_is_the_share_of_equal_labels(model, batch):
    def half_wrong(images):
        labels, confidence = models.expected(images)
        labels[:, :12] = 200
        return labels, confidence

    assert Verification(model, batch, 0.98).agreement(models.expected) == 1
    assert Verification(model, batch, 0.98).agreement(half_wrong) == pytest.approx(0.5)


def test_one_wrong_place_of_a_batch_is_seen(model):
    def last_wrong(images):
        labels, confidence = models.expected(images)
        labels[-1] = 200
        return labels, confidence

    assert Verification(model, 4, 0.98).agreement(last_wrong) == pytest.approx(0.75)


def test_without_frames_nothing_is_taken_on_trust(model, monkeypatch):
    monkeypatch.setattr(verification, "verification_frames", list)
    with pytest.raises(BackendError, match=r"are missing \(models/frames\)"):
        Verification(model, 1, 0.98).agreement(models.expected)
