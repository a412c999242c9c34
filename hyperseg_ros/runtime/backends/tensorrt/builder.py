"""From a model file's graph to a TensorRT engine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from onnx import ModelProto

from hyperseg_ros.runtime.backends.base import DEFAULT_ENGINES, BackendError
from hyperseg_ros.runtime.backends.tensorrt.layers import LayerList, read_layers
from hyperseg_ros.runtime.backends.tensorrt.library import Library, Messages
from hyperseg_ros.runtime.backends.tensorrt.progress import Report, monitor
from hyperseg_ros.runtime.model_file import in_brief


class EngineError(BackendError):
    """An engine that cannot be built or loaded; says why and what to do."""


class StaleEngineError(EngineError):
    """An engine that is not for this TensorRT, GPU or model; another must be built."""


@dataclass(frozen=True)
class Built:
    """An engine, fresh from the builder."""

    engine: bytes
    timing_cache: bytes
    """What was measured while building; empty where the builder keeps none."""
    seconds: float
    layers: LayerList
    """What it is made of; empty where the library does not print it."""


def build(
    library: Library,
    model: ModelProto,
    *,
    workspace: int = DEFAULT_ENGINES.workspace,
    timing_cache: bytes = b"",
    report: Report | None = None,
) -> Built:
    """Compile a graph, each layer in the precision that the graph gives it.

    TensorRT-RTX, which finishes engines on the device that runs them, needs none for this.

    Args:
        library: what compiles it.
        model: every dimension of it a number.
        workspace: bytes that a layer may use beside its inputs and outputs.
        timing_cache: of an earlier build by the same library on the same GPU, or empty.
        report: told of progress, from TensorRT's threads.

    Raises:
        BackendError: TensorRT does not start, since the driver is too old for it.
        EngineError: TensorRT does not take the graph, or lacks the memory to build it.
    """
    trt = library.module
    messages = Messages(library)
    begin = time.monotonic()
    builder = library.create("Builder", messages.logger)
    network = library.create_network(builder)
    parser = library.create("OnnxParser", network, messages.logger)
    if not parser.parse(model.SerializeToString()):
        raise EngineError(f"{library} cannot take the model: {_refusal(parser, model)}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace)
    # FP32 means FP32: TF32 keeps ten bits of a factor.
    config.clear_flag(trt.BuilderFlag.TF32)
    # Only names in the engine, for its inspector: nothing is slower.
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    # TensorRT-RTX measures nothing while it builds.
    timings = None if library.is_rtx else _use_timing_cache(config, timing_cache)
    if report is not None:
        watching = monitor(trt, report)
        config.progress_monitor = watching
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise EngineError(f"{library} cannot build the engine: {messages.last_error()}")
    return Built(
        bytes(engine),
        b"" if timings is None else bytes(timings.serialize()),
        time.monotonic() - begin,
        read_layers(messages.build_log()),
    )


def _use_timing_cache(config: Any, content: bytes) -> Any:
    """Give a builder's configuration a timing cache, empty where the content is not for it."""
    for attempt in (content, b""):
        timings = config.create_timing_cache(attempt)
        if timings is not None and config.set_timing_cache(timings, False):
            return timings
    return None


def _refusal(parser: Any, model: ModelProto) -> str:
    """What the parser holds against a model: the first node that it cannot take."""
    if not parser.num_errors:
        return "it gives no reason"
    error = parser.get_error(0)
    reason = in_brief(error.desc())
    if not 0 <= error.node() < len(model.graph.node):
        return reason
    node = model.graph.node[error.node()]
    name = repr(node.name) if node.name else f"that makes {node.output[0]!r}"
    return f"node {name}, operator {node.op_type}: {reason}"
