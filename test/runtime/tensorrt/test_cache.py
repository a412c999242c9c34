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
    Findings,
    Machine,
    default_folder,
)

MACHINE = Machine(
    library="TensorRT 10.3.0",
    device="Orin",
    compute_capability=(8, 7),
    multiprocessors=8,
    memory=8 << 30,
    driver="12.6",
)
KEY = EngineKey(
    model="street model",
    model_sha256="ab" * 32,
    machine=MACHINE,
    precision="fp16",
    form="product",
    batch_size=1,
)
ENGINE = bytes(range(256)) * 20
PASSED = Findings(agreement=0.9996, required=0.98, milliseconds=2.5, mapped=True)

needs_user = pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")


@pytest.fixture
def cache(tmp_path):
    return EngineCache(tmp_path / "engines")


def test_what_is_stored_is_loaded(cache):
    cache.store(KEY, ENGINE, PASSED)
    kept = cache.load(KEY)
    assert kept.engine == ENGINE
    assert kept.findings == PASSED
    assert cache.path(KEY).name.startswith("street_model-fp16-product-batch1-")
    assert [path.name for path in cache.folder.iterdir()] == [cache.path(KEY).name]


def test_nothing_stored_is_a_miss(cache):
    with pytest.raises(CacheMiss, match="no engine in the cache yet"):
        cache.load(KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"model_sha256": "cd" * 32},
        {"machine": replace(MACHINE, library="TensorRT 10.3.1")},
        {"machine": replace(MACHINE, device="Orin Nano")},
        {"machine": replace(MACHINE, compute_capability=(8, 6))},
        {"machine": replace(MACHINE, multiprocessors=16)},
        {"machine": replace(MACHINE, memory=16 << 30)},
        {"machine": replace(MACHINE, driver="12.8")},
        {"precision": "fp32"},
        {"form": "convolution"},
        {"batch_size": 4},
        {"format": 0},
    ],
)
def test_every_part_of_the_key_counts(cache, change):
    cache.store(KEY, ENGINE, PASSED)
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
    cache.store(KEY, ENGINE, PASSED)
    content = cache.path(KEY).read_bytes()
    cache.path(KEY).write_bytes(content[: int(keep * len(content))])
    with pytest.raises(CacheMiss, match=r"cut short|not an engine|damaged"):
        cache.load(KEY)


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_a_miss(tmp_path_factory, position, bit):
    cache = EngineCache(tmp_path_factory.mktemp("engines"))
    cache.store(KEY, ENGINE, PASSED)
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
        cache.store(KEY, ENGINE, PASSED)
    with pytest.raises(CacheWriteError), cache.locked(KEY):
        pass
    with pytest.raises(CacheMiss, match="cannot read"):
        cache.load(KEY)


@needs_user
def test_a_read_only_folder_is_one_sentence(cache):
    cache.folder.mkdir(mode=0o500)
    with pytest.raises(CacheWriteError, match="Permission denied"):
        cache.store(KEY, ENGINE, PASSED)


def test_a_full_disk_leaves_the_old_engine_and_no_debris(cache, monkeypatch):
    cache.store(KEY, ENGINE, PASSED)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CacheWriteError, match="No space left on device"):
        cache.store(KEY, ENGINE * 2, PASSED)
    assert cache.load(KEY).engine == ENGINE
    assert len(list(cache.folder.iterdir())) == 1


def test_the_engine_of_another_user_is_not_run(cache, monkeypatch):
    cache.store(KEY, ENGINE, PASSED)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    if cache.path(KEY).stat().st_uid == 0:
        assert cache.load(KEY).engine == ENGINE  # root's is trusted
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


def test_of_an_engine_that_did_not_pass_only_the_verdict_is_kept(cache):
    failed = replace(PASSED, agreement=0.61)
    cache.store(KEY, ENGINE, failed)
    kept = cache.load(KEY)
    assert kept.engine == b""
    assert kept.findings == failed
    assert not kept.findings.passed


def test_an_engine_that_nobody_verified_is_a_miss(cache):
    cache.store(KEY, ENGINE, PASSED)
    content = cache.path(KEY).read_bytes()
    for verdict in (b"{}", b'{"agreement": 0.5, "required": 0.98}', b'{"agreement": "x"}', b"[1]"):
        start, _, rest = content.partition(b'"findings": {')
        changed = start + b'"findings": ' + verdict + rest[rest.index(b"}") + 1 :]
        cache.path(KEY).write_bytes(changed)
        with pytest.raises(CacheMiss, match="is damaged"):
            cache.load(KEY)


def test_the_fastest_is_chosen_for_a_model_on_a_machine(cache):
    assert cache.load_choice(KEY) is None
    cache.store_choice(replace(KEY, precision="int8", form="convolution"))
    assert cache.load_choice(KEY) == ("int8", "convolution")
    assert cache.load_choice(replace(KEY, model_sha256="cd" * 32)) is None
    assert cache.load_choice(replace(KEY, machine=replace(MACHINE, memory=1))) is None
    for content in (b"", b"[]", b'{"precision": 1}', b"\xff", b"null"):
        (choice,) = cache.folder.glob("choice-*.json")
        choice.write_bytes(content)
        assert cache.load_choice(KEY) is None


@pytest.mark.parametrize("kind", ["timings", "kernels"])
def test_what_was_measured_or_compiled_is_shared_by_the_models_of_a_machine(cache, kind):
    assert cache.load_kernels(MACHINE, kind) == b""
    cache.store_kernels(MACHINE, kind, b"")
    assert not cache.folder.exists()
    cache.store_kernels(MACHINE, kind, b"content")
    assert cache.load_kernels(MACHINE, kind) == b"content"
    assert cache.load_kernels(MACHINE, "other") == b""
    assert cache.load_kernels(replace(MACHINE, library="TensorRT 11.0"), kind) == b""
    assert cache.load_kernels(replace(MACHINE, device="Thor"), kind) == b""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_kernels_of_another_user_are_not_run(cache, monkeypatch):
    cache.store_kernels(MACHINE, "kernels", b"content")
    (file,) = cache.folder.iterdir()
    os.chown(file, 54321, -1)
    assert cache.load_kernels(MACHINE, "kernels") == b""


def test_the_folder_is_the_desktops(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "hyperseg_ros"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_folder() == tmp_path / "home" / ".cache" / "hyperseg_ros"
