"""Segmenters side by side: while one resizes a frame or checks labels, another computes."""

from __future__ import annotations

import os
import queue
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from hyperseg_ros.runtime import Segmenter
from hyperseg_ros.runtime.backends import installed_backends

Item = TypeVar("Item")
Result = TypeVar("Result")

_LANES = 2
"""On a CPU. More would gain nothing: a lane is outside the network for a small part of its time."""


class Lanes:
    """Segmenters of one model that work at the same time. They are closed with it.

    Args:
        segmenters: one or more.
    """

    def __init__(self, *segmenters: Segmenter) -> None:
        self._segmenters = segmenters
        self.card, self.batch_size = segmenters[0].card, segmenters[0].batch_size
        self._free: queue.Queue[Segmenter] = queue.Queue()
        for segmenter in segmenters:
            self._free.put(segmenter)

    @classmethod
    def open(cls, load: Callable[[int], Segmenter], threads: int = 0) -> Lanes:
        """Two segmenters that share the threads; one on NVIDIA's GPUs, or with a single thread.

        Args:
            load: opens a segmenter, given its CPU threads.
            threads: CPU threads of all; 0 for one per CPU that this process may use.
        """
        threads = threads or len(os.sched_getaffinity(0))
        if threads < _LANES:
            return cls(load(threads))
        first = load(-(-threads // _LANES))
        if first.backend_name not in installed_backends():
            return cls(first)
        try:
            second = load(threads // _LANES)
        except BaseException:
            first.close()
            raise
        if _arithmetic(first) != _arithmetic(second):  # OpenVINO has measured anew: CPU or GPU
            second.close()
            return cls(first)
        return cls(first, second)

    def map(
        self, work: Callable[[Segmenter, Item], Result], items: Iterable[Item]
    ) -> Generator[Result, None, None]:
        """What `work` gives for each item, in the order of the items; an error comes in its turn.

        No lane works any more once the generator is closed, or has raised an error.

        Args:
            work: called in a thread of a lane, with the segmenter of that lane and an item.
            items: no more than one is taken beyond those that are worked on.
        """
        with ThreadPoolExecutor(len(self._segmenters), "lane") as pool:
            begun: deque[Future[Result]] = deque()
            for item in items:
                begun.append(pool.submit(self._do, work, item))
                if len(begun) > len(self._segmenters):
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()

    def _do(self, work: Callable[[Segmenter, Item], Result], item: Item) -> Result:
        segmenter = self._free.get()
        try:
            return work(segmenter, item)
        finally:
            self._free.put(segmenter)

    def close(self) -> None:
        """Free the models."""
        for segmenter in self._segmenters:
            segmenter.close()


def _arithmetic(segmenter: Segmenter) -> tuple[str, str, str]:
    """What segmenters must have in common to give the same labels."""
    return segmenter.backend_name, segmenter.device, segmenter.precision
