"""The real driver under our own `Execution`, with a stand-in for TensorRT's engine.

    benchmarks/gpu/run driver              # on a GPU
    benchmarks/gpu/run driver --rehearse   # on the tests' GPU in software

Each check is a process of its own: what a driver does to one does not touch the next.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from gpu.stand_in import ENGINE, NvrtcKernels, StandIn, expected
from hyperseg_ros.runtime.backends.base import DeviceLostError
from hyperseg_ros.runtime.backends.tensorrt.builder import EngineError
from hyperseg_ros.runtime.backends.tensorrt.cuda import Cuda, CudaError, find_device, load_driver
from hyperseg_ros.runtime.backends.tensorrt.execution import Execution

SELF = (sys.executable, "-m", "gpu.driver")
SHAPE, SMALL = (1, 384, 512, 3), (1, 48, 64, 3)
"""Of the images, on a GPU and in software."""
_TIME_LIMIT = 120


class Bench:
    """Executions of the stand-in on a driver, real or in software."""

    def __init__(self, rehearse: bool) -> None:
        self.rehearse = rehearse
        self.shape = SMALL if rehearse else SHAPE
        if rehearse:
            from software_gpu import SoftwareDriver

            self.driver: Any = SoftwareDriver()
            self.nearest = self.wild = self._in_software
        else:
            self.driver = load_driver()
            self._cuda = Cuda(0, self.driver)
            with self._cuda.current():
                kernels = NvrtcKernels(self.driver)
            self.nearest, self.wild = kernels.nearest, kernels.wild

    def execution(self, launch: Any = None, driver: Any = None, mapped: bool = False) -> Execution:
        """An engine, loaded."""
        stand_in = StandIn(launch or self.nearest, self.shape)
        driver = driver or self.driver
        return Execution(stand_in.library(), ENGINE, self.shape, mapped=mapped, driver=driver)

    def free_memory(self) -> int:
        """Bytes of the device that nobody uses."""
        with closing(Cuda(0, self.driver)) as cuda, cuda.current():
            return cuda.free_memory()

    def is_right(self, run: Execution, seed: int) -> bool:
        """Whether a frame's results are the known ones, byte for byte."""
        frame = np.random.default_rng(seed).integers(0, 256, self.shape, np.uint8)
        return all(map(np.array_equal, run(frame), expected(frame)))

    def _in_software(self, stream: int, addresses: Sequence[int], shape: Sequence[int]) -> bool:
        def work() -> None:
            image = self.driver.memory(addresses[0], tuple(shape))
            for address, result in zip(addresses[1:], expected(image), strict=True):
                self.driver.memory(address, tuple(shape[:3]))[:] = result

        self.driver.enqueue(work)
        return True


class NoCapture:
    """A driver that refuses to record graphs, and is otherwise another one."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def __getattr__(self, name: str) -> Any:
        if name == "cuStreamBeginCapture":
            status = self._driver.CUresult.CUDA_ERROR_NOT_SUPPORTED
            return lambda *_: (status,)
        return getattr(self._driver, name)


def results_are_known(bench: Bench) -> str:
    """Bytes equal to the known answers: copied and mapped buffers, graph and queued."""
    said = []
    for mapped in (False, True):
        for driver in (bench.driver, NoCapture(bench.driver)):
            with closing(bench.execution(driver=driver, mapped=mapped)) as run:
                assert all(bench.is_right(run, seed) for seed in range(20))
                said.append(f"{run.details['buffers']}, graph {run.details['CUDA graph'][:8]}")
    return "20 frames each: " + "; ".join(said)


def threads_may_change(bench: Bench) -> str:
    """Created in one thread, used in another, closed in the first."""
    run, right = bench.execution(), []
    worker = threading.Thread(
        target=lambda: right.extend(bench.is_right(run, n) for n in range(20))
    )
    worker.start()
    worker.join()
    run.close()
    assert right == [True] * 20
    return "20 frames in another thread"


def fifty_cycles_leave_nothing(bench: Bench) -> str:
    """Opened, used and closed fifty times."""
    free = []
    for seed in range(50):
        with closing(bench.execution()) as run:
            assert bench.is_right(run, seed)
        free.append(bench.free_memory())
    assert free[4] - free[-1] < 1 << 20, f"{(free[4] - free[-1]) >> 10} KiB are gone"
    return f"free memory from the 5th to the 50th: {free[-1] - free[4]:+d} bytes"


def an_illegal_call_while_recording(bench: Bench) -> str:
    """What waits inside a capture spoils it; frames are queued, and right."""
    if bench.rehearse:
        return "needs a GPU"
    calls = []

    def launch(stream: int, addresses: Sequence[int], shape: Sequence[int]) -> bool:
        calls.append(1)
        if len(calls) == 3:  # two frames are queued before the one that is recorded
            (status,) = bench.driver.cuStreamSynchronize(stream)
            return int(status) == 0
        return bench.nearest(stream, addresses, shape)

    with closing(bench.execution(launch)) as run:
        graph = run.details["CUDA graph"]
        assert graph.startswith("none"), graph
        assert all(bench.is_right(run, seed) for seed in range(20))
    return f"CUDA graph: {graph[:70]}"


def an_illegal_address_loses_the_device(bench: Bench) -> str:
    """The error is known as one that only another process recovers from."""
    if bench.rehearse:
        bench.driver.failing["cuEventSynchronize"] = [
            bench.driver.CUresult.CUDA_ERROR_ILLEGAL_ADDRESS
        ]
    try:
        bench.execution(bench.wild).close()
    except DeviceLostError as error:
        return f"{error}"[:90]
    raise AssertionError("a wild write went unnoticed")


def too_little_memory_is_said(bench: Bench) -> str:
    """With the memory gone an engine does not open; once it is there again, it does."""
    if bench.rehearse:
        bench.driver.failing["cuMemAlloc"] = [bench.driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY]
        try:
            bench.execution()
        except EngineError as error:
            return f"{error}"[:90]
        raise AssertionError("memory that is not there was found")
    held = []
    with closing(Cuda(0, bench.driver)) as cuda, cuda.current():
        for size in (1 << 30, 1 << 26, 1 << 22, 1 << 18, 1 << 12):
            while True:
                try:
                    held.append(cuda.device_memory(size))
                except CudaError:
                    break
        try:
            bench.execution().close()
            said = "an engine of this size fits into what cannot be allocated"
        except EngineError as error:
            said = f"{error}"[:90]
    with closing(bench.execution()) as run:
        assert bench.is_right(run, 0)
    return said


def an_exit_without_close_is_clean(bench: Bench) -> str:
    """The process ends with an engine open."""
    assert bench.is_right(bench.execution(), 0)
    return "the process ended by itself"


def pytorch_may_be_there_too(bench: Bench) -> str:
    """PyTorch works in the same primary context, before and after."""
    if bench.rehearse:
        return "needs a GPU"
    import torch

    product = torch.ones(256, 256, device="cuda") @ torch.ones(256, 256, device="cuda")
    with closing(bench.execution()) as run:
        assert bench.is_right(run, 0)
        assert float((product @ product).sum()) == 256.0**4
        assert bench.is_right(run, 1)
    assert float(product.sum()) == 256.0**3
    return "products right before, between and after"


def times(bench: Bench) -> str:
    """Milliseconds for a frame, of a kernel that takes a few microseconds."""
    said, frames = [], 3 if bench.rehearse else 200
    for mapped in (False, True):
        for name, driver in (("graph", bench.driver), ("queued", NoCapture(bench.driver))):
            with closing(bench.execution(driver=driver, mapped=mapped)) as run:
                kind = "mapped" if mapped else "copied"
                said.append(f"{kind} {name} {run.milliseconds(frames):.4f} ms")
    return ", ".join(said)


def memory_checker_finds_nothing(bench: Bench) -> str:
    """20 frames under compute-sanitizer."""
    tool = shutil.which("compute-sanitizer")
    if bench.rehearse or tool is None:
        return "needs a GPU" if bench.rehearse else "compute-sanitizer is not installed"
    done = subprocess.run(
        [tool, "--error-exitcode", "9", *SELF, "--check", "threads_may_change"],
        capture_output=True,
        text=True,
        timeout=_TIME_LIMIT,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    return next(line for line in done.stdout.splitlines() if "ERROR SUMMARY" in line).strip("= ")


CHECKS: dict[str, Callable[[Bench], str]] = {
    check.__name__: check
    for check in (
        results_are_known,
        threads_may_change,
        fifty_cycles_leave_nothing,
        an_illegal_call_while_recording,
        an_illegal_address_loses_the_device,
        too_little_memory_is_said,
        an_exit_without_close_is_clean,
        pytorch_may_be_there_too,
        times,
        memory_checker_finds_nothing,
    )
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the checks, and print a table; 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rehearse", action="store_true", help="on the tests' GPU in software")
    parser.add_argument("--check", choices=CHECKS, help="only one, in this process")
    options = parser.parse_args(argv)
    if options.check:
        print(CHECKS[options.check](Bench(options.rehearse)))
        return 0
    if not options.rehearse:
        print(f"\n{find_device()}")
    print("\n| check | | |\n|---|---|---|", flush=True)
    failed = 0
    for name in (*CHECKS, "results_are_known"):  # once more: the device is as it was
        command = [*SELF, "--check", name, *(argv or sys.argv[1:])]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TIME_LIMIT)
            code, said = done.returncode, done.stdout if not done.returncode else done.stderr
        except subprocess.TimeoutExpired:
            code, said = 1, f"not done in {_TIME_LIMIT} s"
        failed += code != 0
        line = (said.strip().splitlines() or [""])[-1].replace("|", "/")
        verdict = "ok" if not code else f"**failed ({code})**"
        print(f"| {name.replace('_', ' ')} | {verdict} | {line} |", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
