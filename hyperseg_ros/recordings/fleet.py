"""Parts done by many workers, on this machine or over a Ray cluster.

A worker that dies costs its part once more and nothing else. What comes out does not depend on who
did what: see `plan`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from hyperseg_ros.recordings.errors import RecordingError, one_line
from hyperseg_ros.recordings.plan import Part, PartReport

TRIES = 3
"""Times that a part is tried before it is given up."""


class Worker(Protocol):
    """What does parts, one after the other."""

    def run(self, part: Part) -> PartReport:
        """Do a part: its bag is at `Part.path` afterwards."""
        ...


@dataclass(frozen=True)
class Outcome:
    """What became of a part."""

    part: Part
    report: PartReport | None
    """None where the part was given up."""
    error: str = ""
    """The last error of a part that was given up."""


@dataclass
class _Job:
    part: Part
    tries: int = 0
    error: str = ""


@dataclass
class _Queue:
    """Parts to do, and what becomes of a part that failed."""

    waiting: deque[_Job] = field(default_factory=deque)

    def failed(self, job: _Job, error: BaseException) -> Outcome | None:
        """Puts a part at the head of the queue again, or gives it up."""
        job.tries += 1
        job.error = one_line(error)
        if job.tries < TRIES:
            self.waiting.appendleft(job)
            return None
        return Outcome(job.part, None, job.error)


def run_here(parts: Iterable[Part], worker: Worker) -> Iterator[Outcome]:
    """Does parts in this process, one after the other.

    Raises:
        RecordingError, ValueError: of the caller's making; what is worth a second try is tried.
    """
    queue = _Queue(deque(map(_Job, parts)))
    while queue.waiting:
        job = queue.waiting.popleft()
        try:
            yield Outcome(job.part, worker.run(job.part))
        except (ValueError, OSError):  # a full disk, a wrong parameter: no second try helps
            raise
        except Exception as error:
            outcome = queue.failed(job, error)
            if outcome is not None:
                yield outcome


@dataclass(frozen=True)
class Fleet:
    """Where the workers are.

    Args:
        address: of a Ray cluster ("auto", "ray://HOST:PORT", "HOST:PORT"); empty for this machine.
        workers: how many; 0 for one a GPU, or one a machine where there is none.
    """

    address: str = ""
    workers: int = 0


def run_fleet(
    parts: Iterable[Part], make_worker: Callable[[int], Worker], fleet: Fleet
) -> Iterator[Outcome]:
    """Does parts on the workers of a fleet, in whatever order they come.

    Args:
        parts: to be done.
        make_worker: makes a worker, given its number of CPU threads; it is called where that runs.
        fleet: where the workers are.

    Raises:
        RecordingError: the cluster cannot be reached, or has no place for a worker.
    """
    import ray

    started = _connect(ray, fleet)
    try:
        yield from _distribute(ray, parts, make_worker, fleet.workers)
    finally:
        if started:
            ray.shutdown()


def _connect(ray: Any, fleet: Fleet) -> bool:
    if ray.is_initialized():
        return False
    # Ray reports its use to its makers unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    options: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    try:
        if fleet.address:
            ray.init(fleet.address, **options)
        else:
            # Without "local" Ray joins whatever cluster this machine is in.
            ray.init("local", include_dashboard=False, **options)
    except Exception as error:
        raise RecordingError(
            f"no Ray cluster at {fleet.address or 'this machine'}: {one_line(error)}; start one "
            "with `ray start --head`, and say its address"
        ) from None
    return True


def _distribute(
    ray: Any, parts: Iterable[Part], make_worker: Callable[[int], Worker], workers: int
) -> Iterator[Outcome]:
    resources = ray.cluster_resources()
    gpus = int(resources.get("GPU", 0))
    machines = sum(name.startswith("node:") and "__" not in name for name in resources)
    workers = workers or gpus or max(1, machines)
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    threads = share_threads([int(resources.get("CPU", 0)) for resources in nodes], workers)
    remote = ray.remote(num_cpus=threads, num_gpus=1 if gpus >= workers else 0)(_Remote)
    queue = _Queue(deque(map(_Job, parts)))
    workers = min(workers, len(queue.waiting))
    idle = [remote.remote(make_worker, threads) for _ in range(workers)]
    busy: dict[Any, tuple[Any, _Job]] = {}
    while queue.waiting or busy:
        while idle and queue.waiting:
            worker, job = idle.pop(), queue.waiting.popleft()
            busy[worker.run.remote(job.part)] = worker, job
        (done,), _ = ray.wait(list(busy))
        worker, job = busy.pop(done)
        try:
            report = ray.get(done)
        except ray.exceptions.RayTaskError as error:  # the worker lives
            if isinstance(error.cause, (ValueError, OSError)):
                raise error.cause from None  # a full disk, a wrong parameter: as in `run_here`
            idle.append(worker)
            outcome = queue.failed(job, error.cause or error)
        except ray.exceptions.RayError as error:  # its process or machine is gone
            idle.append(remote.remote(make_worker, threads))
            outcome = queue.failed(job, error)
        else:
            idle.append(worker)
            outcome = Outcome(job.part, report)
        if outcome is not None:
            yield outcome


def share_threads(cpus: list[int], workers: int) -> int:
    """CPU threads of each worker, as many as leave all of them a place.

    Args:
        cpus: of each machine.
        workers: how many are to find a place; a worker needs one machine for itself.

    Raises:
        RecordingError: there are fewer CPUs than workers.
    """
    threads = max(1, sum(cpus) // workers)
    while threads > 1 and sum(count // threads for count in cpus) < workers:
        threads -= 1
    if sum(cpus) < workers:
        raise RecordingError(
            f"{workers} workers need {workers} CPUs, and Ray has {sum(cpus)}: ask for fewer"
        )
    return threads


class _Remote:
    """A worker in a process of Ray's."""

    def __init__(self, make_worker: Callable[[int], Worker], threads: int) -> None:
        self._worker = make_worker(threads)

    def run(self, part: Part) -> PartReport:
        return self._worker.run(part)
