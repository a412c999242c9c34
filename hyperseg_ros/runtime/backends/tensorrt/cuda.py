"""The CUDA calls that running an engine takes, each checked here and nowhere else.

They are the driver's, through cuda-python: it needs no CUDA toolkit, and loads the driver that a
Jetson brings as well as a desktop's. TensorRT works in the same context, the device's primary one.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DRIVER = "libcuda.so.1"
_STICKY = (
    *("ILLEGAL_ADDRESS", "ILLEGAL_INSTRUCTION", "MISALIGNED_ADDRESS", "INVALID_ADDRESS_SPACE"),
    *("INVALID_PC", "HARDWARE_STACK_ERROR", "LAUNCH_FAILED", "LAUNCH_TIMEOUT", "ASSERT"),
    *("ECC_UNCORRECTABLE", "NVLINK_UNCORRECTABLE", "CONTAINED", "TENSOR_MEMORY_LEAK"),
    *("CONTEXT_IS_DESTROYED", "EXTERNAL_DEVICE", "DEVICE_UNAVAILABLE", "UNKNOWN"),
)
"""What the driver's documentation says of: the process must be terminated and relaunched."""
_NO_DRIVER = "no CUDA device (no NVIDIA driver)"


class CudaError(RuntimeError):
    """A CUDA call that failed.

    Attributes:
        name: of the status, such as `CUDA_ERROR_OUT_OF_MEMORY`.
    """

    def __init__(self, call: str, name: str, text: str) -> None:
        super().__init__(f"{call}: {name} ({text})")
        self.name = name

    @property
    def out_of_memory(self) -> bool:
        """Whether memory was lacking."""
        return self.name == "CUDA_ERROR_OUT_OF_MEMORY"

    @property
    def is_sticky(self) -> bool:
        """Whether CUDA is lost to this process: every further call gives the same error."""
        return self.name.removeprefix("CUDA_ERROR_") in _STICKY


class NoDeviceError(RuntimeError):
    """There is no CUDA device that can be used; says why."""


@dataclass(frozen=True)
class Device:
    """A GPU, as the driver describes it."""

    name: str
    compute_capability: tuple[int, int]
    memory: int
    """Bytes in all."""
    integrated: bool
    """Whether it shares the CPU's memory, as on Jetson."""
    multiprocessors: int = 0
    """SMs, which tell boards and MIG slices of one name apart."""
    driver: str = ""
    """The driver's version of CUDA, such as `12.2`."""


def load_driver() -> ModuleType:
    """cuda-python's driver module.

    Raises:
        NoDeviceError: there is no driver, or cuda-python is not installed.
    """
    try:
        # Asked for a driver that is not there, cuda-python looks for it in processes of its own.
        ctypes.CDLL(_DRIVER)
    except OSError:
        raise NoDeviceError(_NO_DRIVER) from None
    try:
        from cuda.bindings import driver
    except ImportError:
        try:
            from cuda import cuda as driver  # before cuda-python 12.8
        except ImportError:
            raise NoDeviceError(
                "cuda-python is not installed (pip install -r tools/requirements/gpu.txt)"
            ) from None
    return driver


class Cuda:
    """A CUDA device: memory, a stream and graphs on it.

    Freed by `close`, which may be called twice. Methods other than `close` must run inside
    `current`.

    Args:
        gpu: the device's number, as CUDA counts.
        driver: the driver's functions, as `load_driver` gives them.

    Raises:
        NoDeviceError: there is no driver or no such device.
    """

    def __init__(self, gpu: int = 0, driver: Any = None) -> None:
        self._driver = load_driver() if driver is None else driver
        self._device = _device(self._driver, gpu)
        self.device = describe(self._driver, self._device)
        self._context = self._call("cuDevicePrimaryCtxRetain", self._device)
        self._closed = False
        self._freeing: list[Callable[[], None]] = []
        try:
            with self.current():
                self._make_stream()
        except CudaError:
            self.close()
            raise

    @property
    def stream(self) -> int:
        """The stream's handle, as TensorRT takes it."""
        return int(self._stream)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the device this thread's."""
        self._call("cuCtxPushCurrent", self._context)
        try:
            yield
        finally:
            self._call("cuCtxPopCurrent")

    def free_memory(self) -> int:
        """Bytes of device memory that nobody uses."""
        return int(self._call("cuMemGetInfo")[0])

    def device_memory(self, size: int) -> int:
        """The address of `size` new bytes on the device."""
        address = self._call("cuMemAlloc", size)
        self._freeing.append(lambda: self._call("cuMemFree", address))
        return int(address)

    def pinned_array(
        self, shape: tuple[int, ...], mapped: bool = False
    ) -> tuple[NDArray[np.uint8], int]:
        """A new uint8 array in page-locked host memory, which the device can access directly.

        Args:
            shape: of the array.
            mapped: whether it has an address on the device.

        Returns:
            The array, and its address on the device (0 where not mapped).
        """
        size = int(np.prod(shape))
        flags = self._driver.CU_MEMHOSTALLOC_DEVICEMAP if mapped else 0
        host = self._call("cuMemHostAlloc", size, flags)
        self._freeing.append(lambda: self._call("cuMemFreeHost", host))
        buffer = (ctypes.c_uint8 * size).from_address(int(host))
        array = np.ctypeslib.as_array(buffer).reshape(shape)
        address = int(self._call("cuMemHostGetDevicePointer", host, 0)) if mapped else 0
        return array, address

    def upload(self, array: NDArray[np.uint8], address: int) -> None:
        """Queue a copy of a pinned array to the device."""
        self._call("cuMemcpyHtoDAsync", address, array.ctypes.data, array.nbytes, self._stream)

    def download(self, address: int, array: NDArray[np.uint8]) -> None:
        """Queue a copy from the device into a pinned array."""
        self._call("cuMemcpyDtoHAsync", array.ctypes.data, address, array.nbytes, self._stream)

    def synchronize(self) -> None:
        """Wait until all that is queued is done; raises what went wrong in it."""
        self._call("cuEventRecord", self._done, self._stream)
        self._call("cuEventSynchronize", self._done)

    def capture(self, queue: Callable[[], None]) -> Callable[[], None]:
        """Record what `queue` queues as a CUDA graph.

        Returns:
            Queues the same again.

        Raises:
            CudaError: something in it cannot be recorded.
        """
        mode = self._driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        self._call("cuStreamBeginCapture", self._stream, mode)
        try:
            queue()
        except BaseException:
            # Even a capture that failed must be ended: the stream is used again.
            _, abandoned = self._driver.cuStreamEndCapture(self._stream)
            if int(abandoned or 0):
                self._driver.cuGraphDestroy(abandoned)
            raise
        graph = self._call("cuStreamEndCapture", self._stream)
        try:
            executable = self._call("cuGraphInstantiate", graph, 0)
        finally:
            self._call("cuGraphDestroy", graph)
        self._freeing.append(lambda: self._call("cuGraphExecDestroy", executable))
        return lambda: self._call("cuGraphLaunch", executable, self._stream)

    def close(self) -> None:
        """Free all that was made here, the last first; a device that is lost frees it itself."""
        if self._closed:
            return
        self._closed = True
        self._driver.cuCtxPushCurrent(self._context)
        while self._freeing:
            with suppress(CudaError):
                self._freeing.pop()()
        self._driver.cuCtxPopCurrent()
        self._driver.cuDevicePrimaryCtxRelease(self._device)

    def _make_stream(self) -> None:
        flags = self._driver.CUstream_flags.CU_STREAM_NON_BLOCKING.value
        self._stream = self._call("cuStreamCreate", flags)
        self._freeing.append(lambda: self._call("cuStreamDestroy", self._stream))
        # Waiting for a stream spins; waiting for this event leaves the core to others.
        kinds = self._driver.CUevent_flags
        flags = kinds.CU_EVENT_BLOCKING_SYNC.value | kinds.CU_EVENT_DISABLE_TIMING.value
        self._done = self._call("cuEventCreate", flags)
        self._freeing.append(lambda: self._call("cuEventDestroy", self._done))

    def _call(self, name: str, *arguments: Any) -> Any:
        return call(self._driver, name, *arguments)


def call(driver: Any, name: str, *arguments: Any) -> Any:
    """The result of a driver's function: None, the value, or a tuple of values.

    Raises:
        CudaError: its status is not success.
    """
    status, *values = getattr(driver, name)(*arguments)
    if status != driver.CUresult.CUDA_SUCCESS:
        _, code = driver.cuGetErrorName(status)
        _, text = driver.cuGetErrorString(status)
        raise CudaError(name, _decoded(code), _decoded(text))
    return values[0] if len(values) == 1 else tuple(values) or None


def describe(driver: Any, device: Any) -> Device:
    """What the driver says of a device."""
    attributes = driver.CUdevice_attribute
    prefix = "CU_DEVICE_ATTRIBUTE_"

    def attribute(name: str) -> int:
        return int(call(driver, "cuDeviceGetAttribute", getattr(attributes, prefix + name), device))

    return Device(
        name=_decoded(call(driver, "cuDeviceGetName", 128, device)),
        compute_capability=(
            attribute("COMPUTE_CAPABILITY_MAJOR"),
            attribute("COMPUTE_CAPABILITY_MINOR"),
        ),
        memory=int(call(driver, "cuDeviceTotalMem", device)),
        integrated=bool(attribute("INTEGRATED")),
        multiprocessors=attribute("MULTIPROCESSOR_COUNT"),
        driver="{}.{}".format(*_version(call(driver, "cuDriverGetVersion"))),
    )


def find_device(gpu: int = 0, driver: Any = None) -> Device:
    """The CUDA device of a number.

    Raises:
        NoDeviceError: there is no driver or no such device.
    """
    driver = load_driver() if driver is None else driver
    return describe(driver, _device(driver, gpu))


def driver_cuda() -> tuple[int, int] | None:
    """The version of CUDA that the driver brings, also where it finds no device; None without."""
    try:
        return _version(call(load_driver(), "cuDriverGetVersion"))
    except (NoDeviceError, CudaError, ImportError, RuntimeError, OSError):
        return None


def _version(number: int) -> tuple[int, int]:
    """12020 to (12, 2)."""
    return number // 1000, number % 1000 // 10


def _device(driver: Any, gpu: int) -> Any:
    try:
        call(driver, "cuInit", 0)
        count = call(driver, "cuDeviceGetCount")
        if 0 <= gpu < count:
            return call(driver, "cuDeviceGet", gpu)
    except CudaError as error:
        raise NoDeviceError(f"no CUDA device ({error})") from None
    except (ImportError, RuntimeError, OSError):  # what cuda-python raises without a driver
        raise NoDeviceError(_NO_DRIVER) from None
    if not count:
        raise NoDeviceError("no CUDA device")
    names = [f"{n}: {describe(driver, call(driver, 'cuDeviceGet', n)).name}" for n in range(count)]
    raise NoDeviceError(f"no GPU {gpu}, only {', '.join(names)}")


def _decoded(text: bytes | str | None) -> str:
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    return (text or "unknown").rstrip("\0 ")
