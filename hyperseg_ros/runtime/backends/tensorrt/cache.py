"""Engines kept between starts: a folder of files, each a copy of what can be built again.

An engine fits one model, one TensorRT and one GPU. Its file says which in a line of JSON before
the engine itself, with a checksum: what is cut short, foreign or older is recognised, not tried.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from hyperseg_ros.files import write_bytes
from hyperseg_ros.runtime.backends.cache_folder import default_folder

FORMAT = 2
"""Raised when the same key must give another engine: another derivation, other build flags."""
_MAGIC = b"hyperseg engine\n"
_LONGEST_HEADER = 1 << 16


@dataclass(frozen=True)
class Machine:
    """What an engine is tuned for: it must not be used on another."""

    library: str
    """TensorRT's name and version, to the patch."""
    device: str
    """The GPU's name."""
    compute_capability: tuple[int, int]
    multiprocessors: int
    """SMs: all boards with an Orin have the same name."""
    memory: int
    """Bytes in all."""
    driver: str
    """The driver's version of CUDA."""


@dataclass(frozen=True)
class EngineKey:
    """All that an engine depends on.

    The workspace is left out: an engine that was built with less is as right.
    """

    model: str
    """What the model is called, for people."""
    model_sha256: str
    """Of the model file."""
    machine: Machine
    precision: str
    form: str
    """Of the decoder, one of `graphs.forms.FORMS`."""
    batch_size: int
    format: int = FORMAT

    def digest(self) -> str:
        """A name for the key, hexadecimal."""
        return _digest(asdict(self))

    def file_name(self) -> str:
        """A file name that tells people something too."""
        words = f"{self.model}-{self.precision}-{self.form}-batch{self.batch_size}"
        return f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', words)}-{self.digest()}.engine"


@dataclass(frozen=True)
class Findings:
    """What was found about an engine before it was kept."""

    agreement: float
    """Share of the labels that are ONNX Runtime's, 0 to 1."""
    required: float
    """The least share with which the engine is used."""
    milliseconds: float = 0.0
    """A frame, median."""
    mapped: bool = False
    """Whether buffers that the CPU shares are faster than copies."""

    @property
    def passed(self) -> bool:
        """Whether the engine may be used."""
        return self.agreement >= self.required


@dataclass(frozen=True)
class Kept:
    """An engine in the cache."""

    engine: bytes
    """Empty where it did not pass."""
    findings: Findings


class CacheMiss(Exception):  # noqa: N818 - it is no error: there is another way
    """There is no engine to use; says why."""


class CacheWriteError(OSError):
    """An engine or a lock cannot be written; says where and why."""


class EngineCache:
    """The engines in a folder.

    Args:
        folder: made when the first engine is written.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = default_folder() if folder is None else folder

    def path(self, key: EngineKey) -> Path:
        """Where the engine of a key lies, or would."""
        return self.folder / key.file_name()

    def load(self, key: EngineKey) -> Kept:
        """The engine of a key, and the findings about it.

        Raises:
            CacheMiss: there is none, or what is there must not be used.
        """
        path = self.path(key)
        try:
            content = _read_own(path)
        except FileNotFoundError:
            raise CacheMiss("there is no engine in the cache yet") from None
        except OSError as error:
            raise CacheMiss(f"cannot read {path}: {error.strerror}") from None
        return _unpack(path, content, key)

    def store(self, key: EngineKey, engine: bytes, findings: Findings) -> None:
        """Keep an engine atomically; of one that did not pass, only the findings.

        Raises:
            CacheWriteError: the folder cannot be written to, or the disk is full.
        """
        content = engine if findings.passed else b""
        header = {
            "key": asdict(key),
            "findings": asdict(findings),
            "size": len(content),
            "sha256": _checksum(findings, content),
        }
        self._write(self.path(key), _MAGIC + json.dumps(header).encode() + b"\n" + content)

    def load_choice(self, key: EngineKey) -> tuple[str, str] | None:
        """Precision and form that were the fastest for a key's model, machine and batch size."""
        try:
            choice = json.loads(_read_own(self._choice(key)))
            return str(choice["precision"]), str(choice["form"])
        except (OSError, CacheMiss, ValueError, TypeError, KeyError, RecursionError):
            return None

    def store_choice(self, key: EngineKey) -> None:
        """Note that a key's engine is the fastest for its model, machine and batch size.

        Raises:
            CacheWriteError: the folder cannot be written to, or the disk is full.
        """
        choice = {"model": key.model, "precision": key.precision, "form": key.form}
        self._write(self._choice(key), json.dumps(choice).encode())

    def load_kernels(self, machine: Machine, kind: str) -> bytes:
        """What TensorRT measured (`timings`) or compiled (`kernels`) on a machine; or nothing."""
        try:
            return _read_own(self._of_machine(machine, kind))
        except (OSError, CacheMiss):
            return b""

    def store_kernels(self, machine: Machine, kind: str, content: bytes) -> None:
        """Keep what TensorRT measured or compiled; nothing where there is nothing.

        Raises:
            CacheWriteError: the folder cannot be written to, or the disk is full.
        """
        if content:
            self._write(self._of_machine(machine, kind), content)

    @contextlib.contextmanager
    def locked(self, key: EngineKey) -> Iterator[bool]:
        """Hold the lock of a key, so that of several processes one builds; frees it at the end.

        Gives whether it had to wait, in which case the engine may be there by now.

        Raises:
            CacheWriteError: there can be no lock: the folder cannot be written to.
        """
        path = self.path(key).with_suffix(".lock")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _write_error(self.folder, error) from None
        try:
            yield _acquire(lock)
        finally:
            os.close(lock)

    def _choice(self, key: EngineKey) -> Path:
        family = {**asdict(key), "precision": None, "form": None}
        return self.folder / f"choice-{_digest(family)}.json"

    def _of_machine(self, machine: Machine, kind: str) -> Path:
        return self.folder / f"{kind}-{_digest(asdict(machine))}.bin"

    def _write(self, path: Path, content: bytes) -> None:
        try:
            write_bytes(path, content)
        except OSError as error:
            raise _write_error(self.folder, error) from None


def _read_own(path: Path) -> bytes:
    """The content of a file of this user or of root: it is code, and another user's is not run."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_uid not in (os.getuid(), 0):
            raise CacheMiss(f"{path} belongs to another user and is not used")
        return file.read()


def _acquire(lock: int) -> bool:
    """Take a lock, and say whether another had it; where a file system has no locks, go on."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return True
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise
    return False


def _unpack(path: Path, content: bytes, key: EngineKey) -> Kept:
    """What is in a file's content, if it is whole and the key's."""
    end = content.find(b"\n", len(_MAGIC), _LONGEST_HEADER)
    if not content.startswith(_MAGIC) or end < 0:
        raise CacheMiss(f"{path} is not an engine of hyperseg_ros")
    try:
        header = json.loads(content[len(_MAGIC) : end])
        found, size, checksum = header["key"], header["size"], header["sha256"]
        findings = Findings(**header["findings"])
        passed = findings.passed
    except (ValueError, TypeError, KeyError, RecursionError):
        raise CacheMiss(f"{path} is damaged") from None
    # JSON has no tuples: compare as it was written.
    if found != json.loads(json.dumps(asdict(key))):
        raise CacheMiss(f"{path} is of another model, TensorRT or GPU")
    engine = content[end + 1 :]
    if len(engine) != size:
        raise CacheMiss(f"{path} is cut short: {len(engine)} of {size} bytes")
    if _checksum(findings, engine) != checksum or passed != bool(engine):
        raise CacheMiss(f"{path} is damaged")
    return Kept(engine, findings)


def _write_error(folder: Path, error: OSError) -> CacheWriteError:
    return CacheWriteError(f"cannot write to {folder}: {error.strerror}")


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _checksum(findings: Findings, content: bytes) -> str:
    return hashlib.sha256(json.dumps(asdict(findings)).encode() + content).hexdigest()
