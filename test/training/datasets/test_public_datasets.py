"""The public data sets, in miniature: their folders, their file names and their labels."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from hyperseg_ros.classes import CAMVID, CITYSCAPES, PASCAL_VOC, UNLABELLED
from hyperseg_ros.commands.evaluate import main
from hyperseg_ros.network import build, save_checkpoint
from hyperseg_ros.training.datasets import DatasetError, listing, load_dataset
from hyperseg_ros.training.datasets.camvid import OFFICIAL_COLORS
from hyperseg_ros.training.evaluation.evaluate import evaluate
from hyperseg_ros.training.evaluation.labellers import Prediction
from hyperseg_ros.training.evaluation.predictions import write_predictions


def write_rgb(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.ascontiguousarray(pixels.astype(np.uint8)[..., ::-1]))


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def full_size_camvid(tmp_path):
    """A row of pixels a class: each official colour of it, then void, then an unknown colour."""
    rows = [[*OFFICIAL_COLORS[name]] for name in CAMVID.names]
    width = max(map(len, rows)) + 2
    colors = np.zeros((11, width, 3), np.uint8)
    for y, row in enumerate(rows):
        colors[y, : len(row)] = row
    write_rgb(tmp_path / "train" / "a_1.png", noise(11, width))
    write_rgb(tmp_path / "train_labels" / "a_1_L.png", colors)
    return tmp_path, [len(row) for row in rows]


def test_camvid_protocol_2_merges_all_official_colours(full_size_camvid):
    root, counts = full_size_camvid
    images = load_dataset("camvid-960", root, "train")
    assert images.classes == CAMVID
    assert sum(counts) == 31  # and black, which is void, make the 32 official ones
    for label, count in enumerate(counts):
        assert images.labels[0][label].tolist()[:count] == [label] * count
        assert set(images.labels[0][label].tolist()[count:]) == {UNLABELLED}


def test_camvid_protocol_3_takes_one_colour_a_class_and_void(full_size_camvid):
    root, counts = full_size_camvid
    images = load_dataset("camvid-hyperseg", root, "train")
    assert images.classes.names[11] == "void"
    for label, count in enumerate(counts):
        row = images.labels[0][label].tolist()
        assert row[0] == label
        assert set(row[1:count]) <= {UNLABELLED}
        assert set(row[count:]) == {11}


def test_an_unknown_colour_is_named_in_protocol_2(full_size_camvid):
    root, _ = full_size_camvid
    path = root / "train_labels" / "a_1_L.png"
    colors = cv2.imread(str(path))
    colors[0, 0] = (3, 2, 1)
    cv2.imwrite(str(path), colors)
    with pytest.raises(DatasetError, match=r"a_1_L\.png: label \(1, 2, 3\) is none of the 11"):
        load_dataset("camvid-960", root, "train")


@pytest.fixture
def cityscapes(tmp_path):
    random = np.random.default_rng(0)
    for city, count in (("aachen", 2), ("bochum", 1)):
        for index in range(count):
            stem = f"{city}_{index:06}_000019"
            write_rgb(
                tmp_path / "leftImg8bit" / "val" / city / f"{stem}_leftImg8bit.png", noise(32, 64)
            )
            labels = tmp_path / "gtFine" / "val" / city / f"{stem}_gtFine_labelIds.png"
            labels.parent.mkdir(parents=True, exist_ok=True)
            ids = random.integers(0, 34, (8, 16), np.uint8).repeat(4, 0).repeat(4, 1)
            cv2.imwrite(str(labels), ids)
    return tmp_path


def test_cityscapes_ids_are_the_official_ones(cityscapes):
    official = pytest.importorskip("cityscapesscripts.helpers.labels")
    images = load_dataset("cityscapes", cityscapes, "val")
    assert len(images) == 3
    assert images.classes == CITYSCAPES
    for index, path in enumerate(sorted((cityscapes / "gtFine").rglob("*.png"))):
        ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        expected = np.vectorize(lambda value: official.id2label[value].trainId)(ids)
        np.testing.assert_array_equal(images.labels[index], expected)
    for index, (name, color) in enumerate(zip(CITYSCAPES.names, CITYSCAPES.colors)):
        assert (official.trainId2label[index].name, official.trainId2label[index].color) == (
            name,
            color,
        )


def test_cityscapes_figures_are_those_of_the_official_evaluation(cityscapes, tmp_path):
    script = pytest.importorskip(
        "cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling",
        reason="cityscapesscripts is not installed",
    )
    images = load_dataset("cityscapes", cityscapes, "val")
    random = np.random.default_rng(1)
    answers = [
        np.where((random.random(t.shape) < 0.7) & (t < 18), t, random.integers(0, 18, t.shape))
        for t in images.labels
    ]
    queue = iter(answers)
    labeller = write_predictions(
        lambda image: Prediction(next(queue).astype(np.uint8), image[..., 0]),
        images,
        tmp_path / "predictions",
    )
    matrix = evaluate(labeller, images, 19).matrix

    script.args.evalInstLevelScore = False
    script.args.evalPixelAccuracy = False
    script.args.JSONOutput = False
    script.args.quiet = True
    predictions = sorted(map(str, (tmp_path / "predictions").glob("*.png")))
    truths = sorted(map(str, (cityscapes / "gtFine").rglob("*_labelIds.png")))
    result = script.evaluateImgLists(predictions, truths, script.args)
    for name, iou in zip(CITYSCAPES.names, matrix.iou()):
        assert result["classScores"][name] == pytest.approx(iou, abs=1e-12, nan_ok=True), name
    assert result["averageScoreClasses"] == pytest.approx(matrix.miou(), abs=1e-12)


def test_what_is_too_large_for_memory_is_checked_before_training(cityscapes, monkeypatch):
    monkeypatch.setattr(listing, "LARGEST_IN_MEMORY", 1000)
    path = sorted((cityscapes / "gtFine").rglob("*.png"))[-1]
    cv2.imwrite(str(path), np.full((32, 64), 40, np.uint8))
    images = load_dataset("cityscapes", cityscapes, "val")
    assert images.labels[0].shape == (32, 64)
    with pytest.raises(DatasetError, match="label 40 is none of the 19 classes"):
        images.labels[2]
    with pytest.raises(DatasetError, match="label 40 is none of the 19 classes"):
        load_dataset("cityscapes", cityscapes, "val", check_all=True)
    cv2.imwrite(str(path), np.zeros((16, 64), np.uint8))
    with pytest.raises(DatasetError, match=r"the labels are 64 x 16, the image .* is 64 x 32"):
        load_dataset("cityscapes", cityscapes, "val", check_all=True)


def test_unpaired_files_of_cityscapes_are_named(cityscapes):
    next((cityscapes / "gtFine").rglob("bochum*.png")).unlink()
    with pytest.raises(DatasetError, match=r"bochum_000000_000019_leftImg8bit\.png: no file"):
        load_dataset("cityscapes", cityscapes, "val")
    with pytest.raises(DatasetError, match="root of Cityscapes holds leftImg8bit/ and gtFine/"):
        load_dataset("cityscapes", cityscapes, "train")


@pytest.fixture
def voc(tmp_path):
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("one\n")
    (lists / "val.txt").write_text("two\n")
    labels = np.array([[0, 1, 20, 255]], np.uint8).repeat(4, 0)
    for folder in ("SegmentationClass", "SegmentationClassAug"):
        (tmp_path / folder).mkdir()
        names = ("one", "two", "three") if folder.endswith("Aug") else ("one", "two")
        for name in names:
            picture = Image.fromarray(labels)
            if not folder.endswith("Aug"):  # as VOC has them: with a palette
                picture = picture.convert("P")
                picture.putdata(labels.ravel().tolist())
                palette = PASCAL_VOC.palette()
                palette[255] = (224, 224, 192)
                picture.putpalette(palette.ravel().tolist())
            picture.save(tmp_path / folder / f"{name}.png")
    for name in ("one", "two", "three"):
        write_rgb(tmp_path / "JPEGImages" / f"{name}.jpg", noise(4, 4))
    return tmp_path


def test_voc_has_its_lists_and_what_sbd_adds(voc):
    train, aug = (load_dataset("voc", voc, split) for split in ("train", "train_aug"))
    assert train.image_names == ["one"]
    assert aug.image_names == ["one", "three"]
    assert train.classes == PASCAL_VOC
    for images in (train, aug):
        assert images.labels[0][0].tolist() == [0, 1, 20, UNLABELLED]


def test_voc_labels_may_be_colours(voc):
    path = voc / "SegmentationClass" / "one.png"
    Image.open(path).convert("RGB").save(path)
    assert load_dataset("voc", voc, "train").labels[0][0].tolist() == [0, 1, 20, UNLABELLED]


def test_voc_names_what_is_missing(voc):
    (voc / "JPEGImages" / "one.jpg").unlink()
    with pytest.raises(DatasetError, match=r"one\.png: no file of this name in .*JPEGImages"):
        load_dataset("voc", voc, "train")
    with pytest.raises(DatasetError, match=r"trainval\.txt: cannot read the list"):
        load_dataset("voc", voc, "trainval")


def test_the_published_checkpoints_are_evaluated_by_their_variant(cityscapes, capsys, tmp_path):
    save_checkpoint(tmp_path / "net.pt", build("hyperseg-m-cityscapes"))
    arguments = [str(tmp_path / "net.pt"), "cityscapes", "--root", str(cityscapes)]
    with pytest.raises(ValueError, match="does not say its class_names"):
        main(arguments)
    assert main([*arguments, "--variant", "hyperseg-m-cityscapes"]) == 0
    assert "mIoU" in capsys.readouterr().out
