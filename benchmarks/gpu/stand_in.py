"""In place of TensorRT: an engine whose answers are known, on whatever runs its kernel.

It has what `Execution` asks of TensorRT. On a GPU the kernel is compiled with NVRTC and launched by
the driver; the rehearsal gives a function in its place.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.runtime.backends.tensorrt.library import Library

Launch = Callable[[int, Sequence[int], Sequence[int]], bool]
"""A stream, the addresses of image, labels and confidence, the image's shape; whether it ran."""

COLORS = np.random.default_rng(0).integers(0, 256, (11, 3)).astype(np.uint8)
"""BGR of the classes."""
ENGINE = b"stand-in engine"

SOURCE = """
extern "C" __global__ void nearest(const unsigned char *image, unsigned char *labels,
                                   unsigned char *confidence, int pixels) {
  const int colors[] = {%s};
  int pixel = blockIdx.x * blockDim.x + threadIdx.x;
  if (pixel >= pixels) return;
  int best = 256, label = 0;
  for (int k = 0; k < %d; ++k) {
    int distance = 0;
    for (int c = 0; c < 3; ++c)
      distance = max(distance, abs(int(image[3 * pixel + c]) - colors[3 * k + c]));
    if (distance < best) { best = distance; label = k; }
  }
  labels[pixel] = label;
  confidence[pixel] = 255 - best;
}
extern "C" __global__ void wild(unsigned char *nowhere) { *nowhere = 1; }
"""


def expected(images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """What the kernel gives: the class of the nearest colour, 255 less the largest difference."""
    differences = np.abs(images[..., None, :].astype(np.int16) - COLORS).max(-1)
    labels = differences.argmin(-1).astype(np.uint8)
    return labels, (255 - differences.min(-1)).astype(np.uint8)


class StandIn:
    """The module `tensorrt`, as far as `Execution` knows it.

    Args:
        launch: runs the kernel.
        shape: of the images, [N, H, W, 3].
    """

    __version__ = "10.3.0"
    uint8 = "uint8"

    class ILogger:
        """TensorRT's."""

        class Severity:
            """TensorRT's."""

            INTERNAL_ERROR, ERROR = "internal error", "error"

    def __init__(self, launch: Launch, shape: tuple[int, ...]) -> None:
        self._launch, self._shape = launch, shape
        self.num_io_tensors, self.device_memory_size_v2 = 3, 0
        self._addresses: dict[str, int] = {}

    def library(self) -> Library:
        """What the backend calls a TensorRT."""
        module: Any = self
        return Library(module, "TensorRT", self.__version__)

    def Runtime(self, logger: Any) -> StandIn:  # noqa: N802 - TensorRT's name
        """A runtime, an engine and a context are one here."""
        return self

    def deserialize_cuda_engine(self, engine: bytes) -> StandIn | None:
        """The only engine that there is."""
        return self if engine == ENGINE else None

    def create_execution_context(self) -> StandIn:
        """See `Runtime`."""
        return StandIn(self._launch, self._shape)

    def get_tensor_name(self, index: int) -> str:
        """Of the model-file contract."""
        return ("image", "labels", "confidence")[index]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        """Of the model-file contract."""
        return self._shape if name == "image" else self._shape[:3]

    def get_tensor_dtype(self, name: str) -> str:
        """All are bytes."""
        return self.uint8

    def set_tensor_address(self, name: str, address: int) -> bool:
        """Where a buffer is."""
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        """Queue the kernel."""
        return self._launch(stream, list(self._addresses.values()), self._shape)


class NvrtcKernels:
    """The kernels, compiled for the device that is current.

    Args:
        driver: `cuda.bindings.driver`.
    """

    def __init__(self, driver: Any) -> None:
        from cuda.bindings import nvrtc

        self._driver = driver
        colors = ", ".join(map(str, COLORS.ravel().tolist()))
        source = (SOURCE % (colors, len(COLORS))).encode()
        status, program = nvrtc.nvrtcCreateProgram(source, b"stand_in.cu", 0, [], [])
        self._check(status)
        device = self._result(driver.cuCtxGetDevice())
        kinds = driver.CUdevice_attribute
        major, minor = (
            self._result(driver.cuDeviceGetAttribute(kind, device))
            for kind in (
                kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
            )
        )
        options = [f"--gpu-architecture=sm_{major}{minor}".encode()]
        self._check(*nvrtc.nvrtcCompileProgram(program, len(options), options))
        size = self._result(nvrtc.nvrtcGetCUBINSize(program))
        self._binary = b" " * size
        self._check(*nvrtc.nvrtcGetCUBIN(program, self._binary))
        module = self._result(driver.cuModuleLoadData(self._binary))
        self._nearest = self._result(driver.cuModuleGetFunction(module, b"nearest"))
        self._wild = self._result(driver.cuModuleGetFunction(module, b"wild"))

    def nearest(self, stream: int, addresses: Sequence[int], shape: Sequence[int]) -> bool:
        """Launch the classification of an image's pixels."""
        pixels = int(np.prod(shape[:3]))
        values = (*addresses, pixels)
        kinds = (ctypes.c_void_p,) * 3 + (ctypes.c_int,)
        return self._run(self._nearest, -(-pixels // 256), stream, (values, kinds))

    def wild(self, stream: int, addresses: Sequence[int], shape: Sequence[int]) -> bool:
        """Launch a write to an address that nobody has."""
        return self._run(self._wild, 1, stream, ((16,), (ctypes.c_void_p,)))

    def _run(self, function: Any, blocks: int, stream: int, arguments: Any) -> bool:
        threads = 1 if function is self._wild else 256
        (status,) = self._driver.cuLaunchKernel(
            function, blocks, 1, 1, threads, 1, 1, 0, stream, arguments, 0
        )
        return int(status) == 0

    def _result(self, answer: Any) -> Any:
        status, value = answer
        self._check(status)
        return value

    @staticmethod
    def _check(status: Any) -> None:
        if int(status):
            raise RuntimeError(f"{status!r}")
