"""OpenVINO on the CPU, where it is the fastest, or on a GPU or NPU of Intel."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from hyperseg_ros.runtime.backends.base import BackendError
from hyperseg_ros.runtime.backends.cache_folder import default_folder
from hyperseg_ros.runtime.backends.compiled_models import (
    alone_in,
    drop_damaged,
    folder_of,
    prune,
    seal,
)
from hyperseg_ros.runtime.backends.cpu import adds_bytes_in_16_bits, has_slow_bf16, may_use_bf16
from hyperseg_ros.runtime.backends.silent_openvino import openvino
from hyperseg_ros.runtime.graphs.channel_strips import encoder_in_channel_strips
from hyperseg_ros.runtime.graphs.replacement import with_parts_replaced
from hyperseg_ros.runtime.graphs.strips import meta_blocks_in_strips
from hyperseg_ros.runtime.graphs.upsampling import sides_in_turn
from hyperseg_ros.runtime.model_file import INPUT, OUTPUTS, ModelFileError, in_brief
from hyperseg_ros.runtime.precision.saturation import may_saturate

_PRECISION_HINT = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_DEVICES = {"cpu": "CPU", "gpu": "GPU", "npu": "NPU"}
"""OpenVINO's names of the devices."""
_GPU_PRECISIONS = ("fp16", "fp32")
_WHY_FIRST = {
    ("fp32",): "fp32: the CPU has no bfloat16 instructions to use",
    ("fp32", "bf16"): "fp32: bfloat16 is slower than float32 on Intel CPUs without AMX",
    ("bf16", "fp32"): "bf16: the CPU has bfloat16 instructions",
}
"""Why `auto` takes the first of `cpu_precisions`."""
_TRIALS = 5
_AGREEMENT = 0.99
"""Share of the labels that a GPU must give as the CPU does, to be chosen by `auto`."""


class OpenVinoBackend:
    """A model compiled by OpenVINO for this machine's CPU, or for a GPU or NPU of Intel.

    What is compiled is kept, so that a later start takes a fraction of the time.

    Args:
        path: a model file that follows the contract.
        threads: CPU threads, 0 for as many as OpenVINO finds best (the physical cores).
        precision: `fp32`; on the CPU `bf16`, which needs bfloat16 instructions; on other devices
            `fp16`; or `auto`: on the CPU the first of `cpu_precisions`, on others fp16.
        batch_size: images per batch.
        device: `cpu`, `gpu`, `npu`; or `auto`: a GPU that gives the same labels as the CPU in less
            time, measured here, else the CPU.
        cache: folder of compiled models is below it; None for `$XDG_CACHE_HOME/hyperseg_ros`.

    Raises:
        BackendError: the device is missing, or lacks the precision or the instructions for the
            INT8 of this file.
        ModelFileError: OpenVINO cannot compile the file.
    """

    name = "openvino"

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 0,
        precision: str = "auto",
        batch_size: int = 1,
        device: str = "auto",
        cache: Path | None = None,
    ) -> None:
        self.batch_size, self.reason = batch_size, ""
        self.details: dict[str, str] = {}
        self._path, self._threads = path, threads
        self._core = openvino.Core()
        self._compiled_models = (cache or default_folder()) / "openvino"
        found = present_devices(self._core)
        if device != "auto" and device not in found:
            raise BackendError(
                f"OpenVINO finds no {device.upper()} here, only {', '.join(found).upper()}: "
                "install its driver, or use device cpu"
            )
        if device == "auto":  # bf16 is a CPU's precision
            in_question = "gpu" in found and precision != "bf16"
            device = self._faster(precision) if in_question else "cpu"
        self._load(device, precision)

    def _load(self, device: str, precision: str) -> None:
        """Compile for a device; state the precision, which OpenVINO would pick silently."""
        name = _DEVICES[device]
        self.device = str(self._core.get_property(name, "FULL_DEVICE_NAME"))
        precisions = cpu_precisions(self._core) if device == "cpu" else _GPU_PRECISIONS
        if precision not in ("auto", *precisions):
            lacking = "bfloat16 instructions" if device == "cpu" else precision
            raise BackendError(f"{self.device} has no {lacking}; use precision fp32")
        is_choice = precision == "auto" and device == "cpu"
        self.reason = _WHY_FIRST[precisions] if is_choice else ""
        self.precision = precisions[0] if precision == "auto" else precision
        properties: dict[str, object] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": _PRECISION_HINT[self.precision],
        }
        if device == "cpu":
            self._check_int8()
            # Pinned, the threads of several processes would all sit on the same first cores.
            properties["ENABLE_CPU_PINNING"] = False
            if self._threads:
                properties["INFERENCE_NUM_THREADS"] = self._threads
        else:
            del properties["NUM_STREAMS"]
        with contextlib.ExitStack() as lock:
            kept = self._keep_compiled(device, lock)
            compiled = self._compile(device, properties)
            if kept is not None:
                self._tell_of_compiled(compiled, kept)
        self._request = compiled.create_infer_request()
        self._outputs = [self._request.get_tensor(name) for name in OUTPUTS]
        self._shape = tuple(compiled.input(INPUT).shape)

    def _compile(self, device: str, properties: dict[str, object]) -> openvino.CompiledModel:
        try:
            model = self._read(device)
            shape = model.input(INPUT).partial_shape
            if shape.is_dynamic:  # OpenVINO 2025.0 compiles a reshaped model at each start
                shape[0] = self.batch_size
                model.reshape({INPUT: shape})
            return self._core.compile_model(model, _DEVICES[device], properties)
        except Exception as error:  # of whatever kind a file makes it raise
            raise ModelFileError(
                f"OpenVINO cannot compile {self._path}: {_reason(error)}"
            ) from error

    def _read(self, device: str) -> openvino.Model:
        """The model; for a CPU in the form that is the fastest there.

        In fp32 it waits for its memory in the wide maps, in bf16 it does not.
        """
        if device != "cpu":
            return self._core.read_model(self._path)
        finders = [sides_in_turn]
        if self.precision == "fp32":
            finders += [meta_blocks_in_strips, encoder_in_channel_strips]
        model = with_parts_replaced(onnx.load(self._path), finders)
        return self._core.read_model(model.SerializeToString())

    def _faster(self, precision: str) -> str:
        """The faster of GPU and CPU, if both give the same labels; says so in the details."""
        labels, times = {}, {}
        try:
            for device in ("gpu", "cpu"):
                self._load(device, precision)
                image = _gradient(self._shape)
                labels[device] = self.infer(image)[0]
                begin = time.perf_counter()
                for _ in range(_TRIALS):
                    self.infer(image)
                times[device] = (time.perf_counter() - begin) / _TRIALS * 1e3
        except (BackendError, ModelFileError, RuntimeError) as error:
            self.details["device"] = f"the CPU, since the GPU fails: {_reason(error)}"
            return "cpu"
        agreement = float(np.mean(labels["gpu"] == labels["cpu"]))
        figures = (
            f"{times['gpu']:.1f} ms on the GPU, {times['cpu']:.1f} ms on the CPU, "
            f"{agreement:.2%} of the labels equal"
        )
        is_gpu = agreement >= _AGREEMENT and times["gpu"] < times["cpu"]
        self.details["device"] = f"the {'GPU' if is_gpu else 'CPU'}: {figures}"
        return "gpu" if is_gpu else "cpu"

    def _keep_compiled(self, device: str, lock: contextlib.ExitStack) -> Path | None:
        """Let OpenVINO keep what it compiles; gives the folder, if that can be used.

        Others are kept out of the folder until the lock is closed.
        """
        try:
            folder = folder_of(
                self._path, self._compiled_models, device, self.precision, self._threads
            )
            folder.mkdir(parents=True, exist_ok=True)
            lock.enter_context(alone_in(folder))
            drop_damaged(folder)
        except OSError as error:
            self.details["compiled model"] = f"not kept: {error}"
            self._core.set_property({"CACHE_DIR": ""})
            return None
        self._core.set_property({"CACHE_DIR": str(folder)})
        return folder

    def _tell_of_compiled(self, compiled: openvino.CompiledModel, folder: Path) -> None:
        """Say whether an earlier start had compiled the model; drop what was not used for long."""
        reused = compiled.get_property("LOADED_FROM_CACHE")
        verb = "taken from" if reused else "compiled, and kept in"
        said = f"{verb} {self._compiled_models}"
        try:
            if not seal(folder, renew=not reused):  # OpenVINO does not say so
                said = f"not kept: {folder} cannot be written, or the disk is full"
        except OSError as error:
            said = f"not kept: {error}"
        self.details["compiled model"] = said
        prune(self._compiled_models)

    def _check_int8(self) -> None:
        if adds_bytes_in_16_bits() and may_saturate(onnx.load(self._path)):
            raise BackendError(
                f"{self._path} has INT8 weights whose sums saturate on this CPU, which has no VNNI "
                "instructions: make it again with `hyperseg build --precision int8`, or use the "
                "onnxruntime backend"
            )

    def infer(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        if not images.flags.writeable:
            images = images.copy()  # OpenVINO shares no memory that it could not write to
        self._request.set_tensor(INPUT, openvino.Tensor(images, shared_memory=True))
        self._request.infer()
        labels, confidence = (tensor.data.copy() for tensor in self._outputs)
        return labels, confidence

    def close(self) -> None:
        del self._outputs, self._request


def present_devices(core: openvino.Core | None = None) -> list[str]:
    """Of `cpu`, `gpu` and `npu` those that OpenVINO finds here."""
    found = {name.partition(".")[0] for name in (core or openvino.Core()).available_devices}
    return [device for device, name in _DEVICES.items() if name in found]


def cpu_precisions(core: openvino.Core | None = None) -> tuple[str, ...]:
    """What the CPU runs in, the fastest first: `fp32`, and `bf16` where it has instructions."""
    capabilities = (core or openvino.Core()).get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if "BF16" not in capabilities or not may_use_bf16():
        return ("fp32",)
    return ("fp32", "bf16") if has_slow_bf16() else ("bf16", "fp32")


def _reason(error: Exception) -> str:
    """One line of what OpenVINO says: its summary, or all but the place in its own source."""
    text = str(error)
    reason = text.partition("Summary:")[2] or text.partition("\n")[2] or text
    return in_brief(reason)


def _gradient(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An image of smooth colours, uint8 of a shape [N, H, W, 3]."""
    _, height, width, _ = shape
    rows = np.linspace(0, 255, height)[:, None, None] * (1, 0, 0.5)
    columns = np.linspace(0, 255, width)[None, :, None] * (0, 1, 0.5)
    image = (rows + columns).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(image, shape))
