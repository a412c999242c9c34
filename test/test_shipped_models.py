"""The model files that come with the package, and what their cards say of them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from hyperseg_ros.classes import CAMVID, UNLABELLED
from hyperseg_ros.metrics import ConfusionMatrix
from hyperseg_ros.runtime import Segmenter, read_card
from hyperseg_ros.runtime.markdown import card_as_markdown
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL

FOLDER = Path(__file__).resolve().parents[1] / "models"
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
    assert set(card.iou) == set(card.miou) == {"camvid/val", "simulated/val"}
    assert set(card.iou["camvid/val"]) == set(CAMVID.names)


@pytest.mark.parametrize("name", MODELS)
def test_the_page_is_the_card_with_a_picture(name):
    page = MODELS[name].with_suffix(".md").read_text(encoding="utf-8")
    assert page == card_as_markdown(read_card(MODELS[name]), f"{name}.jpg")
    picture = cv2.imread(str(FOLDER / f"{name}.jpg"))
    assert picture.shape[1] > picture.shape[0] > 300


@pytest.mark.parametrize("name", MODELS)
def test_the_figures_on_the_card_are_those_of_the_file(name, shared):
    matrix = ConfusionMatrix(len(CAMVID))
    with Segmenter.open(MODELS[name]) as segmenter:
        for path in sorted((shared / "camvid" / "val").glob("*.png")):
            truth = cv2.imread(str(shared / "camvid" / "valannot" / path.name), 0)
            truth = np.where(truth < len(CAMVID), truth, UNLABELLED).astype(np.uint8)
            matrix.update(truth, segmenter(cv2.imread(str(path))).labels)
        card = segmenter.card
    # Backends and precisions differ by a tenth of a point.
    assert matrix.miou() == pytest.approx(card.miou["camvid/val"], abs=0.003)
    expected = [card.iou["camvid/val"][label] for label in CAMVID.names]
    assert matrix.iou() == pytest.approx(expected, abs=0.01)
