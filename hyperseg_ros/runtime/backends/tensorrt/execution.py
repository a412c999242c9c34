"""An engine on its device: buffers made once, one stream, and the frame's way as a CUDA graph."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.runtime.backends.base import DeviceLostError
from hyperseg_ros.runtime.backends.tensorrt.builder import EngineError, StaleEngineError
from hyperseg_ros.runtime.backends.tensorrt.cuda import Cuda, CudaError
from hyperseg_ros.runtime.backends.tensorrt.library import Library, Messages
from hyperseg_ros.runtime.model_file import INPUT, OUTPUTS

_MIB = 1 << 20


class Execution:
    """Runs an engine; freed by `close`.

    Bytes cross the bus as uint8 in and uint8 out. With mapped buffers, on a device that shares the
    CPU's memory, it reads and writes the host's where they are, and nothing crosses; the GPU of a
    Jetson does not cache those, so copies may be faster.

    Args:
        library: what built the engine.
        engine: as `builder.build` gives it.
        input_shape: of the images, (N, H, W, 3).
        gpu: the device's number, as CUDA counts.
        mapped: whether the buffers are the host's.
        kernels: what `compiled` gave for an earlier engine on this machine.
        driver: for `Cuda`.

    Attributes:
        details: memory, buffers and CUDA graph, for people.

    Raises:
        StaleEngineError: the engine is not one for this TensorRT and GPU, or of another model.
        EngineError: there is too little memory to run it, or it does not run.
        NoDeviceError: there is no device.
        DeviceLostError: CUDA is lost to this process.
    """

    def __init__(
        self,
        library: Library,
        engine: bytes,
        input_shape: tuple[int, ...],
        *,
        gpu: int = 0,
        mapped: bool = False,
        kernels: bytes = b"",
        driver: Any = None,
    ) -> None:
        self._messages = Messages(library)
        self._library = library
        self._runtime: Any = None
        self._engine: Any = None
        self._context: Any = None
        self._kernel_cache: Any = None
        self._mapped = mapped
        self.details: dict[str, str] = {}
        self._replay: Callable[[], None] | None = None
        try:
            self._cuda = Cuda(gpu, driver)
            try:
                with self._cuda.current():
                    self._load(engine, input_shape, kernels)
            except BaseException:
                self.close()
                raise
        except CudaError as error:
            if error.is_sticky:
                raise DeviceLostError(f"CUDA is lost to this process: {error}") from error
            raise EngineError(f"cannot run the engine: {error}{_hint(error)}") from error

    def __call__(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Labels and confidence, uint8 [N, H, W], of images, uint8 [N, H, W, 3]; the caller's.

        Raises:
            CudaError: something on the device went wrong.
        """
        with self._cuda.current():
            np.copyto(self._input, images)
            self._run()
        labels, confidence = (array.copy() for array in self._outputs)
        return labels, confidence

    def milliseconds(self, frames: int = 50) -> float:
        """What a frame takes from buffer to buffer, median.

        Raises:
            CudaError: something on the device went wrong.
        """
        times = []
        with self._cuda.current():
            for _ in range(frames):
                begin = time.perf_counter()
                self._run()
                times.append(time.perf_counter() - begin)
        return 1e3 * statistics.median(times)

    def compiled(self) -> bytes:
        """The kernels that TensorRT-RTX compiled for the device, for the next start; else empty."""
        return b"" if self._kernel_cache is None else bytes(self._kernel_cache.serialize())

    def layers(self) -> str:
        """What the engine's layers are and what was fused, JSON; empty where TensorRT won't say."""
        inspector = self._engine.create_engine_inspector()
        form = self._library.module.LayerInformationFormat.JSON
        return str(inspector.get_engine_information(form) or "")

    def close(self) -> None:
        """Free the device's memory; a second call does nothing."""
        self._replay = None
        if self._context is not None or self._engine is not None:
            with self._cuda.current():
                self._context = self._kernel_cache = self._engine = self._runtime = None
        self._cuda.close()

    def _load(self, engine: bytes, input_shape: tuple[int, ...], kernels: bytes) -> None:
        free = self._cuda.free_memory()
        self._runtime = self._library.create("Runtime", self._messages.logger)
        self._engine = self._runtime.deserialize_cuda_engine(engine)
        if self._engine is None:
            raise StaleEngineError(f"the engine does not load: {self._messages.last_error()}")
        self._check_signature(input_shape)
        self._context = self._create_context(kernels)
        if self._context is None:
            scratch = self._engine.device_memory_size_v2 / _MIB
            raise EngineError(
                f"there is too little GPU memory to run the engine: it needs {scratch:.0f} MiB of "
                f"scratch, {self._cuda.free_memory() / _MIB:.0f} MiB are free; end what else uses "
                "the GPU, or take a smaller model"
            )
        self._allocate(input_shape)
        self._queue()
        self._cuda.synchronize()
        graph = self._capture()
        used = max(free - self._cuda.free_memory(), 0)
        self.details = {
            "engine memory": f"{len(engine) / _MIB:.0f} MiB engine, "
            f"{self._engine.device_memory_size_v2 / _MIB:.0f} MiB scratch, "
            f"{used / _MIB:.0f} MiB of the device in use by all",
            "buffers": "shared with the CPU" if self._mapped else "pinned, copied",
            "CUDA graph": graph,
        }

    def _create_context(self, kernels: bytes) -> Any:
        """A context; TensorRT-RTX compiles for it what is not among the kernels."""
        if not self._library.is_rtx or not hasattr(self._engine, "create_runtime_config"):
            return self._engine.create_execution_context()
        config = self._engine.create_runtime_config()
        self._kernel_cache = config.create_runtime_cache()
        if kernels and not self._kernel_cache.deserialize(kernels):
            self._kernel_cache.reset()
        config.set_runtime_cache(self._kernel_cache)
        return self._engine.create_execution_context(config)

    def _check_signature(self, input_shape: tuple[int, ...]) -> None:
        trt, engine = self._library.module, self._engine
        wanted = {INPUT: input_shape, **dict.fromkeys(OUTPUTS, input_shape[:3])}
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        found = {name: tuple(engine.get_tensor_shape(name)) for name in names}
        if found != wanted or any(engine.get_tensor_dtype(n) != trt.uint8 for n in names):
            raise StaleEngineError(f"the engine is of another model: it has {found}, not {wanted}")

    def _allocate(self, input_shape: tuple[int, ...]) -> None:
        arrays, self._addresses = [], []
        for name in (INPUT, *OUTPUTS):
            shape = input_shape if name == INPUT else input_shape[:3]
            array, address = self._cuda.pinned_array(shape, mapped=self._mapped)
            if not self._mapped:
                address = self._cuda.device_memory(array.nbytes)
            array[:] = 0
            if not self._context.set_tensor_address(name, address):
                raise EngineError(
                    f"the engine does not take a buffer for {name}: {self._messages.last_error()}"
                )
            arrays.append(array)
            self._addresses.append(address)
        self._input, *self._outputs = arrays

    def _run(self) -> None:
        """A frame's way, and wait for its end."""
        (self._replay or self._queue)()
        self._cuda.synchronize()

    def _queue(self) -> None:
        """Queue a frame's way: up, through the engine, down."""
        if not self._mapped:
            self._cuda.upload(self._input, self._addresses[0])
        if not self._context.execute_async_v3(self._cuda.stream):
            raise EngineError(f"the engine does not run: {self._messages.last_error()}")
        if not self._mapped:
            for address, array in zip(self._addresses[1:], self._outputs, strict=True):
                self._cuda.download(address, array)

    def _capture(self) -> str:
        """Record the frame's way, to be replayed where that gives the same bytes; says whether."""
        self._input[:] = np.random.default_rng(0).integers(0, 256, self._input.shape, np.uint8)
        self._queue()
        self._cuda.synchronize()
        expected = [array.copy() for array in self._outputs]
        try:
            replay = self._cuda.capture(self._queue)
            for array in self._outputs:
                array[:] = 255
            replay()
            self._cuda.synchronize()
        except (CudaError, EngineError) as error:
            if isinstance(error, CudaError) and error.is_sticky:
                raise
            return f"none, {error}"
        if not all(map(np.array_equal, self._outputs, expected)):
            return "none, it gave other results"
        self._replay = replay
        return "replayed"


def _hint(error: CudaError) -> str:
    if not error.out_of_memory:
        return ""
    return "; end what else uses the GPU, or take a smaller model"
