"""A sequence whose items are made when they are looked at, so that large ones fit in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, overload

Place = TypeVar("Place")
Item = TypeVar("Item")


class LazySequence(Sequence[Item], Generic[Place, Item]):
    """The items that a function makes of places; each is made again at every look.

    Args:
        places: what each item is made of, such as its file; indexed as this sequence is.
        make: makes an item of a place.
    """

    def __init__(self, places: Sequence[Place], make: Callable[[Place], Item]) -> None:
        self._places = places
        self._make = make

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> LazySequence[Place, Item]: ...
    def __getitem__(self, index: int | slice) -> Item | LazySequence[Place, Item]:
        if isinstance(index, slice):
            return LazySequence(self._places[index], self._make)
        return self._make(self._places[index])
