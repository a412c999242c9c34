"""JPEG: baseline, extended and progressive, coded by Huffman."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from hyperseg_ros.runtime.image_headers.fields import unpack
from hyperseg_ros.runtime.image_headers.header import Header, ImageError

_PROGRESSIVE = 0xC2
_FRAMES = (0xC0, 0xC1, _PROGRESSIVE)
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_SCAN, _END, _RESTART_INTERVAL = 0xDA, 0xD9, 0xDD
_ALONE = {0x01, *range(0xD0, 0xD9)}
"""Markers without a segment behind them."""
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_COEFFICIENTS = 64
_TIME_PER_PIXEL, _TIME_PER_SAMPLE_OF_SCAN = 9.0, 0.9


@dataclass(frozen=True)
class _Component:
    horizontal: int
    vertical: int


@dataclass(frozen=True)
class _Scan:
    components: tuple[int, ...]
    coefficients: range
    low_bit: int
    begin: int
    end: int
    """Where its compressed data are."""


@dataclass
class _Jpeg:
    """What the segments of a JPEG say."""

    marker: int = 0
    """Of its frame, which says its size; 0 where it has none."""
    bits: int = 0
    height: int = 0
    width: int = 0
    channels: int = 0
    components: dict[int, _Component] = field(default_factory=dict)
    scans: list[_Scan] = field(default_factory=list)
    restart_interval: int = 0
    has_end: bool = False


def read_jpeg(data: bytes) -> Header:
    """The header of a JPEG. What is behind its end marker, as in motion photos, is left alone.

    Raises:
        ImageError: it is damaged, cut short, or of a coding that is not read.
    """
    jpeg = _read_segments(data)
    if not jpeg.marker:
        raise ImageError(f"the JPEG is cut short at {len(data)} bytes: it has no size")
    if not jpeg.height:
        raise ImageError("the JPEG does not say its height in its header, which is not read")
    if not jpeg.scans:
        raise ImageError(f"the JPEG is cut short at {len(data)} bytes: it has no pixels")
    if not jpeg.has_end:
        _check_scans(data, jpeg)
    across, down = _sampling(jpeg.components)
    shares = {
        name: component.horizontal * component.vertical / (across * down)
        for name, component in jpeg.components.items()
    }
    pixels = jpeg.height * jpeg.width
    is_interleaved = len(jpeg.scans[0].components) >= jpeg.channels
    keeps_coefficients = jpeg.marker == _PROGRESSIVE or not is_interleaved
    scanned = sum(shares.get(name, 1.0) for scan in jpeg.scans for name in scan.components)
    return Header(
        "JPEG",
        jpeg.height,
        jpeg.width,
        jpeg.channels,
        max(8, jpeg.bits),
        scratch=int(2 * sum(shares.values()) * pixels) if keeps_coefficients else 0,
        work=pixels * (_TIME_PER_PIXEL + scanned * _TIME_PER_SAMPLE_OF_SCAN),
        is_open=not jpeg.has_end,
    )


def _read_segments(data: bytes) -> _Jpeg:
    jpeg = _Jpeg()
    for marker, begin, end in _segments(data):
        if marker in _FRAMES:
            if jpeg.marker:
                raise ImageError("the JPEG is damaged: it says its size twice")
            jpeg.marker = marker
            size = unpack("JPEG", ">BHHB", data, begin)
            jpeg.bits, jpeg.height, jpeg.width, jpeg.channels = size
            jpeg.components = _components(data, begin + 6, jpeg.channels)
        elif marker in _OTHER_FRAMES:
            raise ImageError("the JPEG is lossless, hierarchical or arithmetic, which is not read")
        elif marker == _RESTART_INTERVAL:
            (jpeg.restart_interval,) = unpack("JPEG", ">H", data, begin)
        elif marker == _SCAN:
            jpeg.scans.append(_scan(data, begin, end))
        elif marker == _END:
            jpeg.has_end = True
    return jpeg


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each marker and the place of its segment, as far as the end marker or the end of the data.

    A scan's segment includes its compressed data.
    """
    place = 2
    while True:
        place = data.find(b"\xff", place)
        while 0 <= place < len(data) - 1 and data[place + 1] == 0xFF:
            place += 1  # fill bytes
        if place < 0 or place + 1 >= len(data):
            return
        marker = data[place + 1]
        place += 2
        if marker == _END:
            yield marker, place, place
            return
        if marker in _ALONE or marker == 0:
            continue
        if place + 2 > len(data):
            return
        length = int.from_bytes(data[place : place + 2], "big")
        end = place + max(2, length)
        if marker == _SCAN:
            found = _MARKER_IN_SCAN.search(data, end)
            end = found.start() if found else len(data)
        yield marker, place + 2, end
        place = end


def _components(data: bytes, place: int, count: int) -> dict[int, _Component]:
    components = {}
    for index in range(count):
        name, sampling = unpack("JPEG", ">BB", data, place + 3 * index)
        if not (1 <= sampling >> 4 <= 4 and 1 <= sampling & 15 <= 4):
            raise ImageError("the JPEG is damaged: its channels have no size")
        components[name] = _Component(sampling >> 4, sampling & 15)
    if len(components) != count or not 1 <= count <= 4:
        raise ImageError(f"the JPEG has {count} channels, which is not read")
    return components


def _scan(data: bytes, begin: int, end: int) -> _Scan:
    (count,) = unpack("JPEG", ">B", data, begin)
    names = tuple(unpack("JPEG", ">B", data, begin + 1 + 2 * index)[0] for index in range(count))
    first, last, bits = unpack("JPEG", ">BBB", data, begin + 1 + 2 * count)
    return _Scan(names, range(first, last + 1), bits & 15, begin + 4 + 2 * count, end)


def _check_scans(data: bytes, jpeg: _Jpeg) -> None:
    """Refuse a JPEG without an end marker that lacks scans, or restart intervals of the last one.

    Whether rows of the last interval are missing shows only in decoding.
    """
    present: dict[int, set[int]] = {name: set() for name in jpeg.components}
    for scan in jpeg.scans:
        for name in scan.components:
            if jpeg.marker != _PROGRESSIVE:
                present.setdefault(name, set()).update(range(_COEFFICIENTS))
            elif scan.low_bit == 0:
                present.setdefault(name, set()).update(scan.coefficients)
    if any(len(found) < _COEFFICIENTS for found in present.values()):
        raise ImageError("the JPEG is cut short: not all of its scans are there")
    if jpeg.restart_interval:
        last = jpeg.scans[-1]
        expected = -(-_units(last, jpeg) // jpeg.restart_interval)
        found = len(_RESTART.findall(data, last.begin, last.end)) + 1
        if found < expected:
            raise ImageError(
                f"the JPEG is cut short: {expected - found} of its {expected} restart "
                "intervals are missing"
            )


def _units(scan: _Scan, jpeg: _Jpeg) -> int:
    """The units (MCU) that a scan consists of."""
    across, down = _sampling(jpeg.components)
    if len(scan.components) != 1 or scan.components[0] not in jpeg.components:
        return -(-jpeg.width // (8 * across)) * -(-jpeg.height // (8 * down))
    component = jpeg.components[scan.components[0]]
    columns = -(-jpeg.width * component.horizontal // across)
    rows = -(-jpeg.height * component.vertical // down)
    return -(-columns // 8) * -(-rows // 8)


def _sampling(components: dict[int, _Component]) -> tuple[int, int]:
    """The highest of the components' sampling factors, across and down."""
    across = max(component.horizontal for component in components.values())
    return across, max(component.vertical for component in components.values())
