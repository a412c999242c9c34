import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.metrics import ConfusionMatrix
from hyperseg_ros.training.config import LossConfig
from hyperseg_ros.training.losses import (
    balanced_weights,
    bootstrapped_cross_entropy,
    create_loss,
    cross_entropy,
    ground_edge_cross_entropy,
    hard_pixel_cross_entropy,
    lovasz_softmax,
)


def logits_with_losses(losses):
    """Two-class logits [1, 2, 1, n] whose cross-entropy to class 0 is as given, nats."""
    p = torch.exp(-torch.tensor(losses, dtype=torch.float64))
    return torch.stack([p.log(), (1 - p).log()])[None, :, None, :].float()


LABELS = torch.zeros(1, 1, 4, dtype=torch.int64)


def test_half_the_mean_and_half_the_hardest_quarter():
    loss = hard_pixel_cross_entropy(logits_with_losses([0.1, 2.0, 0.3, 0.4]), LABELS, 0.25)
    assert loss.item() == pytest.approx(0.5 * (2.8 / 4) + 0.5 * 2.0, rel=1e-5)


def test_unlabelled_pixels_count_nowhere():
    logits = logits_with_losses([0.1, 2.0, 0.3, 0.5, 9.0]).requires_grad_()
    labels = torch.tensor([[[0, 0, 0, 0, 255]]])
    loss = hard_pixel_cross_entropy(logits, labels, 0.5)
    assert loss.item() == pytest.approx(0.5 * (2.9 / 4) + 0.5 * (2.5 / 2), rel=1e-5)
    loss.backward()
    assert logits.grad[..., -1].abs().max() == 0
    assert logits.grad[..., 1].abs().max() > 0


def test_hard_fraction_is_of_the_labelled_pixels_rounded_up():
    labels = torch.tensor([[[0, 0, 0, 255, 255, 255, 255, 255]]])
    logits = logits_with_losses([0.1, 2.0, 1.0, *[0.5] * 5])
    loss = hard_pixel_cross_entropy(logits, labels, 0.5)  # two of three pixels
    assert loss.item() == pytest.approx(0.5 * (3.1 / 3) + 0.5 * 1.5, rel=1e-5)


def test_nothing_labelled_is_no_loss_and_no_gradient():
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = hard_pixel_cross_entropy(logits, torch.full((2, 4, 4), 255))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().max() == 0


@pytest.mark.parametrize(
    ("k", "threshold", "expected"),
    [
        (1, 0.35, (2.0 + 0.4) / 2),  # two above the threshold, more than k
        (3, 0.35, (2.0 + 0.4 + 0.3) / 3),  # no more than k: the k hardest
        (100, 0.35, 2.8 / 4),  # fewer pixels than k: all
    ],
)
def test_bootstrapped_takes_what_is_above_the_threshold_or_the_k_hardest(k, threshold, expected):
    loss = bootstrapped_cross_entropy(
        logits_with_losses([0.1, 2.0, 0.3, 0.4]), LABELS, k, threshold
    )
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_bootstrapped_averages_over_the_images():
    logits = torch.cat([logits_with_losses([0.1, 1.0]), logits_with_losses([3.0, 0.2])])
    loss = bootstrapped_cross_entropy(logits, torch.zeros(2, 1, 2, dtype=torch.int64), 1, 10.0)
    assert loss.item() == pytest.approx(2.0, rel=1e-5)


def test_the_configuration_chooses_the_loss():
    logits = logits_with_losses([0.1, 2.0, 0.3, 0.4])
    hard = create_loss(LossConfig(hard_fraction=1.0))
    assert hard(logits, LABELS).item() == pytest.approx(0.7, rel=1e-5)
    bootstrapped = create_loss(LossConfig(name="bootstrapped", k=1, threshold=1.0))
    assert bootstrapped(logits, LABELS).item() == pytest.approx(2.0, rel=1e-5)


def test_a_uniform_guess_costs_the_logarithm_of_the_classes():
    loss = hard_pixel_cross_entropy(torch.zeros(1, 11, 2, 2), torch.ones(1, 2, 2, dtype=int))
    assert loss.item() == pytest.approx(math.log(11), rel=1e-6)


def test_rare_classes_weigh_more():
    labels = torch.tensor([0] * 100 + [1] * 4 + [2])
    assert balanced_weights(labels, 3, 0.0).tolist() == [1.0, 1.0, 1.0]
    half = balanced_weights(labels, 3, 0.5)
    torch.testing.assert_close(half / half[0], torch.tensor([1.0, 5.0, 10.0]))
    torch.testing.assert_close(half[labels].mean(), torch.tensor(1.0))
    whole = balanced_weights(labels, 3, 1.0) * torch.tensor([100.0, 4.0, 1.0])
    torch.testing.assert_close(whole, whole[0].expand(3))


def test_the_balanced_loss_weighs_each_pixel_by_its_class():
    labels = torch.tensor([[[0, 0, 0, 0, 1, 255]]])
    logits = torch.zeros(1, 2, 1, 6)
    loss = create_loss(LossConfig(hard_fraction=1.0, class_balance=1.0))
    # Every pixel costs ln 2; the weights are 5/8 and 5/2, 1 on average.
    torch.testing.assert_close(loss(logits, labels), torch.tensor(2.0).log())
    logits[0, 0, 0, 4] = 1.0
    wrong = torch.tensor(1.0 + math.exp(1.0)).log()
    expected = (4 * 0.625 * math.log(2) + 2.5 * wrong) / 5
    torch.testing.assert_close(loss(logits, labels), expected)


def certain(labels, classes):
    """Logits [N, C, H, W] that leave no doubt about labels [N, H, W]."""
    return 100.0 * torch.nn.functional.one_hot(labels, classes).permute(0, 3, 1, 2)


@given(
    truth=arrays(np.int64, (1, 6, 6), elements=st.sampled_from([0, 1, 2, 255])),
    labels=arrays(np.int64, (1, 6, 6), elements=st.integers(0, 2)),
)
def test_lovasz_of_certain_labels_is_one_minus_the_mean_iou_of_the_classes_that_occur(
    truth, labels
):
    matrix = ConfusionMatrix(3)
    matrix.update(truth.astype(np.uint8), labels.astype(np.uint8))
    occurs = matrix.counts.sum(axis=1) > 0
    expected = 1 - matrix.iou()[occurs].mean() if occurs.any() else 0
    logits = certain(torch.from_numpy(labels), 3)
    loss = lovasz_softmax(logits, torch.from_numpy(truth), step=1)
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_lovasz_of_two_pixels_by_hand():
    # Errors of class 0 are 0.4 and 0.9, of class 1 the same; the larger comes first. For class 0,
    # whose pixel is the first: 0.9 on the other's pixel takes the IoU from 1 to 1/2, then 0.4 to 0.
    logits = torch.tensor([[0.6, 0.9], [0.4, 0.1]]).log().reshape(1, 2, 1, 2)
    loss = lovasz_softmax(logits, torch.tensor([[[0, 1]]]), step=1)
    first = 0.9 * 0.5 + 0.4 * 0.5
    second = 0.9 * 1.0 + 0.4 * 0.0
    assert loss.item() == pytest.approx((first + second) / 2, rel=1e-5)


def test_lovasz_teaches_rare_classes_as_much_as_common_ones():
    torch.manual_seed(0)
    logits = (0.1 * torch.randn(1, 2, 10, 10)).requires_grad_()
    labels = torch.zeros(1, 10, 10, dtype=torch.int64)
    labels[0, 0, :2] = 1
    lovasz_softmax(logits, labels, step=1).backward()
    pull = logits.grad[0, 1]
    assert pull[0, :2].max() < 0 < pull[1:].min()
    # Two pixels of a class of two weigh far more than two of a class of 98.
    assert -pull[0, :2].mean() > 2 * pull[1:].mean()


def test_lovasz_of_nothing_labelled_is_no_loss_and_no_gradient():
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = lovasz_softmax(logits, torch.full((1, 4, 4), 255))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().max() == 0


def test_the_configuration_mixes_lovasz_in():
    torch.manual_seed(0)
    logits, labels = torch.randn(1, 3, 6, 6), torch.randint(0, 3, (1, 6, 6))
    expected = 0.75 * hard_pixel_cross_entropy(logits, labels) + 0.25 * lovasz_softmax(
        logits, labels
    )
    torch.testing.assert_close(create_loss(LossConfig(lovasz=0.25))(logits, labels), expected)


STREET = torch.tensor([2] * 6 + [0] * 2 + [1] * 4)[None, :, None].expand(1, 12, 5)
"""Things (2) above, then two kinds of ground: the lowest thing is in row 5, int64 [1, 12, 5]."""


def scores_of_ground(probability):
    """Logits [1, 3, 12, 5] of classes 0 and 1 that share a probability of being ground."""
    p = torch.as_tensor(probability, dtype=torch.float64).expand(1, 12, 5)
    return torch.stack([(0.25 * p).log(), (0.75 * p).log(), (1 - p).log()], dim=1).float()


def test_at_the_edge_of_ground_it_counts_whether_something_is_ground():
    sure = (STREET < 2) * 0.8 + 0.1  # 0.9 where it is right
    assert ground_edge_cross_entropy(scores_of_ground(sure), STREET, (0, 1)).item() == (
        pytest.approx(-math.log(0.9), rel=1e-5)
    )


@pytest.mark.parametrize("reach", [1, 2, 3])
def test_pixels_count_within_reach_of_both_sides(reach):
    logits = scores_of_ground(0.5).requires_grad_()
    ground_edge_cross_entropy(logits, STREET, (0, 1), reach).backward()
    rows = logits.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten().tolist()
    assert rows == list(range(6 - reach, 6 + reach))


def test_a_confusion_of_two_kinds_of_ground_costs_nothing():
    logits = torch.full((1, 3, 12, 5), -20.0)
    logits[:, 1] = torch.where(STREET < 2, 20.0, -20.0)
    logits[:, 2] = torch.where(STREET == 2, 20.0, -20.0)
    assert ground_edge_cross_entropy(logits, STREET, (0, 1)).item() < 1e-6


def test_ground_that_borders_on_unlabelled_pixels_has_no_edge():
    labels = torch.where(STREET == 2, UNLABELLED, STREET)
    logits = torch.randn(1, 3, 12, 5, requires_grad=True)
    loss = ground_edge_cross_entropy(logits, labels, (0, 1))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().sum() == 0


def test_unlabelled_pixels_at_an_edge_do_not_count():
    labels = STREET.clone()
    labels[0, 5] = UNLABELLED
    logits = scores_of_ground(0.5).requires_grad_()
    ground_edge_cross_entropy(logits, labels, (0, 1), reach=2).backward()
    assert logits.grad[0, :, 5].abs().max() == 0
    assert logits.grad[0, :, 4].abs().min() > 0


def test_the_configuration_mixes_the_ground_edge_in():
    torch.manual_seed(0)
    logits = torch.randn(1, 3, 12, 5)
    expected = 0.8 * cross_entropy(logits, STREET) + 0.2 * ground_edge_cross_entropy(
        logits, STREET, (0, 1)
    )
    loss = create_loss(LossConfig(name="cross_entropy", ground_edge=0.2), (0, 1))
    torch.testing.assert_close(loss(logits, STREET), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("ground_edge", [0.0, 0.5])
@pytest.mark.parametrize("lovasz", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", ["hard_pixels", "bootstrapped", "cross_entropy"])
def test_every_loss_of_a_batch_without_labels_is_0(name, lovasz, ground_edge, dtype):
    config = LossConfig(name=name, lovasz=lovasz, ground_edge=ground_edge, class_balance=0.4)
    loss = create_loss(config, ground=(0, 2))
    logits = torch.randn(2, 3, 8, 9, dtype=dtype, requires_grad=True)
    value = loss(logits, torch.full((2, 8, 9), UNLABELLED))
    value.backward()
    assert value.item() == 0
    assert value.dtype == torch.float32
    assert logits.grad.abs().sum() == 0
