"""Whether the bytes of a picture are all there. Needs neither PyTorch nor ROS."""

from __future__ import annotations

_JPEG, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_PNG_SIGNATURE, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB\x60\x82"


def is_cut_short(content: bytes) -> bool:
    """Whether a JPEG or PNG lacks its end: OpenCV gives what there is of it, and grey.

    What is neither is left to its decoder.
    """
    if content.startswith(_JPEG):
        # Neither marker occurs inside compressed data; those of a thumbnail come first.
        return content.rfind(_JPEG_END) <= content.rfind(_JPEG_SCAN)
    return content.startswith(_PNG_SIGNATURE) and _PNG_END not in content
