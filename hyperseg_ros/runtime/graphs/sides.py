"""How each dimension of a graph follows from the height and width of its input.

A dimension is a product of factors in C order, the outermost first: integers, and multiples of
the input's height or width. The side of a map at stride s is (patches, pixels of a patch), so that
whatever cuts maps into patches, or puts them side by side in the channels, only regroups factors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

STRIDE = 32
"""Of the deepest feature, each pixel of which is a patch."""


class Factor(NamedTuple):
    """A number, or a number times the patches along one side of the input, and some more."""

    number: Fraction
    along: str = ""
    """`height` or `width`; empty for a number that no size changes."""
    more: int = 0
    """Pixels of padding or halo."""


Side = tuple[Factor, ...]
"""A dimension."""

Sides = tuple[Side, ...]
"""The dimensions of a value."""


class Size(NamedTuple):
    """Height and width of the input, in patches."""

    height: int
    width: int

    def of(self, side: Side) -> int:
        """The number that a dimension is at this size.

        Raises:
            ValueError: it is not an integer: the size does not fit the network.
        """
        value = Fraction(1)
        for number, along, more in side:
            value *= number * (getattr(self, along) if along else 1) + more
        if value.denominator != 1:
            raise ValueError(f"a side of {value} pixels")
        return int(value)

    def shape(self, sides: Sides) -> tuple[int, ...]:
        """The shape that dimensions are at this size."""
        return tuple(map(self.of, sides))


def number(value: int) -> Side:
    """A dimension that no size changes."""
    return () if value == 1 else (Factor(Fraction(value)),)


def along_of(side: Side) -> str:
    """The one side of the input that a map's dimension follows; empty for none."""
    found = {factor.along for factor in side} - {""}
    return found.pop() if len(found) == 1 else ""


def map_side(along: str, value: int, size: Size) -> Side:
    """The side of a map that follows a side of the input."""
    patches: int = getattr(size, along)
    cofactor = Fraction(value, patches)
    whole = Factor(Fraction(1), along)
    if cofactor.denominator != 1:
        return (Factor(cofactor, along),)
    return (whole, *number(int(cofactor)))


def padded(side: Side, more: int) -> Side:
    """The side of a map with so many more pixels."""
    along = along_of(side)
    pixels = math.prod((factor.number for factor in side), start=Fraction(1))
    return (Factor(pixels, along, more + sum(factor.more for factor in side)),)


def regrouped(sides: Sides, shape: Sequence[int], size: Size) -> Sides | None:
    """The dimensions behind a Reshape to a shape; None where a factor would have to be cut.

    Args:
        sides: of its input.
        shape: of its output at `size`, all numbers.
        size: that of the graph.
    """
    factors = [factor for side in sides for factor in side]
    result = []
    for target in shape:
        side: list[Factor] = []
        missing = target
        while missing > 1:
            if not factors:
                return None
            first = factors.pop(0)
            value = size.of((first,))
            if missing % value == 0:
                side.append(first)
                missing //= value
            elif first.along:
                return None
            elif value % missing == 0:
                side.append(Factor(Fraction(missing)))
                factors.insert(0, Factor(Fraction(value // missing)))
                missing = 1
            elif factors and not factors[0].along:
                factors[0] = Factor(first.number * factors[0].number)
            else:
                return None
        result.append(tuple(side))
    return tuple(result) if not factors else None
