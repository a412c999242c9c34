"""The part of an image that is segmented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Region:
    """A rectangle of pixels.

    Raises:
        ValueError: a number is negative.
    """

    x: int = 0
    y: int = 0
    width: int = 0
    """0: to the right edge of the image."""
    height: int = 0
    """0: to the lower edge of the image."""

    def __post_init__(self) -> None:
        if min(self.x, self.y, self.width, self.height) < 0:
            raise ValueError(f"a region of interest has no negative numbers, unlike {self}")

    def __str__(self) -> str:
        return f"[{self.x}, {self.y}, {self.width}, {self.height}]"

    @classmethod
    def of(cls, numbers: Sequence[int]) -> Region:
        """The region of `[x, y, width, height]`.

        Raises:
            ValueError: there are not four numbers, or one is negative.
        """
        if len(numbers) != 4:
            raise ValueError(
                f"a region of interest is four numbers, [x, y, width, height], not {list(numbers)}"
            )
        return cls(*numbers)

    def within(self, height: int, width: int) -> tuple[slice, slice]:
        """Rows and columns of the region in an image of this size.

        Raises:
            ValueError: the region reaches beyond the image.
        """
        right = self.x + self.width if self.width else width
        bottom = self.y + self.height if self.height else height
        if right > width or bottom > height or self.x >= right or self.y >= bottom:
            raise ValueError(
                f"the region of interest {self} (x, y, width, height) is not inside an image of "
                f"{width} x {height}"
            )
        return slice(self.y, bottom), slice(self.x, right)


WHOLE = Region()
"""The whole image, whatever its size."""
