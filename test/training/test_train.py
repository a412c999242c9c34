import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import lightning
import numpy as np
import pytest
import torch

import models
from hyperseg_ros.classes import CAMVID, ClassTable
from hyperseg_ros.commands.train import main
from hyperseg_ros.export.onnx_file import write_model_file
from hyperseg_ros.network import CheckpointError, build, load_checkpoint, save_checkpoint
from hyperseg_ros.training.config import (
    ConfigError,
    OptimizerConfig,
    ScheduleConfig,
    TrainingConfig,
)
from hyperseg_ros.training.config_file import find_config, load_config
from hyperseg_ros.training.datasets import load_camvid
from hyperseg_ros.training.evaluation.evaluate import evaluate
from hyperseg_ros.training.evaluation.labellers import checkpoint_labeller
from hyperseg_ros.training.finite import DivergedError, FiniteGuard
from hyperseg_ros.training.module import SegmentationModule, parameter_groups
from hyperseg_ros.training.resuming import check_resumable
from hyperseg_ros.training.sources import load_data
from hyperseg_ros.training.starting_network import starting_network
from hyperseg_ros.training.train import train

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
    assert info["training"].endswith("seed 1, from random weights")
    assert info["seed"] == 1
    assert info["command"] == "hyperseg train tiny.yaml"
    assert list(info["iou"]["camvid/val"]) == list(info["class_names"])
    present = [iou for iou in info["iou"]["camvid/val"].values() if iou == iou]
    assert sum(present) / len(present) == pytest.approx(info["miou"]["camvid/val"])


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


def test_a_run_can_start_from_a_model_file(arguments, finished, tmp_path):
    original, info = load_checkpoint(finished)
    small = models.card(CAMVID, (64, 64), variant="hyperseg-s-lite0", training=info["training"])
    write_model_file(tmp_path / "tiny.onnx", original, small, half_weights=False)
    overrides = [*arguments[1:], f"start_from={tmp_path / 'tiny.onnx'}"]
    config = load_config(Path(arguments[0]), overrides)
    sources, _ = load_data(config)
    network, origin = starting_network(config, sources)
    assert origin.text.startswith("the result of: 3 epochs on 4 images")
    image = torch.randn(1, 3, 64, 128, generator=torch.manual_seed(0))
    with torch.inference_mode():
        expected, found = original(image), network.eval()(image)
    assert ((found - expected).norm() / expected.norm()).item() < 1e-4


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("kind", ["pt", "onnx"])
def test_norms_follow_the_data_unless_they_are_frozen(arguments, finished, tmp_path, kind, frozen):
    start, info = load_checkpoint(finished)
    path = finished
    if kind == "onnx":
        card = models.card(CAMVID, (64, 64), variant="hyperseg-s-lite0", training=info["training"])
        path = tmp_path / "tiny.onnx"
        write_model_file(path, start, card, half_weights=False)
    overrides = [
        *(text for text in arguments[1:] if not text.startswith("output")),
        f"output={tmp_path}",
        f"start_from={path}",
        f"freeze_norms={str(frozen).lower()}",
        "schedule.epochs=1",
    ]
    config = load_config(Path(arguments[0]), overrides)
    before, _ = starting_network(config, load_data(config)[0])
    after, _ = load_checkpoint(train(config))
    moved = [
        not torch.equal(old, new)
        for (name, old), new in zip(before.named_buffers(), after.buffers())
        if name.endswith("running_mean")
    ]
    assert len(moved) > 50
    assert not any(moved) if frozen else all(moved)
    weights = zip(before.parameters(), after.parameters())
    assert not all(torch.equal(old, new) for old, new in weights)


def test_a_share_of_the_start_stays_in_the_result(arguments, finished, tmp_path):
    def run(name, share):
        others = [text for text in arguments[1:] if not text.startswith("output")]
        config = load_config(
            Path(arguments[0]),
            [
                *others,
                f"output={tmp_path}",
                f"name={name}",
                f"start_from={finished}",
                "freeze_norms=true",
                f"start_share={share}",
                "schedule.epochs=1",
            ],
        )
        network, info = load_checkpoint(train(config))
        return network.state_dict(), info

    start = load_checkpoint(finished)[0].state_dict()
    (whole, plain), (blended, info) = run("whole", 0), run("blended", 0.25)
    for key, value in blended.items():
        torch.testing.assert_close(
            value, torch.lerp(whole[key].float(), start[key].float(), 0.25).to(value)
        )
    assert ", 25% of the weights as at its start, from the result of: " in info["training"]
    assert "as at its start" not in plain["training"]
    assert info["miou"].keys() == plain["miou"].keys()
    with pytest.raises(ConfigError, match="start_share must be 0 without freeze_norms=true"):
        load_config(Path(arguments[0]), [*arguments[1:], "start_share=0.5"])


def test_norms_of_an_untrained_network_cannot_be_frozen(arguments, tmp_path):
    overrides = [*arguments[1:], f"output={tmp_path}", "freeze_norms=true"]
    with pytest.raises(ConfigError, match=r"freeze_norms: .*add start_from="):
        train(load_config(Path(arguments[0]), overrides))


def test_a_run_starts_from_no_model_file_of_other_classes(arguments, tmp_path):
    classes = ClassTable(("road", "else"), ((128, 64, 128), (0, 0, 0)))
    models.write_palette_model(tmp_path / "two.onnx", classes, variant="hyperseg-s-lite0")
    config = load_config(
        Path(arguments[0]), [*arguments[1:], f"start_from={tmp_path / 'two.onnx'}", "name=two"]
    )
    with pytest.raises(ConfigError, match=r"two\.onnx knows the classes road, else; those of"):
        train(config)


def test_a_run_cannot_start_from_another_variant(arguments, tmp_path):
    save_checkpoint(tmp_path / "other.pt", build("hyperseg-s-camvid", num_classes=11))
    overrides = [*arguments[1:], f"start_from={tmp_path / 'other.pt'}", "name=other"]
    with pytest.raises(ConfigError, match=r"start_from: .*other\.pt is no hyperseg-s-lite0"):
        train(load_config(Path(arguments[0]), overrides))


def command_line(*arguments):
    return [sys.executable, "-m", "hyperseg_ros.cli", "train", *map(str, arguments)]


@pytest.fixture(scope="module")
def killed(arguments, tmp_path_factory):
    """The folder of a run that was killed once its first checkpoint was there."""
    output = tmp_path_factory.mktemp("killed")
    process = subprocess.Popen(
        command_line(*arguments[:-1], f"output={output}"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    last = output / "tiny" / "checkpoints" / "last.ckpt"
    try:
        deadline = time.monotonic() + 600
        while not last.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
    return output / "tiny"


def test_a_killed_run_resumes_to_the_very_same_weights(
    arguments, finished, killed, tmp_path, capsys
):
    arguments = [*arguments[:-1], f"output={tmp_path}"]
    shutil.copytree(killed, tmp_path / "tiny")
    assert not (tmp_path / "tiny" / "tiny.pt").exists()

    with pytest.raises(ConfigError, match=r"this run has begun already; add --resume"):
        main(arguments)
    with pytest.raises(
        ConfigError,
        match=r"another configuration: seed was 1, is 2; .* name=\.\.\. and start_from=.*last",
    ):
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


@pytest.fixture
def to_resume(arguments, finished, tmp_path):
    """The last checkpoint of a copy of the finished run, and the arguments that resume it."""
    shutil.copytree(finished.parent, tmp_path / "tiny")
    last = tmp_path / "tiny" / "checkpoints" / "last.ckpt"
    return last, [*arguments, f"output={tmp_path}", "--resume"]


def cut(path):
    path.write_bytes(path.read_bytes()[:-5000])


def empty(path):
    path.write_bytes(b"")


def overwrite(path):
    path.write_bytes(b"not a checkpoint")


def save_something_else(path):
    torch.save([1, 2], path)


@pytest.mark.parametrize("damage", [cut, empty, overwrite, save_something_else])
def test_a_damaged_checkpoint_is_not_resumed(to_resume, damage):
    last, arguments = to_resume
    damage(last)
    with pytest.raises(
        ConfigError,
        match=r"last\.ckpt: the checkpoint to resume is damaged \(.+\); "
        rf"delete {re.escape(str(last.parents[1]))} and start the run again without --resume",
    ):
        main(arguments)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("training_images", [5, 1], r"training_images was \[5, 1\], is \[4, 1\]"),
        (
            "class_names",
            ["heaven", *CAMVID.names[1:]],
            r"class_names was \['heaven', .*, is \['sky', ",
        ),
    ],
)
def test_a_run_is_not_resumed_with_other_data(to_resume, key, value, message):
    last, arguments = to_resume
    (last.parents[1] / "tiny.pt").unlink()
    checkpoint = torch.load(last, weights_only=True)
    assert checkpoint["training_images"] == [4, 1]
    assert checkpoint["class_names"] == list(CAMVID.names)
    torch.save({**checkpoint, key: value}, last)
    with pytest.raises(ConfigError, match=f"the run to resume had other data: {message}"):
        main(arguments)


def test_a_checkpoint_that_does_not_say_its_data_is_resumed(to_resume):
    last, arguments = to_resume
    (last.parents[1] / "tiny.pt").unlink()
    checkpoint = torch.load(last, weights_only=True)
    del checkpoint["training_images"], checkpoint["class_names"]
    torch.save(checkpoint, last)
    assert main(arguments) == 0
    assert (last.parents[1] / "tiny.pt").exists()


def test_a_run_that_has_ended_is_left_as_it_is(to_resume, capsys):
    last, arguments = to_resume
    result = last.parents[1] / "tiny.pt"
    before = result.stat().st_mtime_ns
    assert main(arguments) == 0
    assert (
        f"the run has ended: {result}; to train on, start_from={result}" in capsys.readouterr().out
    )
    assert result.stat().st_mtime_ns == before


def test_an_ended_run_cannot_be_longer_but_be_started_from(to_resume):
    last, arguments = to_resume
    result = last.parents[1] / "tiny.pt"
    with pytest.raises(
        ConfigError,
        match=rf"schedule\.epochs was 3, is 4; .* start_from={re.escape(str(result))}$",
    ):
        main([*arguments, "schedule.epochs=4"])


@pytest.mark.parametrize("key", ["state_dict", "current_model_state"])
def test_a_checkpoint_that_is_not_finite_is_not_resumed(to_resume, key):
    last, arguments = to_resume
    checkpoint = torch.load(last, weights_only=True)
    next(iter(checkpoint[key].values()))[0] = float("nan")
    torch.save(checkpoint, last)
    with pytest.raises(CheckpointError, match=r"last\.ckpt: 1 of \d+ tensors are not finite"):
        main(arguments)


def test_a_run_that_was_to_choose_its_precision_keeps_it(to_resume, arguments):
    last, _ = to_resume
    config = load_config(Path(arguments[0]), [*arguments[1:], "precision=auto"])
    resumed = check_resumable(config, last, last.parents[1] / "tiny.pt")
    assert resumed.config.precision == "32-true"
    assert resumed.ended


def test_a_run_that_diverges_ends_at_once(arguments, tmp_path, capsys):
    """And leaves no result, nor a checkpoint that is not finite."""
    rates = ["optimizer.learning_rate=1e9", "optimizer.encoder_learning_rate=1e9"]
    with pytest.raises(
        DivergedError,
        match=r"^step \d: the loss is .*learning_rate=1e\+09.*there is no checkpoint before it$",
    ):
        main([*arguments[:-1], f"output={tmp_path}", *rates])
    assert not list(tmp_path.rglob("*.pt"))
    assert not list(tmp_path.rglob("*.ckpt"))


def test_what_a_diverged_run_has_left_is_told(finished, tmp_path):
    last = finished.parent / "checkpoints" / "last.ckpt"
    guard = FiniteGuard(TrainingConfig(precision="16-mixed"), last)
    message = guard.message(7, float("nan"))
    assert message.startswith("step 7: the loss is nan; ")
    assert "the range of float16 (try precision=32-true)" in message
    assert message.endswith(f"start_from={last}")
    assert "the loss is 2 and the weights are not finite" in guard.message(7, 2.0)


def test_a_run_can_start_from_the_checkpoint_of_another(arguments, finished):
    last = finished.parent / "checkpoints" / "last.ckpt"
    config = load_config(Path(arguments[0]), [*arguments[1:], f"start_from={last}"])
    sources, _ = load_data(config)
    found, origin = starting_network(config, sources)
    expected, info = load_checkpoint(finished)
    assert origin == ("the checkpoint of a run, tiny", info["dataset"])
    for key, value in expected.state_dict().items():
        torch.testing.assert_close(found.state_dict()[key], value, rtol=0, atol=0)


def test_nothing_starts_from_what_is_no_checkpoint_of_a_run(arguments, tmp_path):
    (tmp_path / "last.ckpt").write_bytes(b"nothing")
    config = load_config(Path(arguments[0]), [*arguments[1:], f"start_from={tmp_path}/last.ckpt"])
    sources, _ = load_data(config)
    with pytest.raises(ConfigError, match=r"start_from: .*last\.ckpt is no checkpoint of a run"):
        starting_network(config, sources)


def test_two_processes_share_the_batches_and_the_validation(arguments, tmp_path):
    """What the run says of its validation is what evaluation says of all images."""
    overrides = [f"output={tmp_path}", "devices=2", "data.batch_size=4", "schedule.epochs=1"]
    changes = ["data.simulated_fraction=0", *overrides]
    done = subprocess.run(
        command_line(*arguments[:-1], *changes), capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("saved ") == 1
    path = tmp_path / "tiny" / "tiny.pt"
    _, info = load_checkpoint(path)
    labeller, classes, _ = checkpoint_labeller(path)
    root = Path(arguments[1].partition("=")[2])
    figures = evaluate(labeller, load_camvid(root, "val"), len(classes))
    assert info["miou"]["camvid/val"] == pytest.approx(figures.matrix.miou(), abs=1e-3)


# A process that may write no file larger than a quarter of a checkpoint, as if the disk were full.
LITTLE_SPACE = """
import resource, runpy, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, 4_000_000))
sys.argv = ["hyperseg", *sys.argv[1:]]
runpy.run_module("hyperseg_ros.cli", run_name="__main__")
"""


def test_a_full_disk_leaves_the_previous_checkpoint(arguments, killed, tmp_path):
    shutil.copytree(killed, tmp_path / "tiny")
    last = tmp_path / "tiny" / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", LITTLE_SPACE, "train", *arguments, f"output={tmp_path}", "--resume"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 1, done.stderr
    assert "could not be written" in done.stderr
    assert "the checkpoint before it is whole" in done.stderr
    assert last.read_bytes() == before


def test_nothing_to_resume_is_an_error(arguments, tmp_path):
    with pytest.raises(ConfigError, match=r"no such checkpoint to resume; leave --resume out"):
        main([*arguments, f"output={tmp_path}", "--resume"])


def test_curves_and_pictures_are_there(finished):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(finished.parent / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    assert {"miou/camvid/val", "iou/camvid/val/sky"} <= set(events.Tags()["scalars"])
    (picture, *_) = events.Images("camvid/val")
    # The batch of validation below each other; image, labels and prediction side by side.
    assert (picture.height, picture.width) == (3 * 64, 3 * 64)


def test_a_run_cannot_start_from_other_classes(arguments, finished, tmp_path):
    other = tmp_path / "other.pt"
    save_checkpoint(other, build("hyperseg-s-lite0", num_classes=2), class_names=["a", "b"])
    overrides = [*arguments[1:], f"start_from={other}", "name=other"]
    with pytest.raises(ConfigError, match="knows the classes a, b; those of the data are sky"):
        train(load_config(Path(arguments[0]), overrides))


def test_a_team_trains_on_its_own_folder(arguments, tmp_path):
    """Two colours, told apart by a network of an encoder that the configuration names."""
    table = "classes: [{name: dark, color: [9, 9, 9]}, {name: light, color: [200, 200, 200]}]"
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for index in range(4):
            labels = random.integers(0, 2, (2, 2), np.uint8).repeat(32, 0).repeat(32, 1)
            for folder, picture in (("images", labels * 200), ("labels", labels)):
                (tmp_path / split / folder).mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(tmp_path / split / folder / f"{index}.png"), picture)
    (tmp_path / "classes.yaml").write_text(table)
    overrides = [
        "data.dataset=folder",
        f"data.root={tmp_path}",
        f"output={tmp_path / 'runs'}",
        "encoder=efficientnet-lite1",
        "data.batch_size=2",
        "schedule.epochs=1",
    ]
    with pytest.raises(ConfigError, match=r"simulated streets have the classes of camvid"):
        main([arguments[0], *overrides])
    overrides.append("data.simulated_fraction=0")
    with pytest.raises(ConfigError, match=r"loss\.ground_edge must be 0: no class of .* is ground"):
        main([arguments[0], *overrides, "loss.ground_edge=0.5"])
    assert main([arguments[0], *overrides]) == 0
    loaded, info = load_checkpoint(tmp_path / "runs" / "tiny" / "tiny.pt")
    assert loaded.name == "hyperseg-s-lite0+efficientnet-lite1"
    assert info["class_names"] == ["dark", "light"]
    assert info["dataset"] == f"{tmp_path.name}/train"


def test_published_configurations_are_found_by_name():
    assert find_config("hyperseg-s-camvid").name == "hyperseg-s-camvid.yaml"
    with pytest.raises(ConfigError, match="did you mean hyperseg-s-camvid"):
        find_config("hyperseg-s-camvit")


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


def learning_rates(steps, **schedule):
    """The rate of each step of a run of Adam at 0.1."""
    config = TrainingConfig(
        optimizer=OptimizerConfig(name="adam", learning_rate=0.1, betas=(0.5, 0.9)),
        schedule=ScheduleConfig(**schedule),
    )
    network = build("hyperseg-s-lite0", num_classes=11)
    module = SegmentationModule(network, config, CAMVID, [])
    module.trainer = lightning.Trainer(max_steps=steps, barebones=True)
    made = module.configure_optimizers()
    optimizer, scheduler = made["optimizer"], made["lr_scheduler"]["scheduler"]
    assert type(optimizer) is torch.optim.Adam
    assert optimizer.defaults["betas"] == (0.5, 0.9)
    rates = []
    for _ in range(steps):
        rates.append(max(group["lr"] for group in optimizer.param_groups))
        optimizer.step()
        scheduler.step()
    return rates


def test_the_papers_schedule_is_a_power_of_what_is_left(monkeypatch):
    monkeypatch.setattr(lightning.Trainer, "estimated_stepping_batches", 10)
    rates = learning_rates(10, name="poly", power=2.0)
    assert rates == pytest.approx([0.1 * (1 - step / 10) ** 2 for step in range(10)])


def test_one_cycle_rises_and_falls(monkeypatch):
    monkeypatch.setattr(lightning.Trainer, "estimated_stepping_batches", 20)
    rates = learning_rates(20, warmup=0.2)
    peak = int(np.argmax(rates))
    assert rates[peak] == pytest.approx(0.1)
    assert peak == 3
    assert rates[-1] < 1e-4


@pytest.mark.parametrize(("steps", "warmup"), [(10, 0.1), (2, 0.5), (1, 0.1), (3, 0.9)])
def test_the_shortest_runs_have_a_one_cycle_too(steps, warmup, monkeypatch):
    monkeypatch.setattr(lightning.Trainer, "estimated_stepping_batches", steps)
    rates = learning_rates(steps, warmup=warmup)
    assert all(0 < rate <= 0.1 for rate in rates)
