"""Names that programs have changed are still pairs, and what was assumed is said."""

import re
import unicodedata

import cv2
import numpy as np
import pytest

from hyperseg_ros.training.datasets import DatasetError
from hyperseg_ros.training.datasets.pairing import pair_files

PIXELS = np.zeros((2, 2), np.uint8)


@pytest.fixture
def paired(tmp_path):
    """Writes files of these names to two folders, and pairs them."""

    def pair(images, labels):
        for folder, names in (("images", images), ("labels", labels)):
            (tmp_path / folder).mkdir()
            for name in names:
                cv2.imwrite(str(tmp_path / folder / name), PIXELS)
        pairing = pair_files(tmp_path / "images", tmp_path / "labels", "hint")
        names = [(image.name, label.name) for image, label in pairing.pairs]
        return names, [path.name for path, _ in pairing.unpaired], pairing.notes

    return pair


def test_equal_names_are_pairs_without_a_word(paired):
    pairs, unpaired, notes = paired(["b.jpg", "a.JPG"], ["a.png", "b.png"])
    assert pairs == [("a.JPG", "a.png"), ("b.jpg", "b.png")]
    assert unpaired == notes == []


@pytest.mark.parametrize(
    ("images", "labels", "difference"),
    [
        (["f1.jpg", "f2.jpg"], ["f1_mask.png", "f2_mask.png"], "(NAME and NAME_mask)"),
        (["f1.jpg"], ["f1_mask.png"], "(NAME and NAME_mask)"),
        (["f1.jpg", "f2.jpg"], ["f1.jpg.png", "f2.jpg.png"], "(NAME and NAME.jpg)"),
        (["f1.jpg", "f2.jpg"], ["mask_f1.png", "mask_f2.png"], "(NAME and mask_NAME)"),
        (["f1_rgb.jpg", "f2_rgb.jpg"], ["f1_seg.png", "f2_seg.png"], "(NAME_rgb and NAME_seg)"),
        (["rgb_01.jpg", "rgb_02.jpg"], ["id_01.png", "id_02.png"], "(rgb_NAME and id_NAME)"),
        (["F1.JPG", "F2.JPG"], ["f1.png", "f2.png"], "case"),
        (
            [unicodedata.normalize("NFD", "ö1.jpg"), "f2.jpg"],
            [unicodedata.normalize("NFC", "ö1.png"), "f2.png"],
            "Unicode form",
        ),
    ],
)
def test_names_that_differ_in_one_way_are_pairs_with_one_note(paired, images, labels, difference):
    pairs, unpaired, (note,) = paired(images, labels)
    assert len(pairs) == len(images)
    assert {image for image, _ in pairs} == set(images)
    assert all(re.findall(r"\d", image) == re.findall(r"\d", label) for image, label in pairs)
    assert unpaired == []
    assert difference in note


def test_a_suffix_pairs_what_it_can_and_leaves_the_rest(paired):
    pairs, unpaired, _ = paired(["f1.jpg", "f3.jpg"], ["f1_mask.png", "g2.png"])
    assert pairs == [("f1.jpg", "f1_mask.png")]
    assert unpaired == ["f3.jpg", "g2.png"]


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (["1.jpg", "2.jpg"], ["10.png", "20.png"]),  # numbers, not a suffix
        (["f10.jpg", "f20.jpg"], ["f11.png", "f21.png"]),
        (["a.jpg", "A.jpg"], ["a_.bmp", "aA.bmp"]),  # two candidates
    ],
)
def test_names_are_not_guessed(paired, images, labels):
    pairs, unpaired, notes = paired(images, labels)
    assert pairs == notes == []
    assert len(unpaired) == 4


def test_resource_forks_of_macos_are_one_note_a_folder(paired, tmp_path):
    (tmp_path / "images").mkdir()
    for number in range(3):
        (tmp_path / "images" / f"._f{number}.jpg").write_bytes(b"\0\5\x16\7Mac OS X")
    (tmp_path / "labels").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "f0.jpg"), PIXELS)
    cv2.imwrite(str(tmp_path / "labels" / "f0.png"), PIXELS)
    pairing = pair_files(tmp_path / "images", tmp_path / "labels", "hint")
    assert [image.name for image, _ in pairing.pairs] == ["f0.jpg"]
    assert pairing.unpaired == []
    assert pairing.notes == [f"{tmp_path / 'images'}: 3 files ._NAME of macOS are ignored"]


def test_images_in_sub_folders_are_told(paired, tmp_path):
    (tmp_path / "images" / "drive1").mkdir(parents=True)
    (tmp_path / "labels").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "drive1" / "f0.jpg"), PIXELS)
    with pytest.raises(DatasetError, match="no images in this folder; its sub-folders hold 1"):
        pair_files(tmp_path / "images", tmp_path / "labels", "hint")


def test_a_folder_of_other_kinds_says_what_it_holds(paired, tmp_path):
    for folder, name in (("images", "a.heic"), ("images", "b.heic"), ("labels", "a.json")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"no images in this folder but files .*\(2 \.heic\)"):
        pair_files(tmp_path / "images", tmp_path / "labels", "hint")
    cv2.imwrite(str(tmp_path / "images" / "a.png"), PIXELS)
    pairing = pair_files(tmp_path / "images", tmp_path / "labels", "hint")
    (note,) = pairing.notes
    assert "no masks in this folder but files of other kinds (1 .json)" in note
    assert "`hyperseg import` reads what annotation tools write" in note
