"""What cannot be learned from is refused before the first step, and what is odd is told."""

import cv2
import numpy as np
import pytest

from hyperseg_ros.training.config import DataConfig, TrainingConfig
from hyperseg_ros.training.datasets import DatasetError
from hyperseg_ros.training.sources import load_data

TABLE = "{name: ground, color: [0, 9, 0]}, {name: path, color: [9, 0, 0]}"


@pytest.fixture
def load(tmp_path):
    """Loads a folder whose splits hold one image each, of these labels."""

    def load(train, val=(0, 1), table=TABLE, val_split="val", **data):
        (tmp_path / "classes.yaml").write_text(f"classes: [{table}]")
        for split, ids in (("train", train), ("val", val)):
            for kind in ("images", "labels"):
                (tmp_path / split / kind).mkdir(parents=True, exist_ok=True)
            picture = np.resize(np.array(ids, np.uint8), (8, 8))
            cv2.imwrite(str(tmp_path / split / "labels" / "a.png"), picture)
            cv2.imwrite(str(tmp_path / split / "images" / "a.png"), picture * 100 + 55)
        options = {"batch_size": 1, "val": val_split, **data}
        data_config = DataConfig(dataset="folder", root=tmp_path, **options)
        return load_data(TrainingConfig(data=data_config))

    return load


@pytest.mark.parametrize(
    ("train", "table", "reason"),
    [
        ([0, 0], TABLE, "every labelled pixel is ground"),
        ([0, 255], TABLE, "every labelled pixel is ground: .*; the masks hold only 0 and 255"),
        ([255], TABLE, "no pixel has a label"),
        ([0], "{name: path, color: [0, 0, 0]}", "there is one class, path"),
    ],
)
def test_a_set_that_teaches_nothing_is_refused(load, train, table, reason):
    with pytest.raises(DatasetError, match=f"/train: {reason}"):
        load(train, table=table)


def test_a_class_without_pixels_is_told(load, capsys):
    table = f"{TABLE}, {{name: rare, color: [7, 7, 7]}}"
    load([0, 1], table=table)
    printed = capsys.readouterr().out
    assert "/train: classes that no pixel has: rare\n" in printed
    assert "/val: classes that no pixel has: rare; the mean leaves them out" in printed


def test_a_validation_set_without_labels_is_told(load, capsys):
    load([0, 1], val=[255])
    assert "/val: no pixel has a label: it gives no figure" in capsys.readouterr().out


def test_too_few_images_are_told_before_any_is_read(load, capsys):
    with pytest.raises(DatasetError, match="1 images do not fill one batch of 8"):
        load([0, 1], batch_size=8)
    assert "loading images" not in capsys.readouterr().out


def test_a_missing_validation_split_is_told_before_any_is_read(load, tmp_path, capsys):
    load([0, 1])
    capsys.readouterr()
    with pytest.raises(DatasetError, match=r"later/images: no such folder.*: data\.val=''$"):
        load([0, 1], val_split="later")
    assert "loading images" not in capsys.readouterr().out
