import numpy as np
import pytest
import torch

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.commands.offsets import main
from hyperseg_ros.network import build, load_checkpoint, save_checkpoint
from hyperseg_ros.training.class_offsets import (
    CANDIDATES,
    Pixels,
    add_offsets,
    as_deployed,
    fit_offsets,
    miou,
    see,
)
from hyperseg_ros.training.config import AugmentationConfig, DataConfig, TrainingConfig
from hyperseg_ros.training.datasets import load_camvid
from hyperseg_ros.training.loaders import Sample, training_loader


def pixels(*rows):
    """Pixels of rows of a truth, the scores and how often they occur."""
    scores = [scores for _, scores, times in rows for _ in range(times)]
    truth = [truth for truth, _, times in rows for _ in range(times)]
    return Pixels(np.array(scores, np.float32), np.array(truth, np.int64))


def test_a_class_that_is_seen_too_rarely_is_raised_until_it_is_right():
    # Class 1 falls short by 0.32; raised by 0.62 it would take what is of class 0.
    seen = pixels((0, (1, 0), 5), (0, (1, 0.38), 5), (1, (0, 1), 5), (1, (1, 0.68), 5))
    offsets = fit_offsets([seen])
    np.testing.assert_allclose(offsets, [0, 0.35])
    assert miou(seen, np.zeros(2, np.float32)) == pytest.approx((10 / 15 + 5 / 10) / 2)
    assert miou(seen, offsets) == 1


def test_ground_keeps_its_scores_and_nothing_becomes_ground():
    random = np.random.default_rng(1)
    truth = random.integers(0, 4, 20000)
    scores = random.normal(0, 1, (20000, 4)).astype(np.float32)
    scores[np.arange(20000), truth] += 1.5
    scores[:, 0] -= 0.7
    scores[:, 3] -= 0.7
    seen = Pixels(scores, truth)
    free, held = fit_offsets([seen]), fit_offsets([seen], held=[0])
    np.testing.assert_allclose(free - free.min(), [0.7, 0, 0, 0.7], atol=0.15)
    assert held[0] == 0
    assert held[3] == pytest.approx(0.7, abs=0.3)
    before, after = scores.argmax(axis=1), (scores + held).argmax(axis=1)
    assert not ((before != 0) & (after == 0)).any()


def test_the_mean_of_the_sources_counts_not_their_pixels():
    first = pixels((0, (1, 0.68), 3), (1, (0, 1), 3))
    second = pixels((1, (1, 0.68), 400), (0, (1, 0.65), 0), (0, (1, 0), 400))
    # Alone, the first wants nothing to change, the second 0.35 and has 130 times the pixels.
    np.testing.assert_allclose(fit_offsets([first]), [0, 0])
    np.testing.assert_allclose(fit_offsets([second]), [0, 0.35])
    third = pixels((1, (1, 0.68), 10), (1, (0, 1), 90), (0, (1, 0), 100))
    np.testing.assert_allclose(fit_offsets([first, third]), [0, 0])


@pytest.mark.parametrize("name", ["hyperseg-s-lite0", "hyperseg-s-lite0+regular"])
def test_offsets_go_into_the_scores_of_a_network(name):
    network = build(name, num_classes=3).eval()
    image = torch.randn(1, 3, 64, 64)
    offsets = np.array([0, 0.5, 1.25], np.float32)
    with torch.inference_mode():
        before = network(image)
        add_offsets(network, offsets)
        after = network(image)
    expected = torch.from_numpy(offsets).reshape(1, 3, 1, 1).expand_as(before)
    torch.testing.assert_close(after - before, expected)


def test_only_labelled_pixels_are_looked_at_and_sources_are_kept_apart():
    network = build("hyperseg-s-lite0", num_classes=3).eval()
    labels = torch.full((3, 64, 64), UNLABELLED, dtype=torch.uint8)
    labels[0, :2], labels[2, 0, :5] = 1, 2
    images = torch.randint(0, 255, (3, 3, 64, 64), dtype=torch.uint8)
    batch = Sample(images, labels, images)
    first, second = see(network, [batch, batch], [2, 1])
    assert first.truth.tolist() == [1] * 256
    assert second.truth.tolist() == [2] * 10
    assert first.scores.shape == (256, 3)
    np.testing.assert_array_equal(second.scores[:5], second.scores[5:])
    assert len(see(network, [batch], [2])) == 1


def test_images_are_seen_whole_and_as_they_are(tmp_path, write_camvid):
    images = load_camvid(write_camvid(tmp_path), "train")
    augmentation = AugmentationConfig(crop=(16, 16), rotation=20, noise=1, blur=1)
    config = TrainingConfig(
        input_size=images.labels[0].shape, augmentation=augmentation, data=DataConfig(batch_size=1)
    )
    seen = {
        batch.images.numpy().tobytes() for batch in training_loader(as_deployed(config), [images])
    }
    whole = [torch.from_numpy(image).permute(2, 0, 1)[None] for image in images.images]
    assert seen == {image.contiguous().numpy().tobytes() for image in whole}


CONFIG = """
input_size: [64, 64]
data: {batch_size: 3, simulated_fraction: 0.33, simulated_drives: 1, frames_per_drive: 1}
augmentation: {crop: [64, 64]}
"""


def test_the_command_writes_a_checkpoint_that_says_so(tmp_path, write_camvid, capsys):
    root = write_camvid(tmp_path / "camvid")
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    classes = load_camvid(root, "train").classes
    torch.manual_seed(0)
    save_checkpoint(
        tmp_path / "a.pt",
        build("hyperseg-s-lite0", num_classes=11),
        **classes.to_info(),
        input_size=[64, 64],
        training="9 epochs, seed 4",
        command="hyperseg train a",
        miou={"camvid/val": 0.5},
    )
    output = tmp_path / "made" / "b.pt"
    arguments = [str(tmp_path / "a.pt"), str(tmp_path / "tiny.yaml"), f"data.root={root}"]
    held = ["--hold", "car", "sky"]
    assert main([*arguments, *held, "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    assert "mIoU on the training images: " in printed
    before, after = (load_checkpoint(path)[0].state_dict() for path in (tmp_path / "a.pt", output))
    changed = [key for key in before if not torch.equal(before[key], after[key])]
    assert changed == ["decoder.levels.4.norm3.bias"]
    added = (after[changed[0]] - before[changed[0]]).numpy()
    assert np.abs(added[:, None] - CANDIDATES).min(axis=1).max() < 1e-6
    still = [*classes.ground_ids, classes.index("car"), classes.index("sky")]
    assert added[still].tolist() == [0, 0, 0, 0]
    info = load_checkpoint(output)[1]
    assert info["training"] == (
        "class offsets fitted on images of camvid/train + simulated/train, seed 1, "
        "to: 9 epochs, seed 4"
    )
    assert info["command"] == "hyperseg train a; hyperseg offsets --hold car sky"
    # Figures of the network before would be figures of another one.
    assert "miou" not in info
