import os

from hyperseg_ros.runtime.backends.compiled_models import prune


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
