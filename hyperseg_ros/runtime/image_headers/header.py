"""What the header of an encoded image says, and what decoding the image will cost."""

from __future__ import annotations

from dataclasses import dataclass


class ImageError(ValueError):
    """Bytes that are no image, or one that is damaged, cut short or too large; says which."""


@dataclass(frozen=True)
class Header:
    """An encoded image that has not been decoded yet."""

    kind: str
    """The format, such as `JPEG`."""
    height: int
    width: int
    channels: int
    """Of a pixel as it is stored, alpha included; 4 where a palette has the colours."""
    bits: int
    """Of a channel."""
    scratch: int = 0
    """Bytes of memory that the decoder needs beside the image that it returns."""
    work: float = 0.0
    """Time that decoding takes on one core, roughly, in nanoseconds."""
    is_open: bool = False
    """Whether a JPEG lacks its end marker: its last rows may be missing."""

    @property
    def pixels(self) -> int:
        return self.height * self.width
