import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from hyperseg_ros.network import build, load_checkpoint, save_checkpoint
from hyperseg_ros.training.config import ConfigError, OptimizerConfig, load_config
from hyperseg_ros.training.module import parameter_groups
from hyperseg_ros.training.train import main, train

TINY = """
name: tiny
variant: hyperseg-s-lite0
pretrained_encoder: false
input_size: [64, 64]
precision: 32-true
data: {batch_size: 3, simulated_fraction: 0.33, simulated_drives: 1, frames_per_drive: 1,
       simulated_validation_drives: 0}
augmentation: {crop: [64, 64]}
schedule: {epochs: 3, validate_every: 2}
"""


@pytest.fixture(scope="module")
def arguments(tmp_path_factory, write_camvid):
    folder = tmp_path_factory.mktemp("training")
    (folder / "tiny.yaml").write_text(TINY)
    root = write_camvid(folder / "camvid")
    return [str(folder / "tiny.yaml"), f"data.root={root}", f"output={folder / 'runs'}"]


@pytest.fixture(scope="module")
def finished(arguments):
    """The checkpoint of a run that nothing interrupted."""
    assert main(arguments) == 0
    return Path(arguments[-1].partition("=")[2]) / "tiny" / "tiny.pt"


def test_the_result_says_what_it_is(finished):
    network, info = load_checkpoint(finished)
    assert network.num_classes == 11
    assert info["class_names"][0] == "sky"
    assert info["class_colors"][10] == [0, 128, 192]
    assert info["input_size"] == [64, 64]
    assert set(info["miou"]) == {"camvid/val"}
    assert 0 <= info["miou"]["camvid/val"] < 1
    assert "research use" in info["terms"]
    assert "3 epochs on 4 images of camvid/train + 1 images of simulated/train" in info["training"]
    assert "seed 1, from random weights; hyperseg train tiny.yaml" in info["training"]
    assert str(finished.parents[2]) not in info["training"]


def test_a_run_can_start_from_the_weights_of_another(arguments, finished, tmp_path):
    """With a rate near zero the second run can only keep what the first one learnt."""
    config = load_config(
        Path(arguments[0]),
        [
            *(text for text in arguments[1:] if not text.startswith("output")),
            f"output={tmp_path}",
            f"start_from={finished}",
            "schedule.epochs=1",
            "optimizer.learning_rate=1e-9",
            "optimizer.encoder_learning_rate=1e-9",
        ],
    )
    network, info = load_checkpoint(train(config))
    start, _ = load_checkpoint(finished)
    for (key, value), expected in zip(network.named_parameters(), start.parameters()):
        torch.testing.assert_close(value, expected, rtol=0, atol=1e-6, msg=key)
    assert "from the result of: 3 epochs" in info["training"]


def test_a_run_cannot_start_from_another_variant(arguments, tmp_path):
    save_checkpoint(tmp_path / "other.pt", build("hyperseg-s-camvid", num_classes=11))
    overrides = [*arguments[1:], f"start_from={tmp_path / 'other.pt'}", "name=other"]
    with pytest.raises(ConfigError, match=r"start_from: .*other\.pt is no hyperseg-s-lite0"):
        train(load_config(Path(arguments[0]), overrides))


def test_a_killed_run_resumes_to_the_very_same_weights(arguments, finished, tmp_path, capsys):
    arguments = [*arguments[:-1], f"output={tmp_path}"]
    command = [sys.executable, "-m", "hyperseg_ros.cli", "train", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    last = tmp_path / "tiny" / "checkpoints" / "last.ckpt"
    try:
        deadline = time.monotonic() + 300
        while not last.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "tiny" / "tiny.pt").exists()

    with pytest.raises(ConfigError, match=r"this run has begun already; add --resume"):
        main(arguments)
    with pytest.raises(ConfigError, match=r"another configuration: seed was 1, is 2"):
        main([*arguments, "seed=2", "--resume"])
    assert main([*arguments, "--resume"]) == 0
    printed = capsys.readouterr().out
    assert re.search(
        r"^epoch 3/3 step 6/6 loss \d\.\d{4} rates \S+ \S+ .* 0 min left$", printed, re.M
    )
    assert re.search(r"^validation: miou/camvid/val 0\.\d{4}$", printed, re.M)

    expected, expected_info = load_checkpoint(finished)
    resumed, info = load_checkpoint(tmp_path / "tiny" / "tiny.pt")
    assert info["miou"] == expected_info["miou"]
    for key, value in expected.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[key], value, rtol=0, atol=0)


def test_nothing_to_resume_is_an_error(arguments, tmp_path):
    with pytest.raises(ConfigError, match=r"no such checkpoint to resume; leave --resume out"):
        main([*arguments, f"output={tmp_path}", "--resume"])


def test_a_size_that_does_not_fit_names_the_nearest(arguments, tmp_path):
    config = load_config(
        Path(arguments[0]), [f"output={tmp_path}", "data.root=x", "augmentation.crop=[64, 100]"]
    )
    with pytest.raises(
        ConfigError, match=r"augmentation\.crop: .*64 x 100.*nearest valid size is 64 x 128"
    ):
        train(config)


def test_data_root_must_be_given(arguments, tmp_path):
    with pytest.raises(ConfigError, match=r"add data\.root=FOLDER"):
        main([arguments[0], f"output={tmp_path}"])


def test_encoder_and_rest_learn_at_their_own_rates():
    network = build("hyperseg-s-lite0", num_classes=11)
    config = OptimizerConfig(learning_rate=0.1, encoder_learning_rate=0.01, weight_decay=0.5)
    groups = {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in parameter_groups(network, config)
        for parameter in group["params"]
    }
    assert len(groups) == sum(1 for _ in network.parameters())
    for name, parameter in network.named_parameters():
        rate = 0.01 if name.startswith("encoder.") else 0.1
        decay = 0.5 if parameter.ndim > 1 else 0.0
        assert groups[id(parameter)] == (rate, decay), name
