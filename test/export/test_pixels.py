import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from hyperseg_ros.export.pixels import PixelsToLabels, most_likely


def test_confidence_is_the_softmax_of_the_label():
    class Fixed(nn.Module):
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

        def forward(self, image):
            red, green, blue = image[:, :1], image[:, 1:2], image[:, 2:]
            return torch.cat([red, green, blue], dim=1) * 255

    bgr = torch.tensor([[[[0, 0, 200], [10, 10, 10], [3, 2, 1]]]], dtype=torch.uint8)
    labels, confidence = PixelsToLabels(Fixed())(bgr)
    assert labels.tolist() == [[[0, 0, 2]]]
    softmax = np.exp(3) / (np.exp(1) + np.exp(2) + np.exp(3))
    assert confidence.tolist() == [[[255, round(255 / 3), round(255 * softmax)]]]


@given(st.integers(2, 21), st.integers(0, 1000), st.sampled_from([0.1, 1.0, 30.0]))
def test_the_most_likely_class_is_argmax_and_the_largest_softmax(classes, seed, scale):
    logits = scale * torch.randn(2, classes, 3, 5, generator=torch.manual_seed(seed))
    labels, confidence = most_likely(logits)
    assert torch.equal(labels, logits.argmax(1).float())
    torch.testing.assert_close(confidence, logits.softmax(1).amax(1))


def test_the_first_of_equals_is_taken():
    logits = torch.tensor([1.0, 7.0, 7.0, 3.0]).reshape(1, 4, 1, 1)
    labels, _ = most_likely(logits)
    assert labels.item() == 1
