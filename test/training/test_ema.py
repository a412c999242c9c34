import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from hyperseg_ros.training.ema import MovingAverage


def average_of(values, decay):
    """The average after a parameter, a running mean and a counter took on each of `values`."""
    norm = torch.nn.BatchNorm1d(1)
    ema = MovingAverage(decay)
    averaged = AveragedModel(norm, multi_avg_fn=ema.move, use_buffers=True)
    for value in values:
        with torch.no_grad():
            norm.weight.fill_(value)
            norm.running_mean.fill_(value)
            norm.num_batches_tracked.fill_(int(value))
        averaged.update_parameters(norm)
    return averaged.module


def test_the_average_follows_its_formula_for_weights_and_statistics():
    values = [4.0, 8.0, 2.0, 5.0]
    expected = values[0]  # the first update copies
    for n, value in enumerate(values[1:], start=1):
        decay = min(0.15, n / (9 + n))
        expected = decay * expected + (1 - decay) * value
    norm = average_of(values, decay=0.15)
    assert norm.weight.item() == pytest.approx(expected, rel=1e-6)
    assert norm.running_mean.item() == pytest.approx(expected, rel=1e-6)


def test_counters_are_copied():
    assert average_of([4.0, 8.0], decay=0.9).num_batches_tracked.item() == 8


def test_in_the_long_run_the_decay_is_what_was_asked():
    steps = 2000
    norm = average_of([0.0] * steps + [1.0], decay=0.99)
    assert norm.weight.item() == pytest.approx(0.01, rel=1e-4)
