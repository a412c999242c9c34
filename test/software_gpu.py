"""A CUDA device in software, for machines without one: what the TensorRT backend calls, no more.

Memory is the host's, a stream does its work when it is queued, a graph is the list of what was
queued, and an engine is its ONNX graph on ONNX Runtime. The rest is real: TensorRT-RTX builds the
engines, and the driver's enumerations are cuda-python's.
"""

from __future__ import annotations

import ctypes
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
import tensorrt_rtx_bindings
from cuda.bindings import driver as real_driver
from onnx import ModelProto

from hyperseg_ros.runtime.backends.tensorrt.cuda import Device
from hyperseg_ros.runtime.backends.tensorrt.library import Library

Status = real_driver.CUresult
OK = Status.CUDA_SUCCESS
OUT_OF_MEMORY = Status.CUDA_ERROR_OUT_OF_MEMORY
NOT_SUPPORTED = Status.CUDA_ERROR_NOT_SUPPORTED
ILLEGAL_ADDRESS = Status.CUDA_ERROR_ILLEGAL_ADDRESS

MEMORY = 8 << 30


class SoftwareDriver:
    """CUDA's driver, as `cuda.bindings.driver` has it.

    Attributes:
        calls: how often each function was called.
        live: what is allocated now, by address.
        failing: statuses that the next calls of a function return.
        copied: bytes that crossed the bus.
    """

    def __init__(self, integrated: bool = False, names: Sequence[str] = ("Software",)) -> None:
        self.integrated, self.names = integrated, names
        self.calls: Counter[str] = Counter()
        self.live: dict[int, Any] = {}
        self.failing: dict[str, list[Status]] = {}
        self.copied = 0
        self._recording: list[Callable[[], None]] | None = None
        self._graphs: dict[int, list[Callable[[], None]]] = {}
        self._thread = threading.local()

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("cu"):
            return object.__getattribute__(self, name)
        function = object.__getattribute__(self, name)

        def counted(*arguments: Any) -> tuple[Any, ...]:
            self.calls[name] += 1
            if self.failing.get(name):
                return self.failing[name].pop(0), 0
            return OK, *function(*arguments)

        # `copied` is no function of the driver.
        return counted if callable(function) else function

    def __getattr__(self, name: str) -> Any:
        return getattr(real_driver, name)  # enumerations and flags

    def enqueue(self, work: Callable[[], None]) -> None:
        """Do the work of a stream: now, or, while it is captured, when the graph runs."""
        assert self._thread.contexts == 1, "a call outside the device's context"
        if self._recording is None:
            work()
        else:
            self._recording.append(work)

    def memory(self, address: int, shape: tuple[int, ...]) -> np.ndarray:
        """The array at an address that is allocated."""
        size = int(np.prod(shape))
        assert ctypes.sizeof(self.live[address]) == size
        return np.frombuffer(self.live[address], np.uint8).reshape(shape)

    def _allocate(self, size: int) -> int:
        buffer = (ctypes.c_uint8 * size)()
        self.live[ctypes.addressof(buffer)] = buffer
        return ctypes.addressof(buffer)

    def _handle(self) -> int:
        return self._allocate(1)

    # The driver's functions, without their status

    def cuInit(self, flags):  # noqa: N802
        return ()

    def cuGetErrorName(self, status):  # noqa: N802
        return (status.name.encode(),)

    def cuGetErrorString(self, status):  # noqa: N802
        return (status.name.removeprefix("CUDA_ERROR_").replace("_", " ").lower().encode(),)

    def cuDriverGetVersion(self):  # noqa: N802
        return (12020,)

    def cuDeviceGetCount(self):  # noqa: N802
        return (len(self.names),)

    def cuDeviceGet(self, ordinal):  # noqa: N802
        return (ordinal,)

    def cuDeviceGetName(self, length, device):  # noqa: N802
        return (self.names[device].encode().ljust(length, b"\0"),)

    def cuDeviceTotalMem(self, device):  # noqa: N802
        return (MEMORY,)

    def cuDeviceGetAttribute(self, attribute, device):  # noqa: N802
        kinds = real_driver.CUdevice_attribute
        values = {
            kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: 8,
            kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: 6,
            kinds.CU_DEVICE_ATTRIBUTE_INTEGRATED: int(self.integrated),
            kinds.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: 8,
        }
        return (values[attribute],)

    def cuDevicePrimaryCtxRetain(self, device):  # noqa: N802
        self.live["context"] = self.live.get("context", 0) + 1
        return (1,)

    def cuDevicePrimaryCtxRelease(self, device):  # noqa: N802
        self.live["context"] -= 1
        if not self.live["context"]:
            del self.live["context"]
        return ()

    def cuCtxPushCurrent(self, context):  # noqa: N802
        self._thread.contexts = getattr(self._thread, "contexts", 0) + 1
        return ()

    def cuCtxPopCurrent(self):  # noqa: N802
        self._thread.contexts -= 1
        return (1,)

    def cuMemGetInfo(self):  # noqa: N802
        used = sum(ctypes.sizeof(b) for b in self.live.values() if not isinstance(b, int))
        return MEMORY - used, MEMORY

    def cuStreamCreate(self, flags):  # noqa: N802
        return (self._handle(),)

    def cuEventCreate(self, flags):  # noqa: N802
        return (self._handle(),)

    def cuEventRecord(self, event, stream):  # noqa: N802
        return ()

    def cuEventSynchronize(self, event):  # noqa: N802
        return ()

    def cuMemAlloc(self, size):  # noqa: N802
        return (self._allocate(size),)

    def cuMemHostAlloc(self, size, flags):  # noqa: N802
        return (self._allocate(size),)

    def cuMemHostGetDevicePointer(self, host, flags):  # noqa: N802
        return (host,)

    def _free(self, address):
        del self.live[address]
        return ()

    cuMemFree = cuMemFreeHost = cuStreamDestroy = cuEventDestroy = cuGraphExecDestroy = _free  # noqa: N815

    def _copy(self, target, source, size, stream):
        self.copied += size
        self.enqueue(lambda: ctypes.memmove(int(target), int(source), size))
        return ()

    cuMemcpyHtoDAsync = cuMemcpyDtoHAsync = _copy  # noqa: N815

    def cuStreamBeginCapture(self, stream, mode):  # noqa: N802
        self._recording = []
        return ()

    def cuStreamEndCapture(self, stream):  # noqa: N802
        graph = self._handle()
        assert self._recording is not None
        self._graphs[graph], self._recording = self._recording, None
        return (graph,)

    def cuGraphDestroy(self, graph):  # noqa: N802
        return self._free(graph)

    def cuGraphInstantiate(self, graph, flags):  # noqa: N802
        executable = self._handle()
        self._graphs[executable] = self._graphs[graph]
        return (executable,)

    def cuGraphLaunch(self, executable, stream):  # noqa: N802
        for work in self._graphs[executable]:
            work()
        return ()


class SoftwareTensorRt:
    """TensorRT-RTX, with a runtime that runs a model in software.

    Attributes:
        loads: whether engines deserialize.
        has_memory: whether a context can be made.
        runs: whether execution succeeds.
        takes_buffers: whether contexts take the buffers that they are given.
        wrong: how many of the engines that are loaded next give labels that are not the model's.
        loaded: engines that were loaded.
        kernels: what was compiled; the contents that a runtime cache was given.
    """

    def __init__(self, driver: SoftwareDriver, model: ModelProto) -> None:
        self.driver = driver
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        self.loads = self.has_memory = self.runs = self.takes_buffers = True
        self.loaded = self.wrong = 0
        self.kernels: list[bytes] = []
        self.batch = 1

    def __getattr__(self, name: str) -> Any:
        return getattr(tensorrt_rtx_bindings, name)

    def Runtime(self, logger: Any) -> SoftwareTensorRt:  # noqa: N802
        return self

    def deserialize_cuda_engine(self, engine: bytes) -> _Engine | None:
        assert len(engine) > 1000, "an engine that no builder made"
        self.loaded += 1
        return _Engine(self) if self.loads else None

    def library(self) -> Library:
        """The library to give to the backend."""
        return Library(self, "TensorRT-RTX", tensorrt_rtx_bindings.__version__)  # type: ignore[arg-type]


class _Engine:
    num_io_tensors = 3
    device_memory_size_v2 = 1 << 20

    def __init__(self, trt: SoftwareTensorRt) -> None:
        self.trt = trt
        self.wrong = trt.wrong > 0
        trt.wrong = max(trt.wrong - 1, 0)
        values = (*trt.session.get_inputs(), *trt.session.get_outputs())
        self.shapes = {
            value.name: [trt.batch if isinstance(side, str) else side for side in value.shape]
            for value in values
        }

    def get_tensor_name(self, index: int) -> str:
        return list(self.shapes)[index]

    def get_tensor_shape(self, name: str) -> list[int]:
        return self.shapes[name]

    def get_tensor_dtype(self, name: str) -> Any:
        return tensorrt_rtx_bindings.uint8

    def create_runtime_config(self) -> _RuntimeConfig:
        return _RuntimeConfig(self.trt)

    def create_execution_context(self, config: _RuntimeConfig) -> _Context | None:
        assert config.used, "kernels are compiled that are not kept"
        return _Context(self) if self.trt.has_memory else None


class _RuntimeConfig:
    """TensorRT-RTX's, which is its own cache of compiled kernels too."""

    def __init__(self, trt: SoftwareTensorRt) -> None:
        self.trt, self.used, self.content = trt, False, b""

    def create_runtime_cache(self) -> _RuntimeConfig:
        return self

    def set_runtime_cache(self, cache: _RuntimeConfig) -> bool:
        self.used = cache is self
        return True

    def deserialize(self, content: bytes) -> bool:
        self.trt.kernels.append(content)
        self.content = content
        return content.startswith(b"kernels")

    def reset(self) -> bool:
        self.content = b""
        return True

    def serialize(self) -> bytes:
        return self.content or b"kernels for the device"


class _Context:
    def __init__(self, engine: _Engine) -> None:
        self.engine, self.addresses = engine, {}

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return self.engine.trt.takes_buffers

    def execute_async_v3(self, stream: int) -> bool:
        trt = self.engine.trt
        if trt.runs:
            trt.driver.enqueue(self._run)
        return trt.runs

    def _run(self) -> None:
        def memory(name: str) -> np.ndarray:
            return self.engine.trt.driver.memory(
                self.addresses[name], tuple(self.engine.shapes[name])
            )

        names = ["labels", "confidence"]
        results = self.engine.trt.session.run(names, {"image": memory("image")})
        if self.engine.wrong:
            results[0] = np.roll(results[0], 3, axis=2)
        for name, result in zip(names, results, strict=True):
            memory(name)[:] = result


DEVICE = Device("Software", (8, 6), MEMORY, False, multiprocessors=8, driver="12.2")
"""What a `SoftwareDriver` describes itself as."""
