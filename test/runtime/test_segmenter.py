from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import models
from hyperseg_ros.classes import CAMVID
from hyperseg_ros.runtime import BackendLostError, ModelFileError, Segmenter
from hyperseg_ros.runtime.backends import installed_backends

HEIGHT, WIDTH = 24, 32


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    with Segmenter.open(models.write_palette_model(path, input_size=(HEIGHT, WIDTH))) as segmenter:
        yield segmenter


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def blocks(ids: np.ndarray, side: int) -> np.ndarray:
    """An image of one-coloured squares, each the colour of its class."""
    colors = CAMVID.palette()[:, ::-1][ids]
    return colors.repeat(side, axis=0).repeat(side, axis=1)


def test_an_image_of_the_models_size_goes_in_as_it_is(segmenter):
    image = noise(HEIGHT, WIDTH)
    result = segmenter(image)
    labels, confidence = models.expected(image)
    assert np.array_equal(result.labels, labels)
    assert np.array_equal(result.confidence, confidence)
    assert min(result.preprocess_ms, result.inference_ms, result.postprocess_ms) > 0


def test_what_is_in_use_is_said(segmenter):
    assert segmenter.card == models.card(input_size=(HEIGHT, WIDTH))
    assert segmenter.backend_name in ("openvino", "onnxruntime")
    assert segmenter.precision in ("fp32", "bf16")
    assert segmenter.device


@pytest.mark.parametrize("factor", [2, 3, 4, 5])
def test_a_larger_image_gets_labels_of_its_own_size(segmenter, factor):
    ids = np.random.default_rng(factor).integers(0, 11, (HEIGHT // 8, WIDTH // 8), np.uint8)
    truth = ids.repeat(8 * factor, axis=0).repeat(8 * factor, axis=1)
    result = segmenter(blocks(ids, 8 * factor))
    assert result.labels.shape == result.confidence.shape == truth.shape
    # Away from the borders between blocks, where colours mix, everything is certain and right.
    border = np.ones((2 * factor + 1, 2 * factor + 1), np.uint8)
    inside = cv2.erode(truth, border) == cv2.dilate(truth, border)
    assert inside.mean() > 0.5
    assert np.array_equal(result.labels[inside], truth[inside])
    assert (result.confidence[inside] == 255).all()


def test_labels_are_neither_shifted_nor_mixed_by_resizing(segmenter):
    # Left half road, right half sky: halving and doubling must leave the border where it is.
    ids = np.full((2 * HEIGHT, 2 * WIDTH), 3, np.uint8)
    ids[:, WIDTH:] = 0
    assert np.array_equal(segmenter(blocks(ids, 1)).labels, ids)


def test_thin_things_of_a_large_image_are_averaged_not_skipped(segmenter):
    # One row in eight is white: sampling without averaging would see none of it, or all white.
    image = np.zeros((8 * HEIGHT, 8 * WIDTH, 3), np.uint8)
    image[::8] = 255
    small = np.full((HEIGHT, WIDTH, 3), 32, np.uint8)
    assert np.array_equal(np.unique(segmenter(image).labels), np.unique(models.expected(small)[0]))
    confidence = segmenter(image).confidence.astype(int)
    assert np.abs(confidence - models.expected(small)[1][0, 0]).max() <= 3


@settings(
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    height=st.integers(1, 130),
    width=st.integers(2, 130),  # the array conversion of OpenCV 4.5 fails at 1 x 1
    seed=st.integers(0, 9),
)
def test_any_size_gives_labels_of_that_size_and_the_same_ones_again(segmenter, height, width, seed):
    image = noise(height, width, seed)
    before = image.copy()
    first, second = segmenter(image), segmenter(image)
    assert first.labels.shape == first.confidence.shape == (height, width)
    assert first.labels.dtype == first.confidence.dtype == np.uint8
    assert first.labels.max() < len(CAMVID)
    assert np.array_equal(first.labels, second.labels)
    assert np.array_equal(first.confidence, second.confidence)
    assert np.array_equal(image, before)


@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (2 * HEIGHT + 3, 2 * WIDTH + 5), (7, 9)])
@pytest.mark.parametrize(
    "view",
    [
        lambda image: image[..., ::-1],
        lambda image: image[::-1],
        lambda image: image[:, ::-1],
        lambda image: np.pad(image, ((0, 0), (0, 5), (0, 0)))[:, : image.shape[1]],
        lambda image: np.dstack([image, image[..., :1]])[..., :3],
        lambda image: np.asfortranarray(image),
    ],
)
def test_memory_layout_does_not_matter(segmenter, size, view):
    image = view(noise(*size))
    assert np.array_equal(segmenter(image).labels, segmenter(np.ascontiguousarray(image)).labels)


def test_a_later_call_leaves_earlier_results_alone(segmenter):
    for size in [(HEIGHT, WIDTH), (30, 40)]:
        first = segmenter(noise(*size, seed=1))
        labels, confidence = first.labels.copy(), first.confidence.copy()
        segmenter(noise(*size, seed=2))
        assert np.array_equal(first.labels, labels)
        assert np.array_equal(first.confidence, confidence)


def test_threads_may_share_it(segmenter):
    images = [noise(30 + i % 3, 40, seed=i) for i in range(40)]
    alone = [segmenter(image).labels for image in images]
    with ThreadPoolExecutor(4) as threads:
        together = [result.labels for result in threads.map(segmenter, images)]
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 3), np.float32), "uint8 array, not float32"),
        ([[0]], "uint8 array, not list"),
        (np.zeros((4, 4), np.uint8), r"shape \[H, W, 3\] and not empty, not \(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"not \(4, 4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), r"not \(0, 4, 3\)"),
    ],
)
def test_what_is_no_image_is_refused_and_the_next_one_is_segmented(segmenter, image, message):
    with pytest.raises(ValueError, match=message):
        segmenter(image)
    good = noise(HEIGHT, WIDTH)
    assert np.array_equal(segmenter(good).labels, models.expected(good)[0])


def test_a_closed_segmenter_says_so(tmp_path):
    segmenter = Segmenter.open(models.write_palette_model(tmp_path / "model.onnx"))
    segmenter.close()
    segmenter.close()
    with pytest.raises(RuntimeError, match="closed"):
        segmenter(noise(4, 4))


def test_a_model_that_is_none_never_starts(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"hello")
    with pytest.raises(ModelFileError, match="not an ONNX file"):
        Segmenter.open(path)


class Fixed:
    """A backend that gives the same output for any image, or raises."""

    name, device, precision, reason = "fixed", "none", "none", "the test asks for it"

    def __init__(self, output, batch_size=1):
        self.details = {"state": "fine"}
        self.batch_size = batch_size
        self.output = output
        self.closed = 0

    def infer(self, images):
        if isinstance(self.output, Exception):
            raise self.output
        return self.output

    def close(self):
        self.closed += 1


def test_a_segmenter_takes_a_card_and_a_backend():
    output = np.full((1, HEIGHT, WIDTH), 3, np.uint8), np.full((1, HEIGHT, WIDTH), 200, np.uint8)
    backend = Fixed(output)
    with Segmenter(models.card(), backend) as segmenter:
        result = segmenter(noise(50, 70))
        assert (result.labels == 3).all()
        assert (result.confidence == 200).all()
        assert result.labels.shape == (50, 70)
        assert (segmenter.backend_name, segmenter.device) == ("fixed", "none")
        assert segmenter.reason == "the test asks for it"
        assert segmenter.details == {"state": "fine"}
    segmenter.close()
    assert backend.closed == 1


def test_a_backend_that_is_lost_is_remembered():
    segmenter = Segmenter(models.card(), Fixed(BackendLostError("the device is gone")))
    assert segmenter.lost == ""
    with pytest.raises(BackendLostError):
        segmenter(noise(HEIGHT, WIDTH))
    assert segmenter.lost == "the device is gone"


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6])
def test_batches_give_what_single_images_give(tmp_path, count):
    size = (HEIGHT, WIDTH)
    triple = models.write_palette_model(tmp_path / "3.onnx", input_size=size, batch=3)
    free = models.write_palette_model(tmp_path / "n.onnx", input_size=size)
    sizes = [(HEIGHT, WIDTH), (48, 64), (37, 51), (HEIGHT, WIDTH), (90, 100), (10, 10)][:count]
    images = [noise(*size, seed=seed) for seed, size in enumerate(sizes)]
    with Segmenter.open(triple) as batched, Segmenter.open(free) as single:
        assert batched.batch_size == 3
        assert single.batch_size == 1
        for image, result in zip(images, batched.segment(images), strict=True):
            expected = single(image)
            assert np.array_equal(result.labels, expected.labels)
            assert np.array_equal(result.confidence, expected.confidence)


def test_a_read_only_image_of_the_models_size_is_segmented(tmp_path):
    path = models.write_palette_model(tmp_path / "model.onnx")
    image = noise(HEIGHT, WIDTH)
    image.flags.writeable = False
    for backend in installed_backends():
        with Segmenter.open(path, backend) as segmenter:
            assert np.array_equal(segmenter(image).labels, models.expected(image)[0])


def test_a_model_of_a_larger_fixed_batch_is_filled_up(tmp_path):
    path = models.write_palette_model(tmp_path / "model.onnx", batch=3)
    with Segmenter.open(path) as segmenter:
        assert segmenter.batch_size == 3
        for count in (1, 2, 3, 4):
            images = [noise(HEIGHT, WIDTH, seed=seed) for seed in range(count)]
            results = segmenter.segment(images)
            assert len(results) == count
            for image, result in zip(images, results, strict=True):
                assert np.array_equal(result.labels, models.expected(image)[0])


def test_results_may_stay_at_the_size_of_the_input(segmenter):
    (result,) = segmenter.segment([noise(100, 90)], at_input_size=True)
    assert result.labels.shape == result.confidence.shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize(
    ("labels", "confidence", "reason"),
    [
        (np.full((1, HEIGHT, WIDTH), 77, np.uint8), None, "the class id 77, .* only 11 classes"),
        (np.zeros((1, HEIGHT, 5), np.uint8), None, r"labels of uint8 \(1, 24, 5\)"),
        (None, np.zeros((1, HEIGHT, WIDTH), np.float32), "confidence of float32"),
    ],
)
def test_output_that_is_invalid_is_an_error(labels, confidence, reason):
    good = np.zeros((1, HEIGHT, WIDTH), np.uint8)
    output = tuple(good if part is None else part for part in (labels, confidence))
    with pytest.raises(RuntimeError, match=reason):
        Segmenter(models.card(), Fixed(output))(noise(HEIGHT, WIDTH))
