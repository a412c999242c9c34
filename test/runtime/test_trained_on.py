"""What a model was trained on cannot measure it; its twin can."""

from dataclasses import replace

import pytest

import models
from hyperseg_ros.classes import CAMVID
from hyperseg_ros.runtime.trained_on import check_twin, figure_name, has_seen, with_earlier

FINAL = "camvid/train+val + simulated/train"


@pytest.mark.parametrize(
    ("dataset", "seen"),
    [
        ("camvid/val", True),
        ("camvid/train", True),
        ("camvid/test+val", True),
        ("camvid/test", False),
        ("simulated/val", False),
        ("camvid-960/val", False),
        ("drive", False),
    ],
)
def test_a_split_is_seen_where_its_data_set_and_name_are_the_same(dataset, seen):
    assert has_seen(FINAL, dataset) == seen
    assert figure_name(FINAL, dataset) == dataset + ", seen in training" * seen


def test_a_model_whose_data_are_not_known_has_seen_nothing():
    assert not has_seen("", "camvid/val")


def test_what_an_earlier_model_was_trained_on_is_kept():
    assert with_earlier("camvid/train", FINAL) == f"camvid/train + {FINAL}"
    assert with_earlier(FINAL, "camvid/train + simulated/train") == FINAL
    assert with_earlier("ours/train", "") == "ours/train"


def test_a_twin_has_the_same_network_and_has_not_seen_what_it_is_measured_on():
    model = models.card(CAMVID, (64, 96), dataset=FINAL, name="final")
    twin = replace(model, dataset="camvid/train + simulated/train", name="twin")
    check_twin(twin, model, "camvid/val")
    with pytest.raises(ValueError, match="final was not trained on simulated/val: evaluate it"):
        check_twin(twin, model, "simulated/val")
    with pytest.raises(ValueError, match="twin was trained on camvid/train too"):
        check_twin(twin, model, "camvid/train")
    with pytest.raises(ValueError, match="one of twin and final is an INT8 model"):
        check_twin(twin, replace(model, agreement={"camvid/val": 0.99}), "camvid/val")
    for change in ({"variant": "other"}, {"input_size": (96, 64)}):
        (what,) = change
        with pytest.raises(ValueError, match=f"differ in their {what.replace('_', ' ')}"):
            check_twin(replace(twin, **change), model, "camvid/val")
