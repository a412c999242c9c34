import os

from hyperseg_ros.runtime.backends.compiled_models import drop_damaged, folder_of, prune, seal


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


def test_each_model_and_way_has_a_folder(tmp_path):
    model, folders = tmp_path / "model.onnx", set()
    for content in (b"one", b"another"):
        model.write_bytes(content)
        for ways in (("cpu", "bf16", 0), ("cpu", "fp32", 0), ("cpu", "fp32", 1)):
            assert folder_of(model, tmp_path, *ways) == folder_of(model, tmp_path, *ways)
            folders.add(folder_of(model, tmp_path, *ways))
    assert len(folders) == 6
    assert {folder.parent for folder in folders} == {tmp_path}
