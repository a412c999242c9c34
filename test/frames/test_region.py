from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.frames.region import WHOLE, Region


def test_the_whole_image_is_a_region_of_every_image():
    assert WHOLE.within(37, 51) == (slice(0, 37), slice(0, 51))


def test_zero_is_the_rest():
    assert Region(10, 20).within(100, 200) == (slice(20, 100), slice(10, 200))
    assert Region(0, 0, 0, 60).within(100, 200) == (slice(0, 60), slice(0, 200))


@given(
    st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)),
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_a_region_is_inside_or_refused(numbers, height, width):
    x, y, w, h = numbers
    fits = x + max(w, 1) <= width and y + max(h, 1) <= height
    if fits:
        rows, columns = Region.of(numbers).within(height, width)
        assert (rows.start, columns.start) == (y, x)
        assert rows.stop - rows.start == (h or height - y)
        assert columns.stop - columns.start == (w or width - x)
    else:
        message = rf"\[{x}, {y}, {w}, {h}\] .* not inside an image of {width} x {height}"
        with pytest.raises(ValueError, match=message):
            Region.of(numbers).within(height, width)


@pytest.mark.parametrize("numbers", [(), (1, 2, 3), (0, 0, 1, 1, 1)])
def test_other_than_four_numbers_are_refused(numbers):
    with pytest.raises(ValueError, match="four numbers"):
        Region.of(numbers)


def test_negative_numbers_are_refused():
    with pytest.raises(ValueError, match="no negative numbers"):
        Region.of((0, -1, 5, 5))
