"""The model files that come with the package, and what their cards say of them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from hyperseg_ros.classes import CAMVID, UNLABELLED
from hyperseg_ros.metrics import ConfusionMatrix
from hyperseg_ros.runtime import Segmenter, read_card
from hyperseg_ros.runtime.card import ModelCard
from hyperseg_ros.runtime.markdown import card_as_markdown
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL
from hyperseg_ros.runtime.trained_on import OF_A_TWIN, has_seen

FOLDER = Path(__file__).resolve().parents[1] / "models"
Pairs = list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]
"""Images, BGR [H, W, 3], and their class ids, [H, W]."""
MODELS = {path.stem: path for path in sorted(FOLDER.glob("*.onnx"))}


def test_the_default_is_among_them_and_all_are_small_enough_to_clone():
    assert DEFAULT_MODEL in MODELS
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 60e6


@pytest.mark.parametrize("name", MODELS)
def test_the_card_says_where_the_model_comes_from(name):
    card = read_card(MODELS[name])
    assert card.name == name
    assert card.classes == CAMVID
    assert "research use" in card.terms
    assert "seed" in card.training
    assert card.command.startswith("hyperseg train ")
    assert not any(has_seen(card.dataset, name) for name in card.miou if OF_A_TWIN not in name)
    real = next(name for name in card.miou if name.startswith("camvid/val"))
    assert real == "camvid/val" + OF_A_TWIN * has_seen(card.dataset, "camvid/val")
    assert set(card.iou) == set(card.miou) == {real, "simulated/val"}
    assert set(card.iou[real]) == set(CAMVID.names)


@pytest.mark.parametrize("name", MODELS)
def test_the_page_is_the_card_with_a_picture(name):
    page = MODELS[name].with_suffix(".md").read_text(encoding="utf-8")
    assert page == card_as_markdown(read_card(MODELS[name]), f"{name}.jpg")
    picture = cv2.imread(str(FOLDER / f"{name}.jpg"))
    assert picture.shape[1] > picture.shape[0] > 300


@pytest.fixture(scope="module")
def streets() -> Pairs:
    rendering = pytest.importorskip("hyperseg_ros.training.datasets.streets")
    found = rendering.validation_streets(rendering.VALIDATION_DRIVES)
    images = [np.ascontiguousarray(image[..., ::-1]) for image in found.images]
    return list(zip(images, found.labels))


@pytest.mark.parametrize("name", MODELS)
def test_the_figures_on_the_card_are_those_of_the_file(name, streets):
    found, card = measured(MODELS[name], streets)
    # Backends and precisions differ by a tenth of a point, in classes of few pixels by more.
    assert found.miou() == pytest.approx(card.miou["simulated/val"], abs=0.003)
    expected = [card.iou["simulated/val"][label] for label in CAMVID.names]
    assert found.iou() == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_does_not_do_worse_than_its_twin_on_what_it_has_seen(name, shared):
    pairs = []
    for path in sorted((shared / "camvid" / "val").glob("*.png")):
        truth = cv2.imread(str(shared / "camvid" / "valannot" / path.name), 0)
        truth = np.where(truth < len(CAMVID), truth, UNLABELLED).astype(np.uint8)
        pairs.append((cv2.imread(str(path)), truth))
    found, card = measured(MODELS[name], pairs)
    assert found.miou() > figure_on_real_images(card) - 0.003


def figure_on_real_images(card: ModelCard) -> float:
    (figure,) = (value for name, value in card.miou.items() if name.startswith("camvid/val"))
    return figure


def measured(model: Path, pairs: Pairs) -> tuple[ConfusionMatrix, ModelCard]:
    """The confusion matrix of a model file over images and their labels, and its card."""
    matrix = ConfusionMatrix(len(CAMVID))
    with Segmenter.open(model) as segmenter:
        for image, truth in pairs:
            matrix.update(truth, segmenter(image).labels)
        return matrix, segmenter.card
