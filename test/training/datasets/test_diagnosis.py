"""The usual mistakes in masks are named by their pattern, by the check and by loading."""

import cv2
import numpy as np
import pytest
from PIL import Image

from hyperseg_ros.commands.check import main as check
from hyperseg_ros.training.check import check as find
from hyperseg_ros.training.datasets import DatasetError, list_dataset, listing, load_dataset

TWO = "{name: background, color: [0, 0, 0]}, {name: object, color: [255, 0, 0]}"
THREE = (
    "{name: ground, color: [0, 0, 0]}, {name: path, color: [128, 64, 128]}, "
    "{name: grass, color: [60, 160, 60]}"
)
COLORS = np.array([(0, 0, 0), (128, 64, 128), (60, 160, 60)], np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Writes a split `train` of two images, with masks that `write(path, ids)` writes."""

    def make(classes, write, suffix=".png", count=3, extra="", image_type=np.uint8, light=1):
        (tmp_path / "classes.yaml").write_text(f"classes: [{classes}]\n{extra}")
        random = np.random.default_rng(0)
        for kind in ("images", "labels"):
            (tmp_path / "train" / kind).mkdir(parents=True)
        for name in ("a", "b"):
            ids = random.permutation(np.arange(48, dtype=np.uint8) % count)
            ids = ids.reshape(6, 8).repeat(8, 0).repeat(8, 1)
            image = (random.integers(0, 256, (48, 64, 3)) * light).astype(image_type)
            cv2.imwrite(str(tmp_path / "train" / "images" / f"{name}.png"), image)
            write(tmp_path / "train" / "labels" / f"{name}{suffix}", ids)
        return tmp_path

    return make


def save(change=lambda ids: ids, **options):
    return lambda path, ids: Image.fromarray(change(ids)).save(path, **options)


def rgb(change=lambda colors: colors):
    return save(lambda ids: change(COLORS[ids]))


def blur(colors):
    return cv2.GaussianBlur(colors, (0, 0), 3)


UNREADABLE = {
    "JPEG": (THREE, save(quality=90), ".jpg", 3, "2 label files are in a lossy format"),
    "lossy WebP": (THREE, save(quality=90), ".webp", 3, "2 label files are in a lossy format"),
    "JPEG by another name": (THREE, save(format="JPEG"), ".png", 3, "in a lossy format"),
    "grey ids": (
        THREE,
        save(lambda ids: ids[..., None].repeat(3, 2)),
        ".png",
        3,
        "2 label files of three channels hold ids as grey, R = G = B",
    ),
    "red ids": (
        THREE,
        save(lambda ids: np.stack([ids, 0 * ids, 0 * ids], 2)),
        ".png",
        3,
        "2 label files of three channels hold ids in the red channel",
    ),
    "swapped": (
        "{name: a, color: [9, 0, 3]}, {name: b, color: [0, 0, 7]}, {name: c, color: [1, 2, 3]}",
        save(lambda ids: np.array([(3, 0, 9), (7, 0, 0), (3, 2, 1)], np.uint8)[ids]),
        ".png",
        3,
        r"red and blue swapped, such as \(",
    ),
    "interpolated": (THREE, rgb(blur), ".png", 3, "values are of no class, far more than"),
    "stretched": (
        THREE,
        save(lambda ids: (ids.astype(int) * 255 // 2).astype(np.uint8)),
        ".png",
        3,
        "the ids are 0, 127, 255, numbers stretched to be seen",
    ),
    "from one on": (
        "{name: path, color: [1, 1, 1]}, {name: grass, color: [2, 2, 2]}",
        save(),
        ".png",
        3,
        "the ids go up to 2, but 2 classes have 0 to 1: they look shifted by one",
    ),
    "16 bits stretched": (
        THREE,
        lambda path, ids: cv2.imwrite(str(path), ids.astype(np.uint16) * 257),
        ".png",
        3,
        "multiples of 257",
    ),
    "fractions": (
        THREE,
        lambda path, ids: Image.fromarray(ids / np.float32(2)).save(path),
        ".tif",
        3,
        "ids are integers from 0 to 255, not 0.5",
    ),
}


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("case", UNREADABLE)
def test_masks_that_mean_something_else_are_refused(folder, case, in_memory, monkeypatch, capsys):
    classes, write, suffix, count, message = UNREADABLE[case]
    root = folder(classes, write, suffix, count)
    if not in_memory:
        monkeypatch.setattr(listing, "LARGEST_IN_MEMORY", 0)
    with pytest.raises(DatasetError, match=message):
        load_dataset("folder", root, "train", check_all=True)
    problems = " ".join(find(list_dataset("folder", root, "train")).problems)
    assert message.replace("\\", "") in problems
    assert check(["folder", "--root", str(root), "--split", "train"]) == 1


READABLE = {
    "lossless WebP": (THREE, save(lambda ids: COLORS[ids], lossless=True), ".webp"),
    "16 bits": (THREE, lambda path, ids: cv2.imwrite(str(path), ids.astype(np.uint16)), ".png"),
    "32 bits": (THREE, save(lambda ids: ids.astype(np.int32)), ".tif"),
    "floats": (THREE, save(lambda ids: ids.astype(np.float32)), ".tif"),
    "grey and alpha": (
        THREE,
        lambda path, ids: Image.merge(
            "LA", [Image.fromarray(ids), Image.fromarray(ids * 0 + 255)]
        ).save(path),
        ".png",
    ),
    "colours": (THREE, rgb(), ".png"),
}


@pytest.mark.parametrize("case", READABLE)
def test_every_exact_kind_of_mask_is_read(folder, case):
    classes, write, suffix = READABLE[case]
    written = []
    root = folder(classes, lambda path, ids: (written.append(ids), write(path, ids)), suffix)
    images = load_dataset("folder", root, "train", check_all=True)
    for labels, ids in zip(images.labels, written):
        np.testing.assert_array_equal(labels, ids)
    assert images.warnings == ()
    assert images.pixels == [2 * 1024, 2 * 1024, 2 * 1024]
    assert find(list_dataset("folder", root, "train")).problems == []


def test_one_bit_masks_are_ids(folder):
    root = folder(TWO, lambda path, ids: Image.fromarray(ids > 0).save(path), count=2)
    images = load_dataset("folder", root, "train")
    assert set(np.unique(images.labels[0])) == {0, 1}


def test_binary_masks_are_told_how_to_be_a_class(folder, capsys):
    root = folder(TWO, save(lambda ids: ids * 255), count=2)
    images = load_dataset("folder", root, "train")
    (warning,) = images.warnings
    assert "255 is no class here, so object has no pixel" in warning
    assert check(["folder", "--root", str(root), "--split", "train"]) == 1
    printed = capsys.readouterr().out
    assert "give the class of the masks `id: 255`" in printed
    assert "every labelled pixel is background" in printed
    table = TWO.replace("0, 0]}", "0, 0], id: 255}").replace("[0, 0, 0], id: 255", "[0, 0, 0]")
    (root / "classes.yaml").write_text(f"classes: [{table}]")
    assert check(["folder", "--root", str(root), "--split", "train"]) == 0


def test_ids_without_a_zero_are_asked_about(folder):
    found = find(list_dataset("folder", folder(THREE, save(lambda ids: ids % 2 + 1)), "train"))
    assert "no pixel has the id 0, which is ground: if the files count" in found.problems[0]
    assert found.problems[1:] == ["classes that no pixel has: ground"]


@pytest.mark.parametrize(
    ("image_type", "light", "expected"),
    [
        (np.uint16, 16, "2 images have 16 bits per channel but use an eighth of their range"),
        (np.uint16, 257, None),
        (np.uint8, 0.1, "no image has a value above 25 of 255"),
        (np.uint8, 1, None),
    ],
)
@pytest.mark.parametrize("in_memory", [True, False])
def test_images_too_dark_to_be_right_are_told(
    folder, image_type, light, expected, in_memory, monkeypatch
):
    root = folder(THREE, save(), image_type=image_type, light=light)
    problems = find(list_dataset("folder", root, "train")).problems
    assert [expected in problem for problem in problems] == [True] * (expected is not None)
    if not in_memory:
        monkeypatch.setattr(listing, "LARGEST_IN_MEMORY", 0)
        if image_type == np.uint8:
            return  # not decoded before training
    assert load_dataset("folder", root, "train", check_all=True).warnings == tuple(problems)
