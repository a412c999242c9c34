"""From a tool's files to a data set and back, by the commands."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from hyperseg_ros import cli
from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.training.annotations.formats import FORMATS
from hyperseg_ros.training.datasets import load_dataset

SIZE = (12, 20)


@pytest.fixture
def source(tmp_path):
    """Two images of a LabelMe folder, one of them annotated: a car on a road."""
    folder = tmp_path / "tool"
    folder.mkdir()
    for name in ("a", "b"):
        cv2.imwrite(str(folder / f"{name}.png"), np.full((*SIZE, 3), 90, np.uint8))
    shapes = [
        {"label": "road", "points": [[0, 2], [19, 2], [19, 11], [0, 11]]},
        {"label": "car", "points": [[4, 3], [7, 3], [7, 5], [4, 5]]},
        {"label": "moose", "shape_type": "point", "points": [[4, 3]]},
    ]
    for name, found in (("a", shapes), ("b", []), ("gone", shapes)):
        content = {"shapes": found, "imagePath": f"{name}.png"}
        text = json.dumps({**content, "imageHeight": SIZE[0], "imageWidth": SIZE[1]})
        (folder / f"{name}.json").write_text(text)
    return folder


def arguments(source, output, *more):
    options = ["--images", source, "--output", output, *more]
    return ["import", "labelme", str(source), *map(str, options)]


def test_annotations_become_a_data_set_and_what_is_lost_is_said(source, tmp_path, capsys):
    output = tmp_path / "data"
    assert cli.main(arguments(source, output)) == 0
    printed = capsys.readouterr().out
    for line in (
        "1 images, 3 classes: road, car, moose",
        "not kept: instances: those of one class are one area",
        "not kept: 12 pixels of regions that others lie over",
        "not kept: annotations without an area: 2 point",
        "not kept: images without an annotation: 1, such as b.png",
        "not kept: annotations without an image file: 1, such as gone.png",
    ):
        assert line in printed
    images = load_dataset("folder", output, "train")
    assert images.classes.names == ("road", "car", "moose")
    expected = np.zeros(SIZE, np.uint8)
    expected[:2] = UNLABELLED
    expected[3:6, 4:8] = 1
    np.testing.assert_array_equal(images.labels[0], expected)
    assert (images.images[0] == 90).all()


def test_a_background_is_a_class_of_its_own(source, tmp_path):
    output = tmp_path / "data"
    assert cli.main(arguments(source, output, "--background", "rest")) == 0
    images = load_dataset("folder", output, "train")
    assert images.classes.names == ("rest", "road", "car", "moose")
    assert (images.labels[0][:2] == 0).all()


def test_what_is_ground_is_said_where_the_tool_cannot(source, tmp_path, capsys):
    output = tmp_path / "data"
    assert cli.main(arguments(source, output, "--ground", "road")) == 0
    assert load_dataset("folder", output, "train").classes.ground == ("road",)
    assert cli.main(arguments(source, output, "--ground", "road")) == 0
    assert cli.main(arguments(source, output, "--ground", "car")) == 2
    assert f"change {output / 'classes.yaml'}, which says what is ground" in capsys.readouterr().err
    assert cli.main(arguments(source, tmp_path / "other", "--ground", "sea", "road")) == 2
    assert "sea is no class; these are: road, car, moose" in capsys.readouterr().err


def test_classes_of_a_data_set_that_is_there_go_by_name_and_id(source, tmp_path, capsys):
    output = tmp_path / "data"
    output.mkdir()
    (output / "classes.yaml").write_text(
        "classes: [{name: car, color: [0, 0, 142], id: 9}, {name: sky, color: [1, 1, 1], id: 4}]"
    )
    assert cli.main(arguments(source, output, "--split", "val")) == 0
    assert "regions of no class of classes.yaml: 1 road" in capsys.readouterr().out
    labels = cv2.imread(str(output / "val" / "labels" / "a.png"), cv2.IMREAD_UNCHANGED)
    assert set(np.unique(labels)) == {9, UNLABELLED}
    assert (load_dataset("folder", output, "val").labels[0][3:6, 4:8] == 0).all()


def coco(tmp_path, *names):
    """Images in `images` of a grey of their own, and annotations of them; the arguments."""
    shape = {"category_id": 1, "segmentation": [[0, 0, 5, 0, 5, 5, 0, 5]]}
    content = {
        "images": [{"id": i, "file_name": name, "height": 12, "width": 20} for i, name in names],
        "annotations": [{**shape, "id": i, "image_id": i} for i, _ in names],
        "categories": [{"id": 1, "name": "car"}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(content))
    options = ["--images", tmp_path / "images", "--output", tmp_path / "data"]
    return ["import", "coco", str(tmp_path / "coco.json"), *map(str, options)]


def write_images(folder, *names):
    for grey, name in enumerate(names, start=1):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), np.full((*SIZE, 3), grey, np.uint8))


@pytest.mark.parametrize(
    "names",
    [
        ["day1/1.png", "day2/1.png"],
        ["day1/1.png", "day2/1.jpg"],
        ["1.png"],  # which of the two?
        ["day1/1.png", "day1/1.png"],
    ],
)
def test_images_that_would_be_one_file_are_refused(names, tmp_path, capsys):
    write_images(tmp_path / "images", "day1/1.png", "day2/1.png", "day2/1.jpg")
    assert cli.main(coco(tmp_path, *enumerate(names))) == 2
    error = capsys.readouterr().err
    assert str(tmp_path / "images" / "day1" / "1.png") in error
    assert "would both be 1.png: give the images names of their own" in error
    assert not (tmp_path / "data").exists()


def test_an_image_is_found_by_its_path_before_its_name(tmp_path):
    write_images(tmp_path / "images", "day1/1.png", "day2/1.png", "2.png", "day1/2.png", "a/3.png")
    assert cli.main(coco(tmp_path, *enumerate(["day2/1.png", "2.png", "3.png"]))) == 0
    greys = {
        path.name: cv2.imread(str(path))[0, 0, 0]
        for path in (tmp_path / "data" / "train" / "images").iterdir()
    }
    assert greys == {"1.png": 2, "2.png": 3, "3.png": 5}


@pytest.mark.parametrize("name", FORMATS)
def test_a_data_set_goes_to_each_tool_and_comes_back(name, source, tmp_path):
    """Cityscapes' names are its own, so its images must be too."""
    data = tmp_path / "data"
    assert cli.main(arguments(source, data)) == 0
    if name == "cityscapes":
        for kind in ("images", "labels"):
            path = data / "train" / kind / "a.png"
            path.rename(path.with_name("a_leftImg8bit.png"))
    out = tmp_path / "out"
    options = ["--root", str(data), "--output", str(out)]
    assert cli.main(["export-labels", name, "folder", *options]) == 0
    files = {"cvat": "annotations.xml", "coco": "annotations.json", "label-studio": "tasks.json"}
    back = ["--images", str(data / "train" / "images"), "--output", str(tmp_path / "back")]
    # By the same table, since a tool's own order of classes may be another.
    (tmp_path / "back").mkdir()
    table = (data / "classes.yaml").read_text()
    (tmp_path / "back" / "classes.yaml").write_text(table)
    assert cli.main(["import", name, str(out / files.get(name, "")), *back]) == 0
    before, after = (load_dataset("folder", tmp_path / root, "train") for root in ("data", "back"))
    np.testing.assert_array_equal(after.labels[0], before.labels[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: cv2.imwrite(str(folder / "a.png"), np.zeros((20, 12, 3))), "turn its"),
        (lambda folder: cv2.imwrite(str(folder / "a.png"), np.zeros((9, 9, 3))), "are for 20 x 12"),
        (lambda folder: (folder / "a.png").unlink(), "no image of the annotations is in"),
        (lambda folder: [path.unlink() for path in folder.glob("*.json")], "no file"),
    ],
)
def test_what_does_not_fit_is_one_line(source, tmp_path, capsys, change, message):
    change(Path(source))
    assert cli.main(arguments(source, tmp_path / "data")) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "data" / "classes.yaml").exists()
