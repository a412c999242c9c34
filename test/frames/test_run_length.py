import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from hyperseg_ros.frames.run_length import decode, encode, encode_classes

SHAPES = npst.array_shapes(min_dims=2, max_dims=2, max_side=24)
MASKS = npst.arrays(bool, SHAPES) | npst.arrays(bool, SHAPES, fill=st.booleans())
LABELS = npst.arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 1, 2, 3, 255]))


@pytest.fixture(scope="module")
def coco():
    return pytest.importorskip("pycocotools.mask")


# Written by pycocotools 2.0.
@pytest.mark.parametrize(
    ("mask", "counts"),
    [
        (np.zeros((1, 1), bool), "1"),
        (np.ones((1, 1), bool), "01"),
        (np.zeros((480, 640), bool), "PP\\9"),
        (np.ones((480, 640), bool), "0PP\\9"),
        (np.array([[0, 1, 1, 0, 1]], bool), "121O"),
        (np.array([[0], [1], [1], [0]], bool), "121"),
        (np.eye(3, dtype=bool), "013000"),
    ],
)
def test_known_masks(mask, counts):
    assert encode(mask) == counts
    assert np.array_equal(decode(counts, *mask.shape), mask)


@given(MASKS)
def test_decoding_gives_the_mask_back(mask):
    assert np.array_equal(decode(encode(mask), *mask.shape), mask)


@given(MASKS)
def test_equals_pycocotools(coco, mask):
    reference = coco.encode(np.asfortranarray(mask, np.uint8))
    assert encode(mask) == reference["counts"].decode()


@given(start=st.integers(0, 3_999_999), length=st.integers(0, 4_000_000))
def test_long_runs_equal_pycocotools(coco, start, length):
    mask = np.zeros((2000, 2000), bool, order="F")
    mask.ravel(order="K")[start : start + length] = True
    counts = encode(mask)
    assert counts == coco.encode(mask.view(np.uint8))["counts"].decode()
    assert np.array_equal(decode(counts, 2000, 2000), mask)


@given(labels=LABELS, seed=st.integers(0, 99), num_classes=st.integers(1, 5))
def test_all_classes_at_once_equal_each_alone(labels, seed, num_classes):
    confidence = np.random.default_rng(seed).integers(0, 256, labels.shape, np.uint8)
    masks = encode_classes(labels, confidence, num_classes)
    assert [mask.class_id for mask in masks] == [
        i for i in np.unique(labels).tolist() if i < num_classes
    ]
    for mask in masks:
        pixels = labels == mask.class_id
        rows, columns = np.nonzero(pixels)
        assert mask.counts == encode(pixels)
        assert mask.pixel_count == pixels.sum()
        assert mask.mean_confidence == pytest.approx(confidence[pixels].mean() / 255)
        assert (mask.x, mask.y) == (columns.min(), rows.min())
        assert (mask.width, mask.height) == (np.ptp(columns) + 1, np.ptp(rows) + 1)


def test_a_class_table_of_255_covers_every_label():
    labels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    masks = encode_classes(labels, labels, 255)
    assert [mask.class_id for mask in masks] == list(range(255))
    assert all(mask.mean_confidence == pytest.approx(mask.class_id / 255) for mask in masks)


def test_unlabelled_images_have_no_masks():
    labels = np.full((4, 5), 255, np.uint8)
    assert encode_classes(labels, labels, 11) == []


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ("", "none at all"),
        ("1\x7f", "outside"),
        ("1 ", "outside"),
        ("1é", "not ASCII"),
        ("P", "middle of a number"),
        ("PPPPPPPPPP0", "more than 7 groups"),
        ("5", "not of a mask of 2 x 3"),
        ("7O", "not of a mask of 2 x 3"),
        ("0O7", "not of a mask of 2 x 3"),
    ],
)
def test_malformed_counts_are_refused(counts, message):
    with pytest.raises(ValueError, match=message):
        decode(counts, 2, 3)


@given(counts=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=130), max_size=12))
def test_any_text_is_a_mask_or_a_value_error(counts):
    try:
        mask = decode(counts, 3, 4)
    except ValueError:
        return
    assert mask.shape == (3, 4)


def test_shapes_that_are_no_mask_are_refused():
    with pytest.raises(ValueError, match=r"not \(0, 3\)"):
        encode(np.zeros((0, 3), bool))
    with pytest.raises(ValueError, match=r"not \(2, 2, 1\)"):
        encode(np.zeros((2, 2, 1), bool))
    with pytest.raises(ValueError, match="not 0 x 3"):
        decode("0", 0, 3)
    with pytest.raises(ValueError, match=r"confidence is \(3, 2\)"):
        encode_classes(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), 1)


def test_the_confidence_of_a_large_image_does_not_overflow():
    side = 2902  # 255 a pixel add up to more than 31 bits
    labels = np.zeros((side, side), np.uint8)
    labels[:, side // 2 :] = 1
    confidence = np.where(labels == 0, 255, 51).astype(np.uint8)
    means = [mask.mean_confidence for mask in encode_classes(labels, confidence, 2)]
    assert means == [1.0, 0.2]
    assert [mask.mean_confidence for mask in encode_classes(labels, labels | 255, 2)] == [1.0, 1.0]
