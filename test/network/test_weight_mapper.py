from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.network.weight_mapper import WeightMapper, divide_channels


@given(
    st.lists(st.integers(1, 9000), min_size=1, max_size=8),
    st.integers(1, 64),
    st.integers(0, 60),
    st.booleans(),
)
def test_channels_are_shared_out_in_whole_units(counts, unit, spare, at_least_one):
    channels = (len(counts) + spare) * unit
    shares = divide_channels(channels, counts, unit, at_least_one)
    # What blocks of equal need cannot share evenly is left: less than a unit for each block.
    assert channels - len(counts) * unit < sum(shares) <= channels
    assert all(share % unit == 0 for share in shares)
    if at_least_one:
        assert min(shares) >= unit
    for a, b in pairwise(counts):
        if a == b:
            assert shares[counts.index(a)] == shares[counts.index(b)]


def test_shares_of_the_published_hyperseg_s():
    # The input channels per group of the published checkpoint times its groups.
    counts = [5248, 3008, 704, 2352, 1892]
    assert divide_channels(1280, counts, 64) == [7 * 64, 8 * 32, 8 * 32, 12 * 16, 16 * 8]


def test_too_few_or_odd_channels_are_refused():
    with pytest.raises(ValueError, match="no multiple of 8"):
        divide_channels(30, [1, 2], 8)
    with pytest.raises(ValueError, match="too few"):
        divide_channels(8, [1, 2], 8)


def test_each_patch_gets_its_own_pixel_of_its_own_slice():
    mapper = WeightMapper([(0, 4), (4, 2)], [[5], [2, 1]], [2, 1])
    signal = torch.randn(2, 6, 3, 4, generator=torch.manual_seed(0))
    weights = mapper(signal)
    assert [tuple(w.shape) for w in weights] == [(2, 5, 3, 4), (2, 2, 3, 4), (2, 1, 3, 4)]
    pixel = signal[1, 4:6, 2, 1]
    kernel = mapper.maps[1].weight[:2, :, 0, 0]
    torch.testing.assert_close(weights[1][1, :, 2, 1], kernel @ pixel)
