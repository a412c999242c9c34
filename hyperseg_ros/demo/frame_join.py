"""Joins the messages of one frame, which arrive on several topics, by their exact stamp."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class FrameJoin(Generic[T]):
    """Collects one message of every topic for each stamp.

    Every topic delivers in order. So when a frame is complete, an earlier one that is not never
    will be, and is let go.

    Args:
        topics: the topics of which a frame has one message each.
        capacity: frames that may wait for their messages; beyond it the oldest is let go.
    """

    def __init__(self, topics: Iterable[str], capacity: int = 100) -> None:
        self.let_go = 0
        """Frames of which a message never came."""
        self._topics = frozenset(topics)
        self._capacity = capacity
        self._waiting: dict[int, dict[str, T]] = {}
        self._latest = -1

    def add(self, topic: str, stamp: int, message: T) -> dict[str, T] | None:
        """Take a message.

        Args:
            topic: one of the topics.
            stamp: of the frame it belongs to, in nanoseconds; a camera never repeats one.
            message: anything.

        Returns:
            The messages of the frame by topic if this one completes it, else None.
        """
        if topic not in self._topics:
            raise KeyError(f"{topic} is not one of {', '.join(sorted(self._topics))}")
        if stamp <= self._latest:
            return None
        frame = self._waiting.setdefault(stamp, {})
        frame[topic] = message
        if len(frame) < len(self._topics):
            if len(self._waiting) > self._capacity:
                del self._waiting[min(self._waiting)]
                self.let_go += 1
            return None
        self._latest = stamp
        later = {s: f for s, f in self._waiting.items() if s > stamp}
        self.let_go += len(self._waiting) - len(later) - 1
        self._waiting = later
        return frame

    def __len__(self) -> int:
        """Frames that wait for messages."""
        return len(self._waiting)
