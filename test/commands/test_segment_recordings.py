from __future__ import annotations

import bags
import pytest

import models
from hyperseg_ros import cli
from hyperseg_ros.recordings.reading import Recording


@pytest.fixture
def model(tmp_path):
    return str(models.write_palette_model(tmp_path / "palette.onnx", input_size=(48, 64)))


def frames_in(bag):
    with Recording(bag) as recording:
        return {topic.name: topic.messages for topic in recording.topics}


def test_a_recording_becomes_a_bag(tmp_path, model, capsys):
    source = bags.write(tmp_path / "drive", bags.frames(5))

    status = cli.main(["segment", model, str(source), "--output", str(tmp_path / "out")])

    said = capsys.readouterr().out
    assert status == 0
    assert "5           0" in said
    assert "complete" in said
    assert frames_in(tmp_path / "out")["/front/segmentation/label"] == 5


def test_several_recordings_become_bags_of_their_names(tmp_path, model):
    sources = [str(bags.write(tmp_path / name, bags.frames(2))) for name in ("a", "b")]

    assert cli.main(["segment", model, *sources, "--output", str(tmp_path / "out")]) == 0

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "b"]


def test_a_bad_image_is_named_and_the_exit_status_says_so(tmp_path, model, capsys):
    messages = bags.frames(3)
    messages[1][3].encoding = "plaid8"
    source = bags.write(tmp_path / "drive", messages)

    status = cli.main(["segment", model, str(source), "--output", str(tmp_path / "out")])

    said = capsys.readouterr().out
    assert status == 1
    assert "bad image on /front/image_raw at 2023-11-14 22:13:20 UTC (1700000000.101)" in said
    assert "plaid8" in said
    assert frames_in(tmp_path / "out")["/front/segmentation/label"] == 2


def test_a_recording_cut_short_is_told_with_its_count(tmp_path, model, capsys):
    source = bags.write(tmp_path / "drive", bags.frames(3))
    (source / "metadata.yaml").unlink()

    status = cli.main(["segment", model, str(source), "--output", str(tmp_path / "out")])

    assert status == 1
    assert "3 frames of it are segmented" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["street.jpg"], "street.jpg is not: segment them apart"),
        (["--topics", "/front/image"], "did you mean /front/image_raw?"),
        (["--outputs", "mask", "--masks", "rode"], "did you mean 'road'?"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_done(tmp_path, model, capsys, extra, said):
    source = bags.write(tmp_path / "drive", bags.frames(1))
    output = ["--output", str(tmp_path / "out")]

    status = cli.main(["segment", model, str(source), *output, *extra])

    assert status == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_recordings_of_the_same_name_would_overwrite_each_other(tmp_path, model, capsys):
    sources = [str(bags.write(tmp_path / name / "drive", bags.frames(1))) for name in ("a", "b")]

    status = cli.main(["segment", model, *sources, "--output", str(tmp_path / "out")])

    assert status == 2
    assert "have the same name" in capsys.readouterr().err


def test_frames_are_selected_into_a_data_set(tmp_path, model, capsys):
    source = bags.write(tmp_path / "drive", bags.frames(30))
    data = tmp_path / "data"

    often = ["--interval", "0.2", "--apart", "0.5"]
    status = cli.main(
        ["select", str(source), "--model", model, "--count", "3", "--output", str(data), *often]
    )

    assert status == 0
    assert len(list((data / "train" / "images").iterdir())) == 3
    assert f"3 frames in {data}" in capsys.readouterr().out


def test_too_few_frames_are_said(tmp_path, model, capsys):
    source = bags.write(tmp_path / "drive", bags.frames(10))
    data = tmp_path / "data"

    status = cli.main(
        ["select", str(source), "--model", model, "--count", "9", "--output", str(data)]
    )

    assert status == 1
    assert "9 were asked for" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "compressed"),
    [([], True), (["--compression", "none"], False), (["--storage", "sqlite3"], False)],
)
def test_a_bag_is_compressed_where_its_storage_can_be(tmp_path, model, words, compressed):
    source = bags.write(tmp_path / "drive", bags.frames(5))

    assert cli.main(["segment", model, str(source), "--output", str(tmp_path / "out"), *words]) == 0

    assert frames_in(tmp_path / "out")["/front/segmentation/label"] == 5
    (file,) = (path for path in (tmp_path / "out").iterdir() if path.suffix in (".mcap", ".db3"))
    assert (b"zstd" in file.read_bytes()) == compressed
