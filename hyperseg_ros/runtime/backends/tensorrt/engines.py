"""Engines of a model: kept ones are loaded, others built and verified, once for all that ask."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hyperseg_ros.runtime.backends.base import BackendError, DeviceLostError, EngineOptions
from hyperseg_ros.runtime.backends.derivation import Derivation, ModelSource
from hyperseg_ros.runtime.backends.tensorrt.builder import Built, EngineError, build
from hyperseg_ros.runtime.backends.tensorrt.cache import (
    CacheMiss,
    CacheWriteError,
    EngineCache,
    EngineKey,
    Findings,
    Machine,
)
from hyperseg_ros.runtime.backends.tensorrt.cuda import CudaError, Device
from hyperseg_ros.runtime.backends.tensorrt.execution import Execution
from hyperseg_ros.runtime.backends.tensorrt.layers import LayerList
from hyperseg_ros.runtime.backends.tensorrt.library import Library
from hyperseg_ros.runtime.backends.tensorrt.progress import Progress
from hyperseg_ros.runtime.backends.verification import Verification

_NOTIFY_PERIOD = 10.0
"""Seconds between two sentences on the progress of a build."""
_TIMINGS, _KERNELS = "timings", "kernels"

Open = Callable[[bytes, bool, bytes], Execution]
"""Loads an engine, given whether its buffers are mapped, and the kernels of the machine."""


class RefusedEngineError(EngineError):
    """An engine that gives other labels than the model file."""


@dataclass(frozen=True)
class Ready:
    """An engine, loaded."""

    execution: Execution
    derivation: Derivation
    findings: Findings
    text: str
    """Where it came from, for people: `from the cache, ...`, `built in 92 s, ...`."""
    reload: Callable[[], Execution]
    """Loads it again, without building."""


@dataclass(frozen=True)
class Trial:
    """What came of a graph when it was built to be compared with others."""

    derivation: Derivation
    findings: Findings | None
    """None where there is no engine."""
    layers: LayerList | None
    """None where it was not built just now."""
    trouble: str
    """Why it is not used; empty where it may be."""

    @property
    def milliseconds(self) -> float:
        """A frame; 0 where there is no engine."""
        return self.findings.milliseconds if self.findings else 0.0


class Engines:
    """The engines of a model file on a machine.

    Args:
        source: what they are built from.
        library, device: what builds and runs them.
        options: where they are kept, and who is told.
        open_engine: loads one.
    """

    def __init__(
        self,
        source: ModelSource,
        library: Library,
        device: Device,
        options: EngineOptions,
        open_engine: Open,
    ) -> None:
        self._source, self._library, self._device = source, library, device
        self._options, self._open = options, open_engine
        self._cache = EngineCache(options.cache)
        self._machine = Machine(
            library=str(library),
            device=device.name,
            compute_capability=device.compute_capability,
            multiprocessors=device.multiprocessors,
            memory=device.memory,
            driver=device.driver,
        )
        self._verification = Verification(source.path, source.batch_size, source.required)

    def key(self, derivation: Derivation) -> EngineKey:
        """What an engine is kept under."""
        return EngineKey(
            model=self._source.path.stem,
            model_sha256=self._source.sha256,
            machine=self._machine,
            precision=derivation.precision,
            form=derivation.form,
            batch_size=self._source.batch_size,
        )

    def preferred(self, precision: str) -> list[Derivation]:
        """What to try for a precision, in order: first what `contest` found to be the fastest.

        Raises:
            BackendError: the model does not run in the precision.
        """
        derivations = self._source.derivations(precision)
        choice = self._cache.load_choice(self.key(derivations[0]))
        chosen = Derivation(*choice) if choice else None
        if chosen in (*self._source.contest(precision), *derivations):
            derivations = [chosen, *(each for each in derivations if each != chosen)]
        return derivations

    def find(self, precision: str) -> tuple[EngineKey, Findings]:
        """What a start would load.

        Raises:
            CacheMiss: it would have to build.
            BackendError: the model does not run in the precision, or every engine was refused.
        """
        refused = ""
        for derivation in self.preferred(precision):
            key = self.key(derivation)
            kept = self._cache.load(key)
            if kept.findings.passed:
                return key, kept.findings
            refused = _refusal(derivation, kept.findings)
        raise RefusedEngineError(refused)

    def obtain(self, precision: str) -> Ready:
        """An engine, loaded; of several derivations the first that gives the model's labels.

        One that is kept but does not load is rebuilt. Where the cache cannot be written to, the
        engine is built all the same, and a sentence says so.

        Args:
            precision: one of `PRECISIONS`, or `auto`.

        Raises:
            BackendError: none can be built, loaded and verified.
            DeviceLostError: the device is lost to this process.
        """
        troubles = []
        for derivation in self.preferred(precision):
            try:
                return self._obtain(derivation)
            except EngineError as error:
                troubles.append(f"{error}")
                self._options.notify(f"{derivation}: {error}")
        raise EngineError("; ".join(dict.fromkeys(troubles)))

    def contest(self, precision: str) -> list[Trial]:
        """Build every candidate, and note the fastest for `obtain`; the fastest comes first.

        If none of them gives the model's labels, what `obtain` would try next is built too.

        Raises:
            BackendError: the model does not run in the precision.
            CacheWriteError: engines cannot be kept.
            DeviceLostError: the device is lost to this process.
        """
        derivations = self._source.contest(precision)
        trials = [self._try(each) for each in derivations]
        if all(trial.trouble for trial in trials):
            rest = [each for each in self._source.derivations(precision) if each not in derivations]
            trials += [self._try(each) for each in rest]
        trials.sort(key=lambda trial: (bool(trial.trouble), trial.milliseconds))
        if not trials[0].trouble:
            self._cache.store_choice(self.key(trials[0].derivation))
        return trials

    def _obtain(self, derivation: Derivation) -> Ready:
        try:
            return self._load(derivation)
        except RefusedEngineError:
            raise
        except (CacheMiss, EngineError) as reason:
            self._options.notify(
                f"{reason}: building one ({derivation}) with {self._library} for the "
                f"{self._device.name}; takes minutes"
            )
        with contextlib.ExitStack() as stack:
            try:
                waited = stack.enter_context(self._cache.locked(self.key(derivation)))
            except CacheWriteError as error:
                self._options.notify(
                    f"{error}: the engine is built for this start only; "
                    "set engine_cache or XDG_CACHE_HOME to a folder that you own"
                )
                return self._make(derivation, keep=False)
            if waited:
                with contextlib.suppress(CacheMiss):
                    return self._load(derivation)
            return self._make(derivation, keep=True)

    def _try(self, derivation: Derivation) -> Trial:
        """Build, verify and time an engine; what was found is kept, and not repeated."""
        with self._cache.locked(self.key(derivation)):
            with contextlib.suppress(CacheMiss):
                findings = self._cache.load(self.key(derivation)).findings
                return Trial(derivation, findings, None, _trouble(derivation, findings))
            try:
                built = self._build(derivation)
                execution, findings = self._examine(derivation, built.engine)
            except EngineError as error:
                return Trial(derivation, None, None, str(error))
            execution.close()
            self._cache.store(self.key(derivation), built.engine, findings)
            return Trial(derivation, findings, built.layers, _trouble(derivation, findings))

    def _load(self, derivation: Derivation) -> Ready:
        key = self.key(derivation)
        kept = self._cache.load(key)
        if not kept.findings.passed:
            raise RefusedEngineError(_refusal(derivation, kept.findings))
        engine, findings = kept.engine, kept.findings
        text = f"from the cache, {self._cache.path(key)}"
        return self._ready(
            self._opened(engine, findings.mapped), derivation, findings, text, engine
        )

    def _make(self, derivation: Derivation, keep: bool) -> Ready:
        built = self._build(derivation)
        execution, findings = self._examine(derivation, built.engine)
        text = f"built in {built.seconds:.0f} s, "
        text += self._keep(derivation, built, findings) if keep else "not kept"
        if not findings.passed:
            execution.close()
            raise RefusedEngineError(_refusal(derivation, findings))
        return self._ready(execution, derivation, findings, text, built.engine)

    def _keep(self, derivation: Derivation, built: Built, findings: Findings) -> str:
        key = self.key(derivation)
        try:
            self._cache.store(key, built.engine, findings)
        except CacheWriteError as error:
            self._options.notify(f"{error}: the next start will build the engine again")
            return "not kept"
        return f"kept as {self._cache.path(key)}"

    def _ready(
        self,
        execution: Execution,
        derivation: Derivation,
        findings: Findings,
        text: str,
        engine: bytes,
    ) -> Ready:
        return Ready(
            execution, derivation, findings, text, lambda: self._opened(engine, findings.mapped)
        )

    def _opened(self, engine: bytes, mapped: bool) -> Execution:
        """An engine, loaded; the kernels that were compiled for it are kept for the next time."""
        kernels = self._cache.load_kernels(self._machine, _KERNELS)
        execution = self._open(engine, mapped, kernels)
        compiled = execution.compiled()
        if compiled != kernels:
            with contextlib.suppress(CacheWriteError):
                self._cache.store_kernels(self._machine, _KERNELS, compiled)
        return execution

    def _examine(self, derivation: Derivation, engine: bytes) -> tuple[Execution, Findings]:
        """Load a new engine with the faster kind of buffers, verify and time it.

        One that makes CUDA fail for good is never loaded again: the next process goes on without.
        """
        try:
            found = [self._with_buffers(engine, mapped=False)]
            if self._device.integrated:
                with contextlib.suppress(EngineError):  # the others do
                    found.append(self._with_buffers(engine, mapped=True))
        except DeviceLostError:
            with contextlib.suppress(CacheWriteError):
                deadly = Findings(agreement=0.0, required=self._verification.required)
                self._cache.store(self.key(derivation), b"", deadly)
            raise
        found.sort(key=lambda each: (not each[1].passed, each[1].milliseconds))
        for execution, _ in found[1:]:
            execution.close()
        return found[0]

    def _with_buffers(self, engine: bytes, mapped: bool) -> tuple[Execution, Findings]:
        execution = self._opened(engine, mapped)
        try:
            findings = Findings(
                agreement=self._verification.agreement(execution),
                required=self._verification.required,
                milliseconds=execution.milliseconds(),
                mapped=mapped,
            )
        except CudaError as error:
            execution.close()
            if error.is_sticky:
                raise DeviceLostError(f"CUDA is lost to this process: {error}") from error
            raise EngineError(f"the engine does not run: {error}") from error
        except BaseException:
            execution.close()
            raise
        return execution, findings

    def _build(self, derivation: Derivation) -> Built:
        last = time.monotonic()

        def report(progress: Progress) -> None:
            nonlocal last
            if time.monotonic() - last >= _NOTIFY_PERIOD:
                last = time.monotonic()
                self._options.notify(f"building the engine: {progress}")

        built = build(
            self._library,
            self._source.graph(derivation),
            workspace=self._options.workspace,
            timing_cache=self._cache.load_kernels(self._machine, _TIMINGS),
            report=report,
        )
        with contextlib.suppress(CacheWriteError):
            self._cache.store_kernels(self._machine, _TIMINGS, built.timing_cache)
        return built


def list_layers(
    source: ModelSource, library: Library, precision: str
) -> Iterator[tuple[Derivation, LayerList]]:
    """What TensorRT-RTX makes of each graph that may be the fastest; needs no device.

    Raises:
        BackendError: the model does not run in the precision, or the library lists no layers.
    """
    for derivation in source.contest(precision):
        layers = build(library, source.graph(derivation)).layers
        if not layers.kernels:
            raise BackendError(
                f"{library} does not list an engine's layers as it builds it: "
                "pip install tensorrt-rtx-cu12-bindings, which needs no GPU for it"
            )
        yield derivation, layers


def _trouble(derivation: Derivation, findings: Findings) -> str:
    """Why an engine is not used; empty where it may be."""
    return "" if findings.passed else _refusal(derivation, findings)


def _refusal(derivation: Derivation, findings: Findings) -> str:
    if not findings.agreement:
        return f"the engine ({derivation}) is refused: CUDA failed for good while it ran"
    return (
        f"the engine ({derivation}) is refused: only {findings.agreement:.1%} of its labels are "
        f"ONNX Runtime's, and {findings.required:.0%} must be"
    )
