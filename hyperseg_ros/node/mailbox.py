"""A mailbox with one slot: the newest frame wins."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """Hands the newest item from one thread to another, and drops what it replaces.

    So a consumer that is slower than its producer is late by one item at most.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._item: Item | None = None

    def put(self, item: Item) -> bool:
        """Leaves `item`; True if it replaced one that nobody had taken."""
        with self._lock:
            dropped = self._item is not None
            self._item = item
        return dropped

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take."""
        with self._lock:
            return self._item is None

    def take(self) -> Item | None:
        """Empties the mailbox; None if it was empty."""
        with self._lock:
            item, self._item = self._item, None
        return item
