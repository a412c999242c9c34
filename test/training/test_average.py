import pytest
import torch

from hyperseg_ros.commands.average import main
from hyperseg_ros.network import CheckpointError, build, load_checkpoint, save_checkpoint

INFO = {"class_names": ["a", "b"], "class_colors": [[0, 0, 0], [1, 1, 1]], "input_size": [64, 64]}


@pytest.fixture
def runs(tmp_path):
    paths = []
    for seed in (4, 5):
        torch.manual_seed(seed)
        network = build("hyperseg-s-lite0", num_classes=2)
        network.encoder.stem.norm.running_mean.fill_(seed)
        path = tmp_path / f"{seed}.pt"
        info = {
            "training": f"9 epochs, seed {seed}",
            "seed": seed,
            "command": f"train {seed}",
            "miou": {"x/val": seed / 10},
        }
        save_checkpoint(path, network, **INFO, **info)
        paths.append(path)
    return paths


def test_weights_and_statistics_are_the_mean(runs, tmp_path):
    output = tmp_path / "made" / "mean.pt"
    assert main([*map(str, runs), "--output", str(output)]) == 0
    mean, info = load_checkpoint(output)
    first, second = (load_checkpoint(path)[0].state_dict() for path in runs)
    for key, value in mean.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (first[key] + second[key]) / 2)
    assert mean.encoder.stem.norm.running_mean.unique().tolist() == [4.5]
    assert info["training"] == (
        "mean of the weights of 2 runs, of seeds 4, 5, with 40.0, 50.0 % on x/val, each: "
        "9 epochs, seed 4"
    )
    assert info["command"] == "train 4; train 5; hyperseg average"
    assert info["class_names"] == ["a", "b"]
    # Figures of one of them would be figures of another network.
    assert "miou" not in info


def test_what_has_no_mean_is_refused(runs, tmp_path, capsys):
    output = ["--output", str(tmp_path / "mean.pt")]
    other = tmp_path / "other.pt"
    save_checkpoint(other, build("hyperseg-s-lite0+regular", num_classes=2), **INFO)
    with pytest.raises(ValueError, match=r"other\.pt is a hyperseg-s-lite0\+regular, .*4\.pt a"):
        main([str(runs[0]), str(other), *output])
    save_checkpoint(
        other, build("hyperseg-s-lite0", num_classes=2), **{**INFO, "class_names": ["a", "c"]}
    )
    with pytest.raises(ValueError, match="differ in their class names"):
        main([str(runs[0]), str(other), *output])
    with pytest.raises(SystemExit):
        main([str(runs[0]), *output])
    assert "two checkpoints or more" in capsys.readouterr().err
    assert not (tmp_path / "mean.pt").exists()


def test_weights_that_are_not_finite_have_no_mean(runs, tmp_path):
    network, info = load_checkpoint(runs[1])
    network.encoder.stem.norm.running_var[3] = float("inf")
    save_checkpoint(runs[1], network, **info)
    message = r"5\.pt: 1 of \d+ tensors are not finite .* encoder\.stem\.norm\.running_var: "
    with pytest.raises(CheckpointError, match=message):
        main([*map(str, runs), "--output", str(tmp_path / "mean.pt")])
    assert not (tmp_path / "mean.pt").exists()
