import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hyperseg_ros.training.annotations.brush import decode_brush, encode_brush
from hyperseg_ros.training.annotations.regions import AnnotationError

# 2 x 2 pixels, the last one painted: 16 values of 8 bits, lengths of 3, 4, 8 and 16 bits.
HEAD = f"{16:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
REPEATED = f"1{1:02b}{11:04b}{0:08b}" + f"1{0:02b}{3:03b}{255:08b}"
"""12 times 0, then 4 times 255."""
LISTED = f"0{1:02b}{15:04b}" + f"{0:08b}" * 12 + f"{255:08b}" * 4
"""16 values as they are."""


def packed(bits):
    return np.packbits(np.array(list(bits), np.uint8)).tolist()


@pytest.mark.parametrize("blocks", [REPEATED, LISTED])
def test_blocks_of_one_value_and_of_many_are_read(blocks):
    mask = decode_brush(packed(HEAD + blocks), (2, 2))
    assert mask.tolist() == [[False, False], [False, True]]


def test_runs_are_written_by_the_shortest_length_that_holds_them():
    mask = np.array([[False, False], [False, True]])
    assert encode_brush(mask) == packed(HEAD + REPEATED)


def test_runs_longer_than_any_length_are_split():
    mask = np.ones((200, 200), bool)
    mask[0, 0] = False
    np.testing.assert_array_equal(decode_brush(encode_brush(mask), (200, 200)), mask)


@given(arrays(np.bool_, st.tuples(st.integers(1, 20), st.integers(1, 20))))
def test_a_brush_comes_back_as_it_went(mask):
    np.testing.assert_array_equal(decode_brush(encode_brush(mask), mask.shape), mask)


@pytest.mark.parametrize(
    ("size", "cut", "message"),
    [((2, 2), 5, "cut short"), ((2, 2), -2, "cut short"), ((3, 2), None, "its image 3 x 2")],
)
def test_a_broken_brush_is_told(size, cut, message):
    with pytest.raises(AnnotationError, match=message):
        decode_brush(packed(HEAD + REPEATED)[:cut], size)
