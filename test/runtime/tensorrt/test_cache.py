"""The cache of engines: what is in it is used only when it is whole, ours and for this machine."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.runtime.backends.tensorrt.cache import (
    CacheMiss,
    CacheWriteError,
    EngineCache,
    EngineKey,
    default_folder,
)

KEY = EngineKey(
    model="street model",
    model_sha256="ab" * 32,
    library="TensorRT 10.3.0",
    device="Orin",
    compute_capability=(8, 7),
    precision="fp16",
    batch_size=1,
    workspace=1 << 30,
)
ENGINE = bytes(range(256)) * 20

needs_user = pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")


@pytest.fixture
def cache(tmp_path):
    return EngineCache(tmp_path / "engines")


def test_what_is_stored_is_loaded(cache):
    cache.store(KEY, ENGINE)
    assert cache.load(KEY) == ENGINE
    assert cache.path(KEY).name.startswith("street_model-fp16-batch1-")
    assert [path.name for path in cache.folder.iterdir()] == [cache.path(KEY).name]


def test_nothing_stored_is_a_miss(cache):
    with pytest.raises(CacheMiss, match="no engine in the cache yet"):
        cache.load(KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"model_sha256": "cd" * 32},
        {"library": "TensorRT 10.7.0"},
        {"device": "Orin Nano"},
        {"compute_capability": (8, 6)},
        {"precision": "fp32"},
        {"batch_size": 4},
        {"workspace": 1 << 28},
        {"format": 0},
    ],
)
def test_every_part_of_the_key_counts(cache, change):
    cache.store(KEY, ENGINE)
    other = replace(KEY, **change)
    with pytest.raises(CacheMiss, match="no engine"):
        cache.load(other)
    # Nor is a file taken at its name.
    cache.path(KEY).rename(cache.path(other))
    with pytest.raises(CacheMiss, match="of another model, TensorRT or GPU"):
        cache.load(other)


@given(keep=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_a_miss(tmp_path_factory, keep):
    cache = EngineCache(tmp_path_factory.mktemp("engines"))
    cache.store(KEY, ENGINE)
    content = cache.path(KEY).read_bytes()
    cache.path(KEY).write_bytes(content[: int(keep * len(content))])
    with pytest.raises(CacheMiss, match=r"cut short|not an engine|damaged"):
        cache.load(KEY)


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_a_miss(tmp_path_factory, position, bit):
    cache = EngineCache(tmp_path_factory.mktemp("engines"))
    cache.store(KEY, ENGINE)
    content = bytearray(cache.path(KEY).read_bytes())
    content[position % len(content)] ^= 1 << bit
    cache.path(KEY).write_bytes(content)
    with pytest.raises(CacheMiss):
        cache.load(KEY)


@given(content=st.binary(max_size=200))
def test_any_other_file_is_a_miss(tmp_path_factory, content):
    cache = EngineCache(tmp_path_factory.mktemp("engines"))
    for start in (b"", b"hyperseg engine\n"):
        cache.path(KEY).write_bytes(start + content)
        with pytest.raises(CacheMiss):
            cache.load(KEY)


def test_a_header_that_is_json_but_no_header_is_a_miss(cache):
    cache.folder.mkdir()
    for header in ([], {}, {"key": 1, "size": "x", "sha256": None}, "key"):
        text = json.dumps(header).encode()
        cache.path(KEY).write_bytes(b"hyperseg engine\n" + text + b"\n" + ENGINE)
        with pytest.raises(CacheMiss):
            cache.load(KEY)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = EngineCache(tmp_path / "file" / "engines")
    with pytest.raises(CacheWriteError, match=r"cannot write to .*engines: Not a directory"):
        cache.store(KEY, ENGINE)
    with pytest.raises(CacheWriteError), cache.locked(KEY):
        pass
    with pytest.raises(CacheMiss, match="cannot read"):
        cache.load(KEY)


@needs_user
def test_a_read_only_folder_is_one_sentence(cache):
    cache.folder.mkdir(mode=0o500)
    with pytest.raises(CacheWriteError, match="Permission denied"):
        cache.store(KEY, ENGINE)


def test_a_full_disk_leaves_the_old_engine_and_no_debris(cache, monkeypatch):
    cache.store(KEY, ENGINE)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CacheWriteError, match="No space left on device"):
        cache.store(KEY, ENGINE * 2)
    assert cache.load(KEY) == ENGINE
    assert len(list(cache.folder.iterdir())) == 1


def test_the_engine_of_another_user_is_not_run(cache, monkeypatch):
    cache.store(KEY, ENGINE)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    if cache.path(KEY).stat().st_uid == 0:
        assert cache.load(KEY) == ENGINE  # root's is trusted
        os.chown(cache.path(KEY), 54321, -1)
    with pytest.raises(CacheMiss, match="belongs to another user"):
        cache.load(KEY)


def test_one_of_two_builds_and_the_other_waits(cache):
    order = []
    inside, go_on = threading.Event(), threading.Event()

    def first():
        with cache.locked(KEY) as waited:
            order.append(("first", waited))
            inside.set()
            go_on.wait(10)
            order.append(("first is done", None))

    def second():
        inside.wait(10)
        with cache.locked(KEY) as waited:
            order.append(("second", waited))

    threads = [threading.Thread(target=target) for target in (first, second)]
    for thread in threads:
        thread.start()
    inside.wait(10)
    threads[1].join(0.2)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert order == [("first", False), ("first is done", None), ("second", True)]


def test_the_lock_of_a_process_that_died_is_free(cache):
    program = f"""
import fcntl, os, sys
cache = {str(cache.path(KEY).with_suffix(".lock"))!r}
os.makedirs(os.path.dirname(cache))
lock = os.open(cache, os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    process.kill()
    process.communicate()
    with cache.locked(KEY) as waited:
        assert not waited


def test_timings_are_shared_by_the_models_of_a_machine(cache):
    assert cache.load_timings(KEY) == b""
    cache.store_timings(KEY, b"measured")
    assert cache.load_timings(replace(KEY, model_sha256="cd" * 32, precision="fp32")) == b"measured"
    assert cache.load_timings(replace(KEY, library="TensorRT 11.0")) == b""
    assert cache.load_timings(replace(KEY, device="Thor")) == b""


def test_the_folder_is_the_desktops(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "hyperseg_ros"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_folder() == tmp_path / "home" / ".cache" / "hyperseg_ros"
