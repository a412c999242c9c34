import pytest
from disks import full_disk

from hyperseg_ros.files import check_growth, disk_is_full, write_bytes, write_text, writing


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def test_a_file_is_written_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "new" / "report.json"
    write_text(path, "Grüße")
    assert path.read_bytes() == "Grüße".encode()
    write_bytes(path, b"second")
    assert path.read_bytes() == b"second"
    assert names_in(path.parent) == ["report.json"]


def test_the_temporary_file_has_the_suffix_that_encoders_go_by(tmp_path):
    with writing(tmp_path / "drive.mp4") as temporary:
        assert temporary.suffix == ".mp4"
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"video")
    assert names_in(tmp_path) == ["drive.mp4"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path, error):
    path = tmp_path / "report.json"
    path.write_text("old")

    def fail(temporary):
        temporary.write_text("half of the n")
        raise error

    with pytest.raises(error), writing(path) as temporary:
        fail(temporary)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["report.json"]


def test_what_does_not_verify_does_not_take_the_place(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_text("old")

    def verify(temporary):
        raise ValueError(f"not a model: {temporary.read_text()}")

    with pytest.raises(ValueError, match="not a model: new"), writing(path, verify) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["model.onnx"]


def test_nothing_written_is_an_error(tmp_path):
    with pytest.raises(OSError, match="nothing was written"), writing(tmp_path / "drive.mp4"):
        pass
    assert names_in(tmp_path) == []


def test_a_link_still_leads_to_the_file(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_permissions_are_those_of_the_old_file_or_as_the_user_wants_them(tmp_path):
    path = tmp_path / "report.json"
    plain = tmp_path / "plain"
    plain.write_text("as the umask says")
    write_text(path, "new")
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o640)
    write_text(path, "newer")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(OSError, match="File too large"), full_disk(1000):
        write_bytes(path, bytes(5000))
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["report.json"]


def test_what_is_no_file_is_not_replaced(tmp_path):
    with pytest.raises(OSError, match="it exists and is not a file"):
        write_text("/dev/null", "text")
    with pytest.raises(OSError, match="it exists and is not a file"):
        write_text(tmp_path, "text")


def test_whether_a_file_can_grow_leaves_it_as_it_is(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"content")
    check_growth(path)
    with pytest.raises(OSError, match="File too large") as caught, full_disk(1000):
        check_growth(path)
    assert disk_is_full(caught.value)
    assert path.read_bytes() == b"content"


def test_what_has_no_place_is_named(tmp_path):
    path = tmp_path / "a.bin"
    with pytest.raises(OSError, match=r"File too large: '.*a\.bin'"), full_disk(1000):
        write_bytes(path, bytes(2000))
