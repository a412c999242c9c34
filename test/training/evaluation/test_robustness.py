import csv

import cv2
import numpy as np
import pytest

import models
from hyperseg_ros.classes import ClassTable
from hyperseg_ros.commands.evaluate import main
from hyperseg_ros.runtime import read_card
from hyperseg_ros.runtime.model_file import write_card
from hyperseg_ros.training.corruptions import CORRUPTIONS
from hyperseg_ros.training.datasets import LabelledImages
from hyperseg_ros.training.evaluation.labellers import Prediction
from hyperseg_ros.training.evaluation.robustness import measure, table

CLASSES = ClassTable(("dark", "light"), ((20, 20, 20), (220, 220, 220)))


@pytest.fixture
def images():
    labels = np.zeros((48, 64), np.uint8)
    labels[:, 32:] = 1
    picture = np.where(labels[..., None] == 1, 220, 20).astype(np.uint8).repeat(3, 2)
    return LabelledImages("two/val", [picture, picture], [labels, labels], CLASSES)


def threshold(image):
    return Prediction((image[..., 1] > 120).astype(np.uint8), image[..., 1])


def test_each_corruption_and_severity_has_its_miou(images):
    *_, found = measure(threshold, images, 2, ["dusk", "jpeg"], [1, 5])
    # At the worst dusk nothing is above the threshold: half of dark's union, nothing of light's.
    assert found.miou["dusk"][5] == pytest.approx(0.25)
    assert found.miou["jpeg"][1] == 1.0
    assert found.means()["mean"] == pytest.approx(
        np.mean([list(by.values()) for by in found.miou.values()])
    )
    *_, again = measure(threshold, images, 2, ["dusk", "jpeg"], [1, 5])
    assert again.miou == found.miou
    lines = table(found, 1.0).splitlines()
    assert lines[0].split() == ["corruption", "1", "5", "mean"]
    assert lines[-1] == f"mean {100 * found.means()['mean']:.1f}, without corruption 100.0"


def test_images_have_a_randomness_of_their_own(images):
    seen = []

    def look(image):
        seen.append(image)
        return threshold(image)

    list(measure(look, images, 2, ["noise"], [5]))
    assert (seen[0] != seen[1]).any()


def test_the_command_prints_writes_and_records(tmp_path, capsys, images):
    pytest.importorskip("onnxruntime")
    for kind in ("images", "labels"):
        (tmp_path / "val" / kind).mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "val" / "images" / "a.png"), images.images[0])
    cv2.imwrite(str(tmp_path / "val" / "labels" / "a.png"), images.labels[0])
    (tmp_path / "classes.yaml").write_text(
        "classes: [{name: dark, color: [20, 20, 20]}, {name: light, color: [220, 220, 220]}]"
    )
    path = models.write_palette_model(tmp_path / "model.onnx", CLASSES, (48, 64))
    arguments = [str(path), "folder", "--root", str(tmp_path), "--record"]
    report = ["--output", str(tmp_path / "report")]
    assert (
        main([*arguments, *report, "--corruptions", "dusk", "fog", "--severities", "1", "5"]) == 0
    )
    printed = capsys.readouterr().out
    assert "calibration error" in printed
    assert "without corruption 100.0" in printed
    with (tmp_path / "report" / "corruptions.csv").open() as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows] == ["corruption", "dusk", "fog"]
    sheet = cv2.imread(str(tmp_path / "report" / "corruptions.jpg"))
    assert sheet.shape[1] == 2 * 240
    card = read_card(path)
    name = f"{tmp_path.name}/val"
    expected = {row[0]: np.mean([float(value) for value in row[1:]]) for row in rows[1:]}
    assert card.robustness[f"{name}, severities 1 and 5"] == pytest.approx(expected)  # no mean
    assert 0 <= card.calibration[name] < 0.2
    page = path.with_suffix(".md").read_text()
    assert f"| fog | {100 * expected['fog']:.1f} |" in page
    assert f"calibration error on {name}" in page
    card.robustness[name] = {"fog": 0.5}  # as an older card has it
    write_card(path, card)
    assert main([*arguments, "--corruptions", "--severities", "3"]) == 0
    (by_name,) = read_card(path).robustness.items()
    assert by_name[0] == f"{name}, severity 3"
    assert set(by_name[1]) == {*CORRUPTIONS, "mean"}
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--severities", "3"])
