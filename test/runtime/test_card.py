import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import models
from hyperseg_ros.runtime.card import ModelCard


def test_a_card_survives_json():
    card = models.card(miou={"camvid/val (SegNet, 11 classes)": 0.71}, terms="Forschung § 1")
    assert ModelCard.from_json(card.to_json()) == card
    scores = {"camvid/val": {"road": 0.97, "pole": 0.2}}
    card = models.card(command="hyperseg train a.yaml", iou=scores)
    assert ModelCard.from_json(card.to_json()).iou == scores


def test_older_cards_know_neither_command_nor_classes():
    entries = json.loads(models.card().to_json())
    del entries["command"], entries["iou"]
    assert ModelCard.from_json(json.dumps(entries)) == models.card()


def test_a_card_says_which_classes_are_ground_and_an_older_one_does_not():
    entries = json.loads(models.card().to_json())
    assert [e["name"] for e in entries["classes"] if e.get("ground")] == ["road", "pavement"]
    for entry in entries["classes"]:
        entry.pop("ground", None)
    assert ModelCard.from_json(json.dumps(entries)).classes.ground == ()


def test_entries_of_newer_cards_are_ignored():
    card = models.card()
    entries = json.loads(card.to_json()) | {"engine": "later"}
    assert ModelCard.from_json(json.dumps(entries)) == card


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": 3}, "name in the model card must be a string, not 3"),
        ({"input_size": [384]}, r"input_size .* \[height, width\]"),
        ({"input_size": [0, 512]}, r"input_size .* not \[0, 512\]"),
        ({"input_size": [True, 512]}, "input_size"),
        ({"classes": ["road"]}, "classes in the model card must be a list of"),
        ({"classes": 1}, "classes in the model card must be a list of"),
        ({"classes": []}, "1 to 255 classes, not 0"),
        ({"classes": [{"name": "road", "color": [0, 0, 300]}]}, "colour of class 'road'"),
        (
            {"classes": [{"name": "road", "color": [0, 0, 0], "ground": 1}]},
            "ground is true or false, not 1",
        ),
        ({"miou": {"camvid": 71.5}}, "numbers from 0 to 1"),
        ({"miou": [0.7]}, "miou"),
        ({"iou": {"camvid": {"road": 97}}}, "iou of camvid .* must map classes to numbers from 0"),
        ({"iou": [0.7]}, "iou in the model card must be an object"),
    ],
)
def test_a_wrong_entry_is_named(changes, message):
    entries = json.loads(models.card().to_json()) | changes
    with pytest.raises(ValueError, match=message):
        ModelCard.from_json(json.dumps(entries))


def test_missing_entries_are_named():
    entries = json.loads(models.card().to_json())
    del entries["classes"], entries["terms"]
    with pytest.raises(ValueError, match="lacks classes, terms"):
        ModelCard.from_json(json.dumps(entries))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)


@given(text=st.text() | json_values.map(json.dumps))
def test_any_other_text_is_a_value_error(text):
    with pytest.raises(ValueError, match="model card"):
        ModelCard.from_json(text)


@given(entry=st.sampled_from(sorted(json.loads(models.card().to_json()))), value=json_values)
def test_any_value_of_an_entry_is_taken_or_refused(entry, value):
    entries = json.loads(models.card().to_json()) | {entry: value}
    try:
        card = ModelCard.from_json(json.dumps(entries))
    except ValueError:
        return
    assert ModelCard.from_json(card.to_json()) == card


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "x" * 20_000_000}, "more than"),
        ({"name": "x" * 201}, "name in the model card is 201 characters long, more than 200"),
        ({"training": "x" * 20_001}, "training in the model card is 20001 characters long"),
        ({"name": "street\x1b[2J"}, r"name in the model card has the character U\+001B"),
        ({"name": "street\nERROR"}, r"U\+000A"),
        ({"terms": "\ud800"}, r"terms in the model card has the character U\+D800"),
        ({"name": "a\u202eb"}, r"U\+202E"),
        ({"classes": [{"name": "ro\x00ad", "color": [0, 0, 0]}]}, r"class name .* U\+0000"),
        ({"classes": [{"name": "r" * 300, "color": [0, 0, 0]}]}, "class name .* 300 characters"),
        ({"miou": {"x" * 300: 0.5}}, "data set .* 300 characters"),
        ({"iou": {"val": {"a\x07": 0.5}}}, r"U\+0007"),
        ({"input_size": [10**9, 10**9]}, "up to 16384"),
        ({"dataset": ["x" * 1000] * 100}, "dataset in the model card must be a string"),
    ],
)
def test_what_would_spoil_a_log_is_refused_in_brief(changes, message):
    entries = json.loads(models.card().to_json())
    with pytest.raises(ValueError, match=message) as found:
        ModelCard.from_json(json.dumps({**entries, **changes}))
    assert len(str(found.value)) < 400


def test_names_may_be_of_any_script():
    card = models.card(name="道路-Straße", training="First line.\nSecond: § 1\u00a0a")
    assert ModelCard.from_json(card.to_json()) == card
