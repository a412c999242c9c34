import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.lazy_sequence import LazySequence


@given(st.lists(st.integers(), max_size=9), st.slices(9))
def test_items_are_those_of_a_list(places, part):
    lazy = LazySequence(places, str)
    made = [str(place) for place in places]
    assert list(lazy) == made
    assert list(lazy[part]) == made[part]
    assert len(lazy[part]) == len(made[part])
    assert [lazy[-index - 1] for index in range(len(made))] == made[::-1]


def test_an_item_is_made_when_it_is_looked_at_and_no_other():
    made = []
    lazy = LazySequence(range(100), made.append)
    lazy[10:20][3]
    assert made == [13]
    with pytest.raises(IndexError):
        lazy[100]
    assert made == [13]
