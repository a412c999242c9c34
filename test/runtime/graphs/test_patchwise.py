"""Where values go as a map is cut into patches and put together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.runtime.graphs.movement import numbered
from hyperseg_ros.runtime.graphs.patchwise import Patches, grids, patches_between

sizes = st.integers(1, 4)
cuts = st.builds(Patches, sizes, sizes, sizes, sizes, sizes, sizes, halo=st.just(0))


@given(patches=cuts)
def test_what_is_cut_is_put_together_again(patches):
    whole = numbered(patches.map_shape)
    cut = patches.split(whole)
    assert cut.shape == (1, patches.number * patches.channels, patches.height, patches.width)
    assert np.array_equal(patches.join(cut), whole)
    assert patches in patches_between(whole.shape, cut.shape)


@given(patches=cuts, data=st.data())
def test_a_patch_is_a_window_of_the_map_reflected_at_its_border(patches, data):
    patches = patches._replace(height=patches.height + 1, width=patches.width + 1, halo=1)
    image, row, column = (data.draw(st.integers(0, n - 1)) for n in patches[:1] + patches[2:4])
    whole = numbered(patches.map_shape)
    padded = np.pad(whole, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    height, width = patches.sides
    top, left = row * patches.height, column * patches.width
    window = padded[image, :, top : top + height, left : left + width]
    number = (image * patches.rows + row) * patches.columns + column
    cut = patches.split(whole).reshape(patches.number, patches.channels, height, width)
    assert np.array_equal(cut[number], window)


def test_the_grids_of_patches_are_all_that_fit():
    found = grids(2, 12, 5, 8, 8)
    assert [(patches.rows, patches.columns) for patches in found] == [
        (1, 6),
        (2, 3),
        (3, 2),
        (6, 1),
    ]
    assert grids(2, 11, 5, 8, 8) == []
