"""Label Studio's run lengths of a brush: a stream of bits that packs RGBA pixels (thi.ng/rle-pack).

The head is 32 bits for the number of values, 5 for the bits of a value less 1, and four times 4 for
the bits, less 1, of the four kinds of lengths. Then come blocks: a bit that says whether one value
repeats, 2 bits for the kind of length, the length less 1, and the value, or all values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.training.annotations.regions import AnnotationError

_CHANNELS = 4
_LENGTH_BITS = (3, 4, 8, 16)
_VALUE_BITS = 8


def decode_brush(packed: Sequence[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels of a brush, bool [H, W].

    Args:
        packed: the bytes.
        size: height and width of the image.

    Raises:
        AnnotationError: the bytes are cut short, or of an image of another size.
    """
    bits = np.unpackbits(np.array(packed, np.uint8))
    position = 0

    def take(count: int) -> int:
        nonlocal position
        if position + count > len(bits):
            raise AnnotationError("the run lengths of a brush are cut short")
        value = int("".join(map(str, bits[position : position + count])), 2)
        position += count
        return value

    total, value_bits = take(32), take(5) + 1
    length_bits = [take(4) + 1 for _ in range(4)]
    if total != size[0] * size[1] * _CHANNELS:
        raise AnnotationError(
            f"a brush has {total // _CHANNELS} pixels, its image {size[0]} x {size[1]}"
        )
    values = np.zeros(total, np.uint8)
    done = 0
    while done < total:
        repeats = take(1)
        length = take(length_bits[take(2)]) + 1
        if repeats:
            values[done : done + length] = take(value_bits)
        else:
            for offset in range(min(length, total - done)):
                values[done + offset] = take(value_bits)
        done += length
    return values.reshape(*size, _CHANNELS)[..., 3] > 0


def encode_brush(mask: NDArray[np.bool_]) -> list[int]:
    """Bytes for the pixels of a brush, bool [H, W]: repeated values alone."""
    values = mask.ravel()
    starts = np.flatnonzero(np.diff(values, prepend=~values[:1]))
    lengths = np.diff(starts, append=len(values)) * _CHANNELS
    text = [f"{len(values) * _CHANNELS:032b}{_VALUE_BITS - 1:05b}"]
    text += [f"{bits - 1:04b}" for bits in _LENGTH_BITS]
    longest = 1 << _LENGTH_BITS[-1]
    for start, length in zip(starts.tolist(), lengths.tolist()):
        value = 255 * int(values[start])
        while length > 0:
            block = min(length, longest)
            kind = next(kind for kind, bits in enumerate(_LENGTH_BITS) if block <= 1 << bits)
            text.append(f"1{kind:02b}{block - 1:0{_LENGTH_BITS[kind]}b}{value:0{_VALUE_BITS}b}")
            length -= block
    stream = "".join(text)
    bits = np.frombuffer(stream.encode("ascii"), np.uint8) - ord("0")
    return np.packbits(bits).tolist()
