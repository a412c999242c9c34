import fcntl
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hyperseg_ros.runtime.backends.compiled_models import (
    alone_in,
    drop_damaged,
    folder_of,
    prune,
    seal,
)


def blob(folder, name, size, used):
    file = folder / f"{name}.blob"
    file.write_bytes(bytes(size))
    os.utime(file, (used, used - 10))
    return file


def names(folder):
    return {file.name for file in folder.iterdir()}


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    for name, used in (("old", 100), ("new", 300), ("middle", 200)):
        blob(tmp_path, name, 40, used)
    (tmp_path / "notes.txt").write_text("of somebody else")
    prune(tmp_path, 100)
    assert names(tmp_path) == {"middle.blob", "new.blob", "notes.txt"}
    prune(tmp_path, 80)
    assert names(tmp_path) == {"middle.blob", "new.blob", "notes.txt"}


def test_the_last_used_stays_however_large_it_is(tmp_path):
    blob(tmp_path, "large", 1000, 200)
    blob(tmp_path, "small", 10, 100)
    prune(tmp_path, 100)
    assert names(tmp_path) == {"large.blob"}


def test_a_missing_folder_is_an_empty_one(tmp_path):
    prune(tmp_path / "nowhere")
    drop_damaged(tmp_path / "nowhere")
    assert not seal(tmp_path / "nowhere")


def test_a_folder_goes_with_its_last_model(tmp_path):
    for name, used in (("old", 100), ("new", 200)):
        (tmp_path / name).mkdir()
        blob(tmp_path / name, name, 40, used)
        assert seal(tmp_path / name)
    prune(tmp_path, 50)
    assert names(tmp_path) == {"new"}
    assert names(tmp_path / "new") == {"new.blob", "new.crc32"}


def test_what_changed_since_it_was_sealed_is_dropped(tmp_path):
    for name in ("good", "changed", "longer"):
        blob(tmp_path, name, 100, 100)
    assert seal(tmp_path)
    (tmp_path / "changed.blob").write_bytes(bytes(50) + b"\1" + bytes(49))
    (tmp_path / "longer.blob").write_bytes(bytes(101))
    blob(tmp_path, "half_written", 10, 100)
    drop_damaged(tmp_path)
    assert names(tmp_path) == {"good.blob", "good.crc32"}


def test_a_seal_is_renewed_where_that_is_asked_for(tmp_path):
    file = blob(tmp_path, "model", 100, 100)
    assert seal(tmp_path)
    for renew, left in ((True, {"model.blob", "model.crc32"}), (False, set())):
        file.write_bytes(bytes([renew]) * 60)
        assert seal(tmp_path, renew=renew)
        drop_damaged(tmp_path)
        assert names(tmp_path) == left


def test_one_thread_at_a_time_is_in_a_folder(tmp_path):
    inside, most = [], []

    def enter(number):
        with alone_in(tmp_path / "folder"):
            inside.append(number)
            time.sleep(0.01)
            most.append(len(inside))
            inside.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(enter, range(8)))
    assert most == [1] * 8
    assert names(tmp_path) == {"folder.lock"}


def test_another_process_is_kept_out_of_a_folder_and_of_no_other_one(tmp_path):
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from hyperseg_ros.runtime.backends.compiled_models import alone_in\n"
        "with alone_in(Path(sys.argv[1])):\n"
        "    print('inside', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "one")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout.readline() == "inside\n"
        with (tmp_path / "one.lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with alone_in(tmp_path / "another"):
            pass
        other.communicate("")
    with alone_in(tmp_path / "one"):
        pass


def test_an_error_lets_the_next_one_in(tmp_path):
    for _ in range(2):
        with pytest.raises(KeyError), alone_in(tmp_path / "folder"):
            raise KeyError
    with pytest.raises(FileNotFoundError), alone_in(tmp_path / "nowhere" / "folder"):
        pass


def test_each_model_and_way_has_a_folder(tmp_path):
    model, folders = tmp_path / "model.onnx", set()
    for content in (b"one", b"another"):
        model.write_bytes(content)
        for ways in (("cpu", "bf16", 0), ("cpu", "fp32", 0), ("cpu", "fp32", 1)):
            assert folder_of(model, tmp_path, *ways) == folder_of(model, tmp_path, *ways)
            folders.add(folder_of(model, tmp_path, *ways))
    assert len(folders) == 6
    assert {folder.parent for folder in folders} == {tmp_path}
