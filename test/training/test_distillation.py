import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import models
from hyperseg_ros.classes import CAMVID, ClassTable
from hyperseg_ros.export.onnx_file import write_model_file
from hyperseg_ros.network import build, load_checkpoint, save_checkpoint
from hyperseg_ros.training.config import (
    AugmentationConfig,
    ConfigError,
    DataConfig,
    DistillationConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainingConfig,
)
from hyperseg_ros.training.datasets import LabelledImages
from hyperseg_ros.training.distillation import Teacher, find_teacher
from hyperseg_ros.training.prediction import normalize
from hyperseg_ros.training.train import train


class Constant(nn.Module):
    """Logits that do not depend on the image."""

    mean = std = (1.0, 1.0, 1.0)

    def __init__(self, *logits):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits).view(1, -1, 1, 1))

    def forward(self, x):
        return self.logits.expand(len(x), -1, *x.shape[2:])


IMAGES = torch.zeros(2, 3, 4, 5, dtype=torch.uint8)


def test_the_loss_is_the_divergence_from_the_teacher():
    teacher = Teacher(Constant(math.log(3), 0.0))  # 0.75 and 0.25
    logits = torch.zeros(2, 2, 4, 5, requires_grad=True)
    loss = teacher.loss(logits, IMAGES)
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert loss.item() == pytest.approx(expected, abs=1e-6)
    loss.backward()
    # The gradient of the mean over pixels: the student's probability less the teacher's.
    torch.testing.assert_close(logits.grad[:, 0], torch.full((2, 4, 5), (0.5 - 0.75) / 40))


def test_agreement_costs_nothing_and_the_teacher_does_not_learn():
    teacher = Teacher(Constant(1.0, 2.0, -1.0))
    logits = torch.tensor([4.0, 5.0, 2.0]).view(1, 3, 1, 1).expand(2, 3, 4, 5)
    loss = teacher.loss(logits.clone().requires_grad_(), IMAGES)
    assert loss.item() == pytest.approx(0, abs=1e-6)
    loss.backward()
    assert all(weight.grad is None for weight in teacher.network.parameters())


def config_of(root: Path, **changes) -> TrainingConfig:
    return replace(
        TrainingConfig(
            name="student",
            pretrained_encoder=False,
            input_size=(64, 64),
            precision="32-true",
            output=root / "runs",
            data=DataConfig(root=root, batch_size=2),
            augmentation=AugmentationConfig(crop=(64, 64)),
            optimizer=OptimizerConfig(learning_rate=1e-4, encoder_learning_rate=1e-4),
            schedule=ScheduleConfig(epochs=3, validate_every=3),
        ),
        **changes,
    )


def images_of(classes: ClassTable) -> list[LabelledImages]:
    image = np.zeros((64, 64, 3), np.uint8)
    return [LabelledImages("one", [image] * 4, [image[..., 0]] * 4, classes)]


def taught_by(path: Path, weight: float = 1.0) -> DistillationConfig:
    return DistillationConfig(path, weight)


def test_a_run_learns_from_its_teacher_as_much_as_it_is_told(tmp_path, write_camvid):
    """The student starts as its teacher: labels of noise lead it away, the teacher holds it."""
    root = write_camvid(tmp_path)
    start = tmp_path / "start.pt"
    torch.manual_seed(0)
    save_checkpoint(start, build("hyperseg-s-lite0", num_classes=11), **CAMVID.to_info())
    teacher = Teacher(load_checkpoint(start)[0])
    image = torch.randint(0, 256, (1, 3, 64, 64), generator=torch.manual_seed(1)).byte()
    config = config_of(root, start_from=start, freeze_norms=True)
    divergence = []
    for weight in (0.0, 1.0):
        taught = replace(config, name=f"student-{weight}", distillation=taught_by(start, weight))
        student, info = load_checkpoint(train(taught))
        assert "taught by start, from" in info["training"]
        with torch.no_grad():
            logits = student(normalize(image, student))
        divergence.append(teacher.loss(logits, image).item())
    assert divergence[1] < 0.5 * divergence[0]


def test_a_model_file_can_teach(tmp_path):
    network = build("hyperseg-s-lite0", num_classes=11)
    card = models.card(CAMVID, (64, 64), variant="hyperseg-s-lite0")
    write_model_file(tmp_path / "teacher.onnx", network.eval(), card, half_weights=False)
    config = config_of(tmp_path, distillation=taught_by(tmp_path / "teacher.onnx"))
    teacher = find_teacher(config, images_of(CAMVID))
    assert teacher.trained_on == card.dataset
    image = torch.randn(1, 3, 64, 64, generator=torch.manual_seed(0))
    with torch.no_grad():
        found, expected = teacher.network(image), network(image)
    assert ((found - expected).norm() / expected.norm()).item() < 1e-4


def test_a_teacher_of_other_classes_is_refused(tmp_path):
    two = ClassTable(("road", "else"), ((128, 64, 128), (0, 0, 0)))
    path = tmp_path / "two.pt"
    save_checkpoint(path, build("hyperseg-s-lite0", num_classes=2), **two.to_info())
    config = config_of(tmp_path, distillation=taught_by(path))
    with pytest.raises(
        ConfigError, match=r"distillation\.teacher: .*two\.pt knows the classes road"
    ):
        find_teacher(config, images_of(CAMVID))


def test_without_a_teacher_there_is_none(tmp_path):
    assert find_teacher(config_of(tmp_path), images_of(CAMVID)) is None
