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
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

FORMAT = 1
"""Raised when the same key must give another engine: another derivation, other build flags."""
_MAGIC = b"hyperseg engine\n"
_LONGEST_HEADER = 1 << 16
_FOLDER = "hyperseg_ros"


@dataclass(frozen=True)
class EngineKey:
    """All that an engine depends on."""

    model: str
    """What the model is called, for people."""
    model_sha256: str
    """Of the model file."""
    library: str
    """TensorRT's name and version."""
    device: str
    """The GPU's name."""
    compute_capability: tuple[int, int]
    precision: str
    batch_size: int
    workspace: int
    """Bytes that a layer may use: it decides which kernels come into question."""
    format: int = FORMAT

    def digest(self) -> str:
        """A name for the key, hexadecimal."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:16]

    def file_name(self) -> str:
        """A file name that tells people something too."""
        words = f"{self.model}-{self.precision}-batch{self.batch_size}"
        return f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', words)}-{self.digest()}.engine"


class CacheMiss(Exception):  # noqa: N818 - it is no error: there is another way
    """There is no engine to use; says why."""


class CacheWriteError(OSError):
    """An engine or a lock cannot be written; says where and why."""


def default_folder() -> Path:
    """`$XDG_CACHE_HOME/hyperseg_ros`, by the XDG base directory specification.

    Without a home folder, as under a bare service manager, a folder that cannot be written to: no
    engine is kept.
    """
    configured = os.environ.get("XDG_CACHE_HOME", "")
    if Path(configured).is_absolute():
        return Path(configured, _FOLDER)
    try:
        return Path.home() / ".cache" / _FOLDER
    except RuntimeError:
        return Path(os.devnull, _FOLDER)


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

    def load(self, key: EngineKey) -> bytes:
        """The engine of a key.

        Raises:
            CacheMiss: there is none, or what is there must not be used.
        """
        path = self.path(key)
        try:
            with path.open("rb") as file:
                # An engine is code: another user's is not run.
                if os.fstat(file.fileno()).st_uid not in (os.getuid(), 0):
                    raise CacheMiss(f"{path} belongs to another user and is not used")
                content = file.read()
        except FileNotFoundError:
            raise CacheMiss("there is no engine in the cache yet") from None
        except OSError as error:
            raise CacheMiss(f"cannot read {path}: {error.strerror}") from None
        return _unpack(path, content, key)

    def store(self, key: EngineKey, engine: bytes) -> None:
        """Keep an engine; a reader sees all of it or nothing.

        Raises:
            CacheWriteError: the folder cannot be written to, or the disk is full.
        """
        header = {"key": asdict(key), "size": len(engine), "sha256": _sha256(engine)}
        self._write(self.path(key), _MAGIC + json.dumps(header).encode() + b"\n" + engine)

    def load_timings(self, key: EngineKey) -> bytes:
        """What earlier builds for the same GPU and TensorRT measured; empty where nothing is."""
        try:
            return self._timings(key).read_bytes()
        except OSError:
            return b""

    def store_timings(self, key: EngineKey, timings: bytes) -> None:
        """Keep what a build measured.

        Raises:
            CacheWriteError: the folder cannot be written to, or the disk is full.
        """
        self._write(self._timings(key), timings)

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

    def _timings(self, key: EngineKey) -> Path:
        machine = (key.library, key.device, key.compute_capability)
        digest = hashlib.sha256(json.dumps(machine).encode()).hexdigest()[:16]
        return self.folder / f"timings-{digest}.bin"

    def _write(self, path: Path, content: bytes) -> None:
        temporary: str | None = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=self.folder)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except OSError as error:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
            raise _write_error(self.folder, error) from None


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


def _unpack(path: Path, content: bytes, key: EngineKey) -> bytes:
    """The engine in a file's content, if it is whole and the key's."""
    end = content.find(b"\n", len(_MAGIC), _LONGEST_HEADER)
    if not content.startswith(_MAGIC) or end < 0:
        raise CacheMiss(f"{path} is not an engine of hyperseg_ros")
    try:
        header = json.loads(content[len(_MAGIC) : end])
        found, size, checksum = header["key"], header["size"], header["sha256"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise CacheMiss(f"{path} is damaged") from None
    # JSON has no tuples: compare as it was written.
    if found != json.loads(json.dumps(asdict(key))):
        raise CacheMiss(f"{path} is of another model, TensorRT or GPU")
    engine = content[end + 1 :]
    if len(engine) != size:
        raise CacheMiss(f"{path} is cut short: {len(engine)} of {size} bytes")
    if _sha256(engine) != checksum:
        raise CacheMiss(f"{path} is damaged")
    return engine


def _write_error(folder: Path, error: OSError) -> CacheWriteError:
    return CacheWriteError(f"cannot write to {folder}: {error.strerror}")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
