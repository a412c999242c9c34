import csv
from dataclasses import replace

import bags
import cv2
import numpy as np
import onnx
import pytest
import torch

import models
from hyperseg_ros.classes import CAMVID, UNLABELLED
from hyperseg_ros.commands.evaluate import main
from hyperseg_ros.metrics import ConfusionMatrix
from hyperseg_ros.network import CheckpointError, build, load_checkpoint, save_checkpoint
from hyperseg_ros.runtime import read_card
from hyperseg_ros.training.datasets import (
    DatasetError,
    LabelledImages,
    listing,
    load_camvid,
    load_dataset,
)
from hyperseg_ros.training.datasets.packed import pack
from hyperseg_ros.training.evaluation.evaluate import evaluate
from hyperseg_ros.training.evaluation.labellers import Prediction, checkpoint_labeller
from hyperseg_ros.training.evaluation.report import report
from hyperseg_ros.training.prediction import predict_averaged


def answer(image):
    """Labels that each image carries in its first channel, of full confidence."""
    return Prediction(image[..., 0], np.full(image.shape[:2], 255, np.uint8))


def camvid_miou(truths, predictions):
    """The definition, image by image and class by class."""
    intersections, unions = np.zeros(11), np.zeros(11)
    for truth, prediction in zip(truths, predictions):
        labelled = truth != UNLABELLED
        for index in range(11):
            true, said = (truth == index) & labelled, (prediction == index) & labelled
            intersections[index] += (true & said).sum()
            unions[index] += (true | said).sum()
    return (intersections[unions > 0] / unions[unions > 0]).mean()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "untrained.pt"
    save_checkpoint(
        path,
        build("hyperseg-s-lite0", num_classes=11),
        class_names=list(CAMVID.names),
        class_colors=[list(color) for color in CAMVID.colors],
        class_ground=list(CAMVID.ground),
        input_size=[64, 64],
    )
    return path


def test_evaluation_equals_the_definition():
    random = np.random.default_rng(0)
    truths = [random.integers(0, 11, (30, 40), dtype=np.uint8) for _ in range(3)]
    answers = [np.where(random.random(t.shape) < 0.6, t, random.integers(0, 11)) for t in truths]
    for truth in truths:
        truth[random.random(truth.shape) < 0.1] = UNLABELLED
    # Each image carries its answer, so that the labeller has it at hand.
    images = [np.repeat(a[..., None].astype(np.uint8), 3, axis=2) for a in answers]
    labelled = LabelledImages("x", images, truths, CAMVID)
    figures = evaluate(answer, labelled, 11, keep_worst=2)
    matrix, worst = figures.matrix, figures.worst
    assert matrix.miou() == pytest.approx(camvid_miou(truths, answers), abs=1e-12)
    each = [camvid_miou([truth], [answer]) for truth, answer in zip(truths, answers)]
    assert [result.miou for result in worst] == pytest.approx(sorted(each)[:2], abs=1e-12)
    assert worst[0].index == int(np.argmin(each))


def test_a_checkpoint_labels_at_the_resolution_of_the_image(checkpoint):
    labeller, classes, _ = checkpoint_labeller(checkpoint)
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    labels, confidence = labeller(image)
    assert confidence.shape == (50, 70)
    assert confidence.min() >= 255 // 11
    assert classes == CAMVID
    assert labels.shape == (50, 70)
    assert labels.dtype == np.uint8
    assert labels.max() < 11


def test_the_command_prints_the_figures_of_the_definition(
    checkpoint, tmp_path, write_camvid, capsys
):
    root = write_camvid(tmp_path / "camvid")
    assert main([str(checkpoint), "camvid", "--root", str(root)]) == 0
    table = dict(line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines()[1:])
    images = load_camvid(root, "val")
    labeller, *_ = checkpoint_labeller(checkpoint)
    expected = camvid_miou(images.labels, [labeller(image).labels for image in images.images])
    assert float(table["mIoU"]) == pytest.approx(100 * expected, abs=0.006)
    assert {*CAMVID.names, "mIoU", "pixel accuracy", "calibration error"} <= set(table)


def test_sizes_that_differ_are_named_before_anything_is_measured(
    checkpoint, tmp_path, write_camvid, monkeypatch
):
    root = write_camvid(tmp_path / "camvid")
    cv2.imwrite(str(root / "valannot" / "3.png"), np.zeros((48, 32), np.uint8))
    monkeypatch.setattr(listing, "LARGEST_IN_MEMORY", 0)
    predictions = tmp_path / "predictions"
    command = [str(checkpoint), "camvid", "--root", str(root), "--predictions", str(predictions)]
    with pytest.raises(DatasetError, match=r"valannot/3\.png: the labels are 32 x 48, the image"):
        main(command)
    assert not predictions.exists()


@pytest.mark.parametrize("named", [True, False])
def test_each_image_of_several_splits_has_its_own_prediction(
    checkpoint, tmp_path, write_camvid, named
):
    root = write_camvid(tmp_path / "camvid")
    parts = [load_dataset("camvid", root, split) for split in ("train", "val")]
    if not named:
        parts = [replace(images, image_names=()) for images in parts]
    path, predictions = tmp_path / "data.pack", tmp_path / "predictions"
    pack(parts, path, 10_000_000)
    options = ["--root", str(path), "--split", "train+val", "--predictions", str(predictions)]
    assert main([str(checkpoint), "packed", *options]) == 0
    prefixed = [f"{split}-{index}.png" for split in ("train", "val") for index in range(4)]
    numbered = [f"image {index}.png" for index in range(8)]
    assert sorted(file.name for file in predictions.iterdir()) == (prefixed if named else numbered)


def test_a_model_file_is_measured_through_the_runtime(tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    root = tmp_path / "camvid"
    (root / "val").mkdir(parents=True)
    (root / "valannot").mkdir()
    # Painted in the colours that the model knows its classes by, but for one quarter.
    labels = np.arange(11, dtype=np.uint8).repeat(4)[None].repeat(48, 0)
    image = CAMVID.palette()[labels]
    image[:12] = CAMVID.colors[3]
    cv2.imwrite(str(root / "val" / "0.png"), image[..., ::-1])
    cv2.imwrite(str(root / "valannot" / "0.png"), labels)
    path = models.write_palette_model(tmp_path / "model.onnx", input_size=(48, 44))
    assert main([str(path), "camvid", "--root", str(root), "--backend", "onnxruntime"]) == 0
    table = dict(line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines()[1:])
    assert table["sky"] == "75.00"
    assert table["road"] == f"{100 * 48 / (48 + 10 * 12):.2f}"
    assert table["pixel accuracy"] == f"{100 * (1 - 0.25 * 10 / 11):.2f}"


def test_weights_that_are_not_finite_are_not_measured(checkpoint, tmp_path, write_camvid):
    network, info = load_checkpoint(checkpoint)
    network.encoder.stem.norm.bias.data[0] = float("nan")
    save_checkpoint(tmp_path / "nan.pt", network, **info)
    root = str(write_camvid(tmp_path / "camvid"))
    with pytest.raises(CheckpointError, match=r"nan\.pt: 1 of \d+ tensors are not finite"):
        main([str(tmp_path / "nan.pt"), "camvid", "--root", root])

    model = models.palette_model(models.card(CAMVID, (24, 32)))
    spoiled = onnx.numpy_helper.from_array(np.full(1, np.nan, np.float32), "spoiled")
    model.graph.initializer.append(spoiled)
    onnx.save(model, str(tmp_path / "nan.onnx"))
    with pytest.raises(CheckpointError, match=r"nan\.onnx: 1 of \d+ tensors are not finite"):
        main([str(tmp_path / "nan.onnx"), "camvid", "--root", root])


def test_data_without_labels_give_no_figure_and_say_so(checkpoint, tmp_path, write_camvid, capsys):
    root = write_camvid(tmp_path / "camvid")
    for path in (root / "valannot").iterdir():
        cv2.imwrite(str(path), np.full((48, 64), 11, np.uint8))
    assert main([str(checkpoint), "camvid", "--root", str(root)]) == 0
    printed = capsys.readouterr().out
    assert "warning: camvid/val: no pixel has a label: it gives no figure" in printed


def test_the_report_shows_percent_and_marks_absent_classes():
    truth = np.array([[0, 0, 1, 255]], np.uint8)
    images = LabelledImages("x", [np.zeros((1, 4, 3), np.uint8)], [truth], CAMVID)
    figures = evaluate(answer, images, 11)
    lines = report(figures, CAMVID, "title").splitlines()
    assert lines[0] == "title"
    assert lines[1].split() == ["sky", "66.67"]
    assert lines[2].split() == ["building", "0.00"]
    assert lines[3].split() == ["pole", "nan"]
    table = dict(line.rsplit(maxsplit=1) for line in lines[12:15])
    # Two of three labelled pixels are right, all with a confidence of 100 %.
    assert {name.strip(): value for name, value in table.items()} == {
        "mIoU": "33.33",
        "pixel accuracy": "66.67",
        "calibration error": "33.33",
    }
    assert lines[15] == "confidence from 0.5 on: 100.0 % of pixels, of which 66.7 % are right"


def test_missing_arguments_and_foreign_checkpoints_are_named(checkpoint, tmp_path):
    with pytest.raises(ValueError, match="add --root FOLDER"):
        main([str(checkpoint), "camvid"])
    bare = tmp_path / "bare.pt"
    save_checkpoint(bare, build("hyperseg-s-lite0", num_classes=11))
    with pytest.raises(ValueError, match="does not say its class_names, class_colors, input_size"):
        main([str(bare), "camvid"])
    for wrong in ("5", "7:7", "-3:2", "a:b"):
        with pytest.raises(SystemExit):
            main([str(checkpoint), "simulated", f"--seeds={wrong}"])


class Painter(torch.nn.Module):
    """Says class 1 on the left half of whatever it is shown, with more conviction when it is wide.

    Mirrored, that is the right half of the image: averaged with the mirror image, both tie.
    """

    mean, std, size_divisor = (0.5,) * 3, (0.5,) * 3, 32

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, images):
        self.seen.append(tuple(images.shape))
        n, _, h, w = images.shape
        logits = torch.zeros(n, 2, h, w)
        logits[:, 1, :, : w // 2] = 4
        logits[:, 0, :, w // 2 :] = 1
        return logits


def test_the_mirror_image_is_turned_back_before_the_average():
    image = np.zeros((64, 96, 3), np.uint8)
    alone = predict_averaged(Painter(), image, (64, 96))[0]
    assert (alone[:, :48] == 1).all()
    assert (alone[:, 48:] == 0).all()
    # Class 1 has 0.98 on one side and 0.27 on the other of each; their mean is above a half.
    painter = Painter()
    assert (predict_averaged(painter, image, (64, 96), flip=True)[0] == 1).all()
    assert painter.seen == [(2, 3, 64, 96)]


def test_scales_are_rounded_to_sizes_that_fit():
    painter = Painter()
    labels, _ = predict_averaged(painter, np.zeros((50, 70, 3), np.uint8), (64, 96), (0.5, 1, 1.6))
    assert painter.seen == [(1, 3, 32, 64), (1, 3, 64, 96), (1, 3, 96, 160)]
    assert labels.shape == (64, 96)
    assert (labels[:, :40] == 1).all()


def test_the_report_has_the_confusion_matrix_and_the_worst_images(
    checkpoint, tmp_path, write_camvid, capsys
):
    root = write_camvid(tmp_path / "camvid")
    output = tmp_path / "report"
    options = ["--root", str(root), "--output", str(output), "--worst", "2", "--flip"]
    assert main([str(checkpoint), "camvid", *options]) == 0
    assert "with its mirror image" in capsys.readouterr().out
    header, *rows = csv.reader((output / "confusion.csv").open())
    assert header[1:] == [*CAMVID.names, "none"]
    counts = np.array([[int(value) for value in row[1:]] for row in rows])
    images = load_camvid(root, "val")
    truths = np.concatenate([labels.ravel() for labels in images.labels])
    expected = np.bincount(truths[truths != UNLABELLED], minlength=11)
    np.testing.assert_array_equal(counts.sum(axis=1), expected)
    assert (output / "report.txt").read_text().count("\n") == 1 + 11 + 3 + 3
    worst = cv2.imread(str(output / "worst.jpg"))
    assert worst.shape[1] == 3 * 64
    assert worst.shape[0] > 2 * (48 + 20)
    side = cv2.imread(str(output / "confusion.png")).shape[0]
    assert side == 150 + 11 * 44


def test_a_model_file_gives_no_probabilities_to_average(tmp_path):
    with pytest.raises(ValueError, match="evaluate the checkpoint it was exported from"):
        main([str(tmp_path / "m.onnx"), "camvid", "--root", "x", "--flip"])


@pytest.mark.parametrize(
    "wrong",
    [
        ["m.pt", "--record"],
        ["m.pt", "--record-for", "final.onnx"],
        ["m.onnx", "--record", "--precision", "fp32"],
    ],
)
def test_only_the_figures_of_what_is_deployed_are_recorded(wrong):
    with pytest.raises(ValueError, match="--record is for model files"):
        main([wrong[0], "camvid", "--root", "x", *wrong[1:]])


def test_figures_are_recorded_in_the_card_and_on_its_page(tmp_path, write_camvid, capsys):
    path = models.write_palette_model(
        tmp_path / "model.onnx", input_size=(48, 64), miou={"camvid/val": 0.99, "other": 0.5}
    )
    graph = onnx.load(path).graph
    root = write_camvid(tmp_path / "camvid")
    assert main([str(path), "camvid", "--root", str(root), "--record"]) == 0
    card = read_card(path)
    # Each class has one grey level, so some are told apart by the palette and most are not.
    images = load_camvid(root, "val")
    matrix = ConfusionMatrix(11)
    for image, truth in zip(images.images, images.labels):
        labels, _ = models.expected(np.ascontiguousarray(image[..., ::-1]))
        matrix.update(truth, labels)
    assert card.miou == {"camvid/val": pytest.approx(matrix.miou()), "other": 0.5}
    assert card.iou["camvid/val"] == pytest.approx(dict(zip(CAMVID.names, matrix.iou())))
    assert f"{100 * matrix.miou():.1f} %" in path.with_suffix(".md").read_text()
    assert onnx.load(path).graph == graph
    assert [file.name for file in tmp_path.glob("*.partial")] == []


def test_a_twin_gives_the_figures_that_a_model_cannot_give_itself(tmp_path, write_camvid, capsys):
    root = str(write_camvid(tmp_path / "camvid"))
    twin, final = (
        models.write_palette_model(
            tmp_path / f"{name}.onnx", input_size=(48, 64), name=name, dataset=trained_on
        )
        for name, trained_on in (("twin", "camvid/train"), ("final", "camvid/train+val"))
    )
    assert main([str(twin), "camvid", "--root", root, "--record-for", str(final)]) == 0
    assert "remembers" not in capsys.readouterr().out
    name = "camvid/val, of a twin trained without it"
    assert list(read_card(final).miou) == [name]
    assert name in final.with_suffix(".md").read_text()
    assert "camvid/val" not in read_card(twin).miou

    assert main([str(final), "camvid", "--root", root, "--record"]) == 0
    said = capsys.readouterr().out
    assert f"warning: {final} was trained on camvid/val: these figures say how well it" in said
    assert "camvid/val" not in read_card(final).miou
    # The two files have the same graph.
    assert read_card(final).miou["camvid/val, seen in training"] == read_card(final).miou[name] > 0

    with pytest.raises(ValueError, match="final was trained on camvid/val too"):
        main([str(final), "camvid", "--root", root, "--record-for", str(final)])


def test_a_model_is_measured_on_the_labelled_frames_of_a_recording(tmp_path, capsys):
    path = models.write_palette_model(tmp_path / "palette.onnx", input_size=(48, 64))
    messages = bags.frames(3)
    for index, (_, kind, time, message) in enumerate(list(messages)):
        color = CAMVID.colors[index][::-1]
        message.data[:] = np.tile(np.array(color, np.uint8), 48 * 64)
        # A quarter of the truth is the next class's.
        ids = np.full((48, 64), index, np.uint8)
        ids[:12] = (index + 1) % 3
        truth = bags.image(ids, time - 10**6, "mono8")
        messages.append(("/front/ground_truth", kind, time, truth))
    bag = bags.write(tmp_path / "drive", messages)

    assert main([str(path), "recording", "--root", str(bag), "--backend", "onnxruntime"]) == 0

    # Of each class 36 rows are right, 12 are said to be another's and 12 of it are missed: 36 / 60.
    said = capsys.readouterr().out
    assert "drive, 3 images" in said
    assert "60.0" in said
