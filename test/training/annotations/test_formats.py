"""Each tool's files by its own rules, and both ways without a pixel's change."""

import base64
import json
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hyperseg_ros.classes import UNLABELLED, ClassTable
from hyperseg_ros.training.annotations.formats import FORMATS
from hyperseg_ros.training.annotations.regions import (
    AnnotatedImage,
    AnnotationError,
    Region,
    paint,
    regions_of,
)

CLASSES = ClassTable(("road", "car", "räder"), ((128, 64, 128), (0, 0, 142), (1, 2, 3)))
FILES = {
    "cvat": "annotations.xml",
    "coco": "annotations.json",
    "label-studio": "tasks.json",
}
SIZE = (12, 20)


def read(name, folder):
    return FORMATS[name].read(folder / FILES.get(name, ""))


@pytest.mark.parametrize("name", FORMATS)
@given(
    labels=arrays(
        np.uint8,
        st.tuples(st.integers(1, 24), st.integers(1, 24)),
        elements=st.sampled_from([0, 1, 2, UNLABELLED]),
    )
)
@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_labels_come_back_as_they_went(name, labels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tool")
    image = AnnotatedImage("a b_leftImg8bit.png", labels.shape, list(regions_of(labels, CLASSES)))
    if not image.regions:
        return
    FORMATS[name].write([image], CLASSES, folder)
    found = read(name, folder)
    assert found.images[0].size == labels.shape
    assert found.images[0].name == image.name
    assert not found.without_area
    np.testing.assert_array_equal(paint(found.images[0], CLASSES).labels, labels)


def test_later_regions_lie_over_earlier_ones_and_what_is_covered_is_counted():
    whole = Region("road", np.ones(SIZE, bool))
    part = Region("car", np.ones((4, 5), bool), (10, -2))
    strange = Region("moose", np.ones(SIZE, bool))
    painted = paint(AnnotatedImage("a", SIZE, [whole, part, strange]), CLASSES)
    expected = np.zeros(SIZE, np.uint8)
    expected[10:, :3] = 1
    np.testing.assert_array_equal(painted.labels, expected)
    assert painted.covered == 6
    assert painted.unknown == {"moose": 1}


def square(labels, top, left, bottom, right, value):
    labels[top:bottom, left:right] = value
    return labels


COCO = {
    "images": [{"id": 7, "file_name": "a.jpg", "height": 12, "width": 20}],
    "categories": [{"id": 3, "name": "road"}, {"id": 1, "name": "car"}],
    "annotations": [
        {
            "id": 1,
            "image_id": 7,
            "category_id": 3,
            "segmentation": [[0, 2, 10, 2, 10, 12, 0, 12], [15, 0, 20, 0, 20, 3, 15, 3]],
        },
        # Column by column, in turn outside and inside.
        {
            "id": 2,
            "image_id": 7,
            "category_id": 1,
            "segmentation": {"size": [12, 20], "counts": [12 * 4 + 3, 5, 12 * 15 + 4]},
        },
        {"id": 3, "image_id": 7, "category_id": 1, "segmentation": [], "bbox": [0, 0, 5, 5]},
    ],
}


def test_coco_has_polygons_and_run_lengths_by_column(tmp_path):
    (tmp_path / "annotations.json").write_text(json.dumps(COCO))
    found = read("coco", tmp_path)
    expected = square(np.full(SIZE, UNLABELLED, np.uint8), 2, 0, 12, 10, 0)
    square(expected, 0, 15, 3, 20, 0)
    square(expected, 3, 4, 8, 5, 1)
    np.testing.assert_array_equal(paint(found.images[0], CLASSES).labels, expected)
    assert list(found.colors) == ["road", "car"]
    assert found.without_area == {"box without a mask": 1}


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><labels><label><name>road</name><color>#804080</color></label>
<label><name>car</name><color></color></label></labels></task></meta>
<image id="0" name="drive/a.jpg" width="20" height="12">
  <box label="car" xtl="4.0" ytl="3.0" xbr="8.0" ybr="6.0" z_order="1"></box>
  <polygon label="road" points="0.0,2.0;10.0,2.0;10.0,12.0;0.0,12.0" z_order="0"></polygon>
  <mask label="car" rle="1, 3, 4" left="12" top="5" width="4" height="2" z_order="0"></mask>
  <polyline label="road" points="0,0;5,5" z_order="0"></polyline>
  <tag label="car"></tag>
</image></annotations>"""


def test_cvat_has_an_order_of_its_own_and_run_lengths_by_row(tmp_path):
    (tmp_path / "annotations.xml").write_text(CVAT)
    found = read("cvat", tmp_path)
    expected = square(np.full(SIZE, UNLABELLED, np.uint8), 2, 0, 12, 10, 0)
    square(expected, 3, 4, 6, 8, 1)
    square(expected, 5, 13, 6, 16, 1)
    np.testing.assert_array_equal(paint(found.images[0], CLASSES).labels, expected)
    assert found.images[0].name == "drive/a.jpg"
    assert found.colors == {"road": (128, 64, 128), "car": None}
    assert found.without_area == {"polyline": 1}


def label_studio(kind, **value):
    return {
        "type": kind,
        "original_width": 20,
        "original_height": 12,
        "value": {kind: ["car"], **value},
    }


def test_label_studio_counts_in_percent_and_takes_the_last_annotation(tmp_path):
    polygon = label_studio("polygonlabels", points=[[0, 25], [50, 25], [50, 100], [0, 100]])
    box = label_studio("rectanglelabels", x=75, y=0, width=25, height=50, rotation=0)
    point = label_studio("keypointlabels", x=1, y=1, width=1)
    tasks = [
        {
            "data": {"image": "/data/upload/1/0a1b2c3d-a%20b.jpg"},
            "annotations": [
                {"result": [label_studio("rectanglelabels", x=0, y=0, width=100, height=100)]},
                {"result": [polygon, box, point]},
                {"result": [], "was_cancelled": True},
            ],
        },
        {"data": {"image": "/data/local-files/?d=drive/c.jpg"}, "annotations": []},
        {"data": {"image": "/data/local-files/?d=upload/20240131-c.jpg"}, "annotations": []},
        {"data": {"image": "s3://drive/20240131-front.jpg"}, "annotations": []},
    ]
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    found = read("label-studio", tmp_path)
    expected = square(np.full(SIZE, UNLABELLED, np.uint8), 3, 0, 12, 10, 1)
    square(expected, 0, 15, 6, 20, 1)
    np.testing.assert_array_equal(paint(found.images[0], CLASSES).labels, expected)
    assert [image.name for image in found.images] == [
        "a b.jpg",
        "c.jpg",
        "20240131-c.jpg",
        "20240131-front.jpg",
    ]
    assert found.without_area == {"keypointlabels": 1}


def png(mask):
    return bytes(cv2.imencode(".png", mask)[1])


def test_labelme_has_corners_at_the_pixels_and_masks(tmp_path):
    mask = np.array([[255, 0], [255, 255]], np.uint8)
    shapes = [
        {"label": "road", "shape_type": "polygon", "points": [[0, 2], [9, 2], [9, 11], [0, 11]]},
        {"label": "car", "shape_type": "rectangle", "points": [[7, 5], [4, 3]]},
        {
            "label": "car",
            "shape_type": "mask",
            "points": [[12, 5], [13, 6]],
            "mask": base64.b64encode(png(mask)).decode(),
        },
        {"label": "car", "shape_type": "line", "points": [[1, 1], [2, 2]]},
    ]
    content = {"shapes": shapes, "imagePath": "..\\images\\a.jpg"}
    (tmp_path / "a.json").write_text(json.dumps({**content, "imageHeight": 12, "imageWidth": 20}))
    found = read("labelme", tmp_path)
    expected = square(np.full(SIZE, UNLABELLED, np.uint8), 2, 0, 12, 10, 0)
    square(expected, 3, 4, 6, 8, 1)
    square(expected, 5, 12, 7, 13, 1)
    expected[6, 13] = 1
    np.testing.assert_array_equal(paint(found.images[0], CLASSES).labels, expected)
    assert found.images[0].name == "a.jpg"
    assert found.without_area == {"line": 1}


def test_labelme_shapes_are_polygons_by_default(tmp_path):
    shapes = [{"label": "car", "points": points} for points in ([[0, 0], [4, 0], [0, 4]], [[1, 1]])]
    content = {"shapes": shapes, "imagePath": "a.jpg", "imageHeight": 12, "imageWidth": 20}
    (tmp_path / "a.json").write_text(json.dumps(content))
    found = read("labelme", tmp_path)
    assert [region.name for region in found.images[0].regions] == ["car"]
    assert found.without_area == {"polygon": 1}


def test_supervisely_has_polygons_with_holes_and_bitmaps(tmp_path):
    transparent = np.zeros((2, 2, 4), np.uint8)
    transparent[0, :, 3] = 255
    data = base64.b64encode(zlib.compress(png(transparent))).decode()
    ring = [[0, 2], [9, 2], [9, 11], [0, 11]]
    hole = [[3, 5], [6, 5], [6, 8], [3, 8]]
    objects = [
        {
            "classTitle": "road",
            "geometryType": "polygon",
            "points": {"exterior": ring, "interior": [hole]},
        },
        {
            "classTitle": "car",
            "geometryType": "bitmap",
            "bitmap": {"data": data, "origin": [12, 5]},
        },
    ]
    (tmp_path / "meta.json").write_text(
        json.dumps({"classes": [{"title": "road", "color": "#804080"}]})
    )
    (tmp_path / "one" / "ann").mkdir(parents=True)
    content = {"size": {"height": 12, "width": 20}, "objects": objects}
    (tmp_path / "one" / "ann" / "a.jpg.json").write_text(json.dumps(content))
    found = read("supervisely", tmp_path)
    expected = square(np.full(SIZE, UNLABELLED, np.uint8), 2, 0, 12, 10, 0)
    square(expected, 6, 4, 8, 6, UNLABELLED)
    square(expected, 5, 12, 6, 14, 1)
    np.testing.assert_array_equal(paint(found.images[0], CLASSES).labels, expected)
    assert found.colors["road"] == (128, 64, 128)


def test_cityscapes_has_groups_and_deleted_objects(tmp_path):
    objects = [
        {"label": "road", "polygon": [[0, 2], [9, 2], [9, 11], [0, 11]]},
        {"label": "cargroup", "polygon": [[4, 3], [7, 3], [7, 5], [4, 5]]},
        {"label": "car", "polygon": [[0, 0], [19, 0], [19, 11], [0, 11]], "deleted": 1},
    ]
    content = {"imgHeight": 12, "imgWidth": 20, "objects": objects}
    (tmp_path / "ulm").mkdir()
    (tmp_path / "ulm" / "ulm_1_gtFine_polygons.json").write_text(json.dumps(content))
    found = read("cityscapes", tmp_path)
    expected = square(np.full(SIZE, UNLABELLED, np.uint8), 2, 0, 12, 10, 0)
    square(expected, 3, 4, 6, 8, 1)
    np.testing.assert_array_equal(paint(found.images[0], CLASSES).labels, expected)
    assert found.images[0].name == "ulm_1_leftImg8bit.png"


@pytest.mark.parametrize("label", ["group", "playgroup", "roadgroup"])
def test_cityscapes_groups_are_those_of_its_own_classes(label, tmp_path):
    square = [[0, 0], [4, 0], [4, 4], [0, 4]]
    objects = [{"label": name, "polygon": square} for name in (label, "bicyclegroup")]
    content = {"imgHeight": 12, "imgWidth": 20, "objects": objects}
    (tmp_path / "ulm_1_gtFine_polygons.json").write_text(json.dumps(content))
    assert list(read("cityscapes", tmp_path).colors) == [label, "bicycle"]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("content", [None, "", "[]", "{}", "<annotations/>", "<a>", "[{}]"])
def test_what_is_no_file_of_the_tool_is_told(name, content, tmp_path):
    file = {
        "labelme": "a.json",
        "cityscapes": "a_gtFine_polygons.json",
        "supervisely": "meta.json",
        **FILES,
    }[name]
    if content is not None:
        (tmp_path / file).write_text(content)
    if (name, content) == ("label-studio", "[]"):
        assert read(name, tmp_path).images == []
    else:
        with pytest.raises(AnnotationError, match=str(tmp_path)):
            read(name, tmp_path)


LABELME = {"imagePath": "a.jpg", "imageHeight": 12, "imageWidth": 20}
CITYSCAPES = {"imgHeight": 12, "imgWidth": 20}
SUPERVISELY = {"size": {"height": 12, "width": 20}}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labelme", {**LABELME, "shapes": [{"points": []}]}),
        ("labelme", {**LABELME, "shapes": ["car"]}),
        ("labelme", {**LABELME, "shapes": 3}),
        ("labelme", {**LABELME, "shapes": [{"label": "car", "points": [1, 2, 3]}]}),
        ("labelme", {**LABELME, "shapes": [], "imageHeight": None}),
        (
            "labelme",
            {
                **LABELME,
                "shapes": [{"label": "car", "shape_type": "circle", "points": [[1, 1]]}],
            },
        ),
        ("coco", {**COCO, "images": [{"id": 7}]}),
        ("coco", {**COCO, "images": [{**COCO["images"][0], "file_name": 5}]}),
        ("coco", {**COCO, "categories": ["car"]}),
        ("coco", {**COCO, "annotations": [{"image_id": 7, "category_id": 1, "segmentation": "x"}]}),
        ("coco", {**COCO, "annotations": [None]}),
        ("label-studio", [{"data": {"image": 3}, "annotations": []}]),
        ("label-studio", [{"data": {"image": "a.jpg"}, "annotations": [{}]}]),
        ("label-studio", [{"data": {"image": "a.jpg"}, "annotations": ["done"]}]),
        (
            "label-studio",
            [
                {
                    "data": {"image": "a.jpg"},
                    "annotations": [{"result": [label_studio("rectanglelabels", x=1)]}],
                }
            ],
        ),
        ("supervisely", {**SUPERVISELY, "objects": [{"classTitle": "car"}]}),
        ("supervisely", {**SUPERVISELY, "objects": [7]}),
        (
            "supervisely",
            {
                **SUPERVISELY,
                "objects": [
                    {"classTitle": "car", "geometryType": "rectangle", "points": {"exterior": [1]}}
                ],
            },
        ),
        ("cityscapes", {**CITYSCAPES, "objects": [{"label": "car"}]}),
        ("cityscapes", {**CITYSCAPES, "objects": [{"label": 3, "polygon": [[0, 0], [1, 1]]}]}),
        ("cityscapes", {**CITYSCAPES, "objects": [{"label": "car", "polygon": 4}]}),
    ],
)
def test_a_wrong_entry_is_told(name, content, tmp_path):
    file = {
        "labelme": "a.json",
        "cityscapes": "a_gtFine_polygons.json",
        "supervisely": "one/ann/a.jpg.json",
        **FILES,
    }[name]
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(json.dumps(content))
    (tmp_path / "meta.json").write_text(json.dumps({"classes": []}))
    if name == "labelme":
        (tmp_path / "meta.json").unlink()
    told = f"{tmp_path}.*: an entry is not as {FORMATS[name].tool} writes it"
    with pytest.raises(AnnotationError, match=told):
        read(name, tmp_path)
