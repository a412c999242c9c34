"""Getting the engine of a model: from the cache, or built, once for all that ask together."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import onnx
from onnx import ModelProto

from hyperseg_ros.runtime.backends.base import BackendError, EngineOptions
from hyperseg_ros.runtime.backends.tensorrt.builder import Built, StaleEngineError, build
from hyperseg_ros.runtime.backends.tensorrt.cache import (
    CacheMiss,
    CacheWriteError,
    EngineCache,
    EngineKey,
)
from hyperseg_ros.runtime.backends.tensorrt.cuda import Device
from hyperseg_ros.runtime.backends.tensorrt.library import Library
from hyperseg_ros.runtime.backends.tensorrt.progress import Progress
from hyperseg_ros.runtime.precision import is_quantized, to_half, with_float_depthwise

PRECISIONS = ("fp32", "fp16", "int8")
"""What an engine can be built in; int8 is an INT8 encoder with FP16 around it."""
_NOTIFY_PERIOD = 10.0
"""Seconds between two sentences on the progress of a build."""

Opened = TypeVar("Opened")


@dataclass(frozen=True)
class EngineRequest:
    """A model file, and how it is to run."""

    path: Path
    precision: str = "auto"
    """One of `PRECISIONS`; `auto` is int8 for a model with an INT8 encoder, else fp16."""
    batch_size: int = 1
    """Images a call; must be what the file was exported for, unless its batch is free."""

    def resolved(self) -> EngineRequest:
        """The request with a stated precision.

        Raises:
            BackendError: the model cannot be had in the precision.
        """
        quantized = is_quantized(onnx.load(str(self.path)))
        if self.precision == "auto":
            return EngineRequest(self.path, "int8" if quantized else "fp16", self.batch_size)
        if self.precision == "int8" and not quantized:
            raise BackendError(
                f"{self.path} has no INT8 encoder: make a model file that has one with "
                f"`hyperseg build {self.path} --precision int8 --calibrate FOLDER`"
            )
        if self.precision != "int8" and quantized:
            raise BackendError(
                f"the encoder of {self.path} is INT8: use precision int8, or the FP32 model file"
            )
        if self.precision not in PRECISIONS:
            raise BackendError(
                f"TensorRT runs in {', '.join(PRECISIONS)}, not {self.precision}; "
                "use precision auto, or a CPU backend"
            )
        return self

    def graph(self) -> ModelProto:
        """The graph to compile.

        Raises:
            BackendError: the file was exported for another batch size.
        """
        model = onnx.load(str(self.path))
        _fix_batch(model, self.batch_size)
        return model if self.precision == "fp32" else to_half(with_float_depthwise(model))

    def key(self, library: Library, device: Device, options: EngineOptions) -> EngineKey:
        """What the engine is kept under."""
        return EngineKey(
            model=self.path.stem,
            model_sha256=hashlib.sha256(self.path.read_bytes()).hexdigest(),
            library=str(library),
            device=device.name,
            compute_capability=device.compute_capability,
            precision=self.precision,
            batch_size=self.batch_size,
            workspace=options.workspace,
        )


@dataclass(frozen=True)
class Source:
    """Where an engine came from."""

    reload: Callable[[], bytes]
    """Gives the engine again, without building."""
    text: str
    """For people: `from the cache`, `built in 92 s`."""


def obtain(
    request: EngineRequest,
    library: Library,
    device: Device,
    options: EngineOptions,
    open_engine: Callable[[bytes], Opened],
) -> tuple[Opened, Source]:
    """The engine of a request, opened.

    An engine that is in the cache but does not open is built anew. Where the cache cannot be
    written to, the engine is built all the same, and a sentence says so.

    Args:
        request: a resolved one.
        library, device: what builds and runs it.
        options: where it is kept.
        open_engine: makes an engine's bytes usable; raises StaleEngineError where they are of
            something else.

    Raises:
        BackendError: the engine cannot be built, or opened once it is.
    """
    cache, key = EngineCache(options.cache), request.key(library, device, options)

    def cached() -> tuple[Opened, Source]:
        opened = open_engine(cache.load(key))
        return opened, Source(lambda: cache.load(key), f"from the cache, {cache.path(key)}")

    try:
        return cached()
    except (CacheMiss, StaleEngineError) as reason:
        options.notify(
            f"{reason}: building one with {library} for the {device.name}; takes minutes"
        )
    with contextlib.ExitStack() as stack:
        try:
            waited = stack.enter_context(cache.locked(key))
        except CacheWriteError as error:
            return _built_in_memory(request, library, device, options, open_engine, error)
        if waited:
            with contextlib.suppress(CacheMiss, StaleEngineError):
                return cached()
        built = _build(request, library, options, cache.load_timings(key))
        opened = open_engine(built.engine)
        text = f"built in {built.seconds:.0f} s"
        try:
            cache.store(key, built.engine)
            cache.store_timings(key, built.timing_cache)
        except CacheWriteError as error:
            options.notify(f"{error}: the next start will build the engine again")
            return opened, Source(lambda: built.engine, f"{text}, not kept")
        return opened, Source(lambda: cache.load(key), f"{text}, kept as {cache.path(key)}")


def _built_in_memory(
    request: EngineRequest,
    library: Library,
    device: Device,
    options: EngineOptions,
    open_engine: Callable[[bytes], Opened],
    error: CacheWriteError,
) -> tuple[Opened, Source]:
    options.notify(
        f"{error}: the engine is built for this start only; "
        "set engine_cache or XDG_CACHE_HOME to a folder that you own"
    )
    built = _build(request, library, options, b"")
    opened = open_engine(built.engine)
    return opened, Source(lambda: built.engine, f"built in {built.seconds:.0f} s, not kept")


def _build(
    request: EngineRequest, library: Library, options: EngineOptions, timings: bytes
) -> Built:
    last = time.monotonic()

    def report(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= _NOTIFY_PERIOD:
            last = time.monotonic()
            options.notify(f"building the engine: {progress}")

    return build(
        library,
        request.graph(),
        workspace=options.workspace,
        timing_cache=timings,
        report=report,
    )


def _fix_batch(model: ModelProto, batch_size: int) -> None:
    """Give a graph with a free batch a number of images; check it where it has one."""
    for value in (*model.graph.input, *model.graph.output):
        side = value.type.tensor_type.shape.dim[0]
        if side.HasField("dim_value") and side.dim_value != batch_size:
            raise BackendError(
                f"the model is exported for batches of {side.dim_value}, not {batch_size}: "
                f"`hyperseg export --batch {batch_size}` writes one that fits"
            )
        side.dim_value = batch_size
