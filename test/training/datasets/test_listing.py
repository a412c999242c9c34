import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from hyperseg_ros.classes import CAMVID, UNLABELLED
from hyperseg_ros.training.datasets import (
    DatasetError,
    LabelledImages,
    labelled_images,
    listing,
    load_camvid,
    load_dataset,
    reading,
)
from hyperseg_ros.training.datasets.streets import (
    TRAINING_SEED,
    VALIDATION_SEED,
    render_streets,
    training_streets,
)


@pytest.fixture
def root(tmp_path, write_camvid):
    return write_camvid(tmp_path / "camvid")


def test_camvid_is_read_as_rgb_with_void_unlabelled(root):
    images = load_camvid(root, "train")
    assert images.name == "camvid/train"
    assert len(images) == 4
    for index, (image, labels) in enumerate(zip(images.images, images.labels)):
        written = cv2.imread(str(root / "trainannot" / f"{index}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(labels, np.where(written == 11, UNLABELLED, written))
        np.testing.assert_array_equal(image[..., 2], written * 20)
        np.testing.assert_array_equal(image[..., 0], written * 10)
    assert any((labels == UNLABELLED).any() for labels in images.labels)


def test_camvid_of_the_project_has_its_published_size(shared):
    images = load_camvid(shared / "camvid", "val")
    assert len(images) == 101
    assert {labels.shape for labels in images.labels} == {(360, 480)}


def remove_image(root):
    (root / "train" / "2.png").unlink()
    return r"trainannot/2\.png: no file of this name in .*train \(1 unpaired files"


def remove_labels(root):
    (root / "trainannot" / "2.png").unlink()
    return r"train/2\.png: no file of this name in .*trainannot"


def remove_folder(root):
    (root / "trainannot").rename(root / "elsewhere")
    return r"trainannot: no such folder; CamVid's root holds"


def empty_folders(root):
    for path in [*root.glob("train/*"), *root.glob("trainannot/*")]:
        path.unlink()
    return r"train: there are no images in this folder"


def unknown_label(root):
    cv2.imwrite(str(root / "trainannot" / "1.png"), np.full((48, 64), 12, np.uint8))
    return r"trainannot/1\.png: label 12 is none of the 11 classes"


def wrong_size(root):
    cv2.imwrite(str(root / "trainannot" / "1.png"), np.zeros((48, 32), np.uint8))
    return r"trainannot/1\.png: the labels are 32 x 48, the image 1\.png is 64 x 48"


def colored_labels(root):
    cv2.imwrite(str(root / "trainannot" / "1.png"), np.zeros((48, 64, 3), np.uint8))
    return r"trainannot/1\.png: label colours where ids are expected is none of the 11"


def deep_labels(root):
    cv2.imwrite(str(root / "trainannot" / "1.png"), np.full((48, 64), 4711, np.uint16))
    return r"trainannot/1\.png: ids are integers from 0 to 255, not 4711; renumber"


def broken_image(root):
    (root / "train" / "3.png").write_bytes(b"not a picture")
    return r"train/3\.png: the bytes are no image of a kind that is read"


def broken_labels(root):
    (root / "trainannot" / "3.png").write_bytes(b"")
    return r"trainannot/3\.png: this label image does not decode"


def cut_image(root):
    path = root / "train" / "3.png"
    path.write_bytes(path.read_bytes()[:-20])
    return r"train/3\.png: the PNG is cut short"


def cut_jpeg(root):
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    (root / "train" / "3.png").unlink()
    (root / "train" / "3.jpg").write_bytes(cv2.imencode(".jpg", noise)[1].tobytes()[:3000])
    return r"train/3\.jpg: the JPEG is cut short: it has no pixels from row \d+ of 48 on"


def empty_image(root):
    (root / "train" / "3.png").write_bytes(b"")
    return r"train/3\.png: there are no bytes: the image is empty"


def write_turned(path, orientation, size):
    """A JPEG of width and height `size`, black on the left, whose EXIF turns it for viewing."""
    picture = Image.new("RGB", size, "white")
    picture.paste("black", (0, 0, size[0] // 2, size[1]))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    picture.save(path, exif=exif)


def turned_image(root):
    (root / "train" / "1.png").unlink()
    write_turned(root / "train" / "1.jpg", 6, (48, 64))
    return (
        r"trainannot/1\.png: the labels are 64 x 48, the image 1\.jpg is 48 x 64; "
        "its EXIF orientation, which is not applied, turns it: turn its pixels"
    )


@pytest.mark.parametrize(
    "damage",
    [
        remove_image,
        remove_labels,
        remove_folder,
        empty_folders,
        unknown_label,
        wrong_size,
        colored_labels,
        deep_labels,
        broken_image,
        broken_labels,
        cut_image,
        cut_jpeg,
        empty_image,
        turned_image,
    ],
)
@pytest.mark.parametrize("in_memory", [True, False])
def test_each_kind_of_bad_data_is_named(root, damage, in_memory, monkeypatch):
    if not in_memory:
        monkeypatch.setattr(listing, "LARGEST_IN_MEMORY", 0)
    message = damage(root)
    with pytest.raises(DatasetError, match=message):
        load_dataset("camvid", root, "train", check_all=True)


def resize(root, index, height, width):
    cv2.imwrite(str(root / "train" / f"{index}.png"), np.zeros((height, width, 3), np.uint8))
    cv2.imwrite(str(root / "trainannot" / f"{index}.png"), np.zeros((height, width), np.uint8))


@pytest.mark.parametrize("large", [0, 3])
@pytest.mark.parametrize("fits", [True, False])
def test_memory_is_counted_over_images_of_all_sizes(root, large, fits, monkeypatch):
    for index in range(4):
        resize(root, index, 4, 4)
    resize(root, large, 40, 60)
    allowed = 4 * (3 * 4 * 4 + 40 * 60) - (not fits)
    monkeypatch.setattr(listing, "LARGEST_IN_MEMORY", allowed)
    images = load_camvid(root, "train")
    assert isinstance(images.images, list) == fits
    assert images.images[large].shape == (40, 60, 3)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_pixels_are_as_they_are_stored(tmp_path, orientation):
    path = tmp_path / "turned.jpg"
    write_turned(path, orientation, (64, 48))
    image = reading.read_image(path)
    assert image.shape[:2] == reading.read_size(path) == (48, 64)
    assert image[:, :24].max() < 50
    assert image[:, 40:].min() > 200


def test_splits_join_in_their_order(root):
    both = load_dataset("camvid", root, "train+val")
    train, val = load_camvid(root, "train"), load_camvid(root, "val")
    assert both.name == "camvid/train+val"
    assert len(both) == len(both.image_names) == 8
    for index, labels in enumerate([*train.labels, *val.labels]):
        np.testing.assert_array_equal(both.labels[index], labels)
    np.testing.assert_array_equal(both.images[-1], val.images[-1])
    with pytest.raises(IndexError):
        both.images[8]


@pytest.mark.parametrize(
    ("train", "val", "expected"),
    [
        (["a", "b"], ["c", "d"], ["a", "b", "c", "d"]),
        (["a", "b"], ["a", "c"], ["train-a", "train-b", "val-a", "val-c"]),
        ([], ["a", "b"], ["image 0", "image 1", "a", "b"]),
        (["a", ""], ["a", ""], ["train-a", "image 1", "val-a", "image 3"]),
    ],
)
def test_every_image_of_joined_splits_has_a_name_of_its_own(train, val, expected):
    pixels, labels = [np.zeros((2, 2, 3), np.uint8)] * 2, [np.zeros((2, 2), np.uint8)] * 2
    both = labelled_images.joined(
        [
            LabelledImages(f"ours/{split}", pixels, labels, CAMVID, names)
            for split, names in (("train", train), ("val", val))
        ]
    )
    assert both.name == "ours/train+val"
    assert [labelled_images.name_of_image(both, index) for index in range(4)] == expected


def test_a_split_that_is_not_there_is_named(root):
    with pytest.raises(DatasetError, match="no split 'validation': it has train, val, test"):
        load_dataset("camvid", root, "validation")


def test_simulated_frames_are_the_same_every_time_and_differ_between_drives():
    first = render_streets(range(3, 5), 2)
    again = render_streets(range(3, 5), 2)
    assert len(first) == 4
    for one, two in zip(first.images, again.images):
        np.testing.assert_array_equal(one, two)
    for one, two in zip(first.labels, again.labels):
        np.testing.assert_array_equal(one, two)
    assert len({image.tobytes() for image in first.images}) == 4


def test_a_share_of_the_drives_is_varied():
    plain, half, all_of_them = (render_streets(range(3, 7), 1, varied=v) for v in (0, 0.5, 1))
    same = [
        [np.array_equal(a, b) for a, b in zip(half.images, of.images)]
        for of in (plain, all_of_them)
    ]
    assert same == [[True, False, True, False], [False, True, False, True]]


def test_training_never_reaches_the_validation_drives():
    with pytest.raises(DatasetError, match="would reach the validation seeds"):
        training_streets(VALIDATION_SEED - TRAINING_SEED + 1, 1)
