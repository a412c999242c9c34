import copy
import json
from pathlib import Path

import pytest
import torch
from disks import full_disk

from hyperseg_ros.network import (
    CheckpointError,
    build,
    load_checkpoint,
    load_weights,
    save_checkpoint,
)

REFERENCE = Path(__file__).resolve().parents[1] / "data" / "reference"


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build("hyperseg-s-lite0", num_classes=5).eval()


def test_a_saved_network_comes_back_with_its_info(network, tmp_path):
    save_checkpoint(tmp_path / "a.pt", network, dataset="x", miou={"x": 0.5})
    loaded, info = load_checkpoint(tmp_path / "a.pt")
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(loaded(image), network(image))
    assert info["dataset"] == "x"
    assert info["miou"] == {"x": 0.5}
    assert len(info["sha256"]) == 64
    assert [p.name for p in tmp_path.iterdir()] == ["a.pt"]


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_published_file_loads(prefix, tmp_path):
    """Under its official names, with the `module.` of DataParallel and cached coordinates."""
    description = json.loads((REFERENCE / "camvid_hyperseg_s.json").read_text())
    state = {
        f"{prefix}{key}": torch.full(shape, float(index))
        for index, (key, shape) in enumerate(dict(description["state_dict"]).items())
    }
    state[f"{prefix}decoder.coord288_384"] = torch.zeros(1, 2, 288, 384)
    torch.save({"arch": "hyperseg_efficientnet", "state_dict": state}, tmp_path / "published.pth")
    loaded, _ = load_checkpoint(tmp_path / "published.pth", "hyperseg-s-camvid")
    weight = state[f"{prefix}decoder.level_3.0.signal2weights.weight"]
    assert torch.equal(loaded.weight_mapper.maps[3].weight, weight)
    mean = state[f"{prefix}backbone._blocks.2._bn1.running_mean"]
    assert torch.equal(loaded.encoder.blocks[2].depthwise.norm.running_mean, mean)


def test_a_published_file_needs_the_name_of_its_variant(tmp_path):
    torch.save({"state_dict": {"backbone._bn0.bias": torch.zeros(3)}}, tmp_path / "p.pth")
    with pytest.raises(CheckpointError, match="name the variant: hyperseg-s-camvid"):
        load_checkpoint(tmp_path / "p.pth")


def test_weights_that_do_not_fit_are_named(network):
    state = dict(network.state_dict())
    del state["encoder.stem.conv.weight"]
    state["encoder.surprise"] = torch.zeros(1)
    state["decoder.levels.4.norm3.bias"] = torch.zeros(9)
    with pytest.raises(CheckpointError) as error:
        load_weights(network, state)
    assert "1 missing (encoder.stem.conv.weight)" in str(error.value)
    assert "1 extra (encoder.surprise)" in str(error.value)
    assert "decoder.levels.4.norm3.bias (9,) instead of (5,)" in str(error.value)


def test_files_that_are_no_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "absent.pt")
    (tmp_path / "text.pt").write_text("not weights")
    with pytest.raises(CheckpointError, match="no PyTorch checkpoint"):
        load_checkpoint(tmp_path / "text.pt")
    for content in ([1, 2], {"weights": {}}, {"state_dict": [1, 2]}, {"state_dict": {"a": 1}}):
        torch.save(content, tmp_path / "other.pt")
        with pytest.raises(CheckpointError, match="no 'state_dict'"):
            load_checkpoint(tmp_path / "other.pt")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("key", ["encoder.stem.conv.weight", "decoder.levels.0.norm.running_var"])
def test_weights_that_are_not_finite_are_refused(network, tmp_path, key, value):
    broken = copy.deepcopy(network)
    broken.state_dict()[key].view(-1)[1] = value
    save_checkpoint(tmp_path / "diverged.pt", broken)
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(tmp_path / "diverged.pt")
    assert f"tensors are not finite (NaN or infinity), such as {key}" in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "diverged.pt"))


def test_a_run_in_progress_is_told_from_its_result(tmp_path):
    content = {"pytorch-lightning_version": "2.6", "state_dict": {"network.a": torch.zeros(1)}}
    torch.save(content, tmp_path / "last.ckpt")
    with pytest.raises(CheckpointError, match=r"state of a run in progress.*--resume"):
        load_checkpoint(tmp_path / "last.ckpt")


def test_bare_weights_load_by_the_name_of_their_variant(network, tmp_path):
    torch.save(build("hyperseg-s-lite0").state_dict(), tmp_path / "bare.pth")
    loaded, _ = load_checkpoint(tmp_path / "bare.pth", "hyperseg-s-lite0")
    assert loaded.num_classes == 11


def test_a_full_disk_leaves_the_old_checkpoint(network, tmp_path):
    path = tmp_path / "a.pt"
    save_checkpoint(path, network, run="old")
    with pytest.raises(OSError, match="File too large"), full_disk(1_000_000):
        save_checkpoint(path, network, run="new")
    assert load_checkpoint(path)[1]["run"] == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.pt"]


def test_pickled_code_is_not_run(tmp_path):
    class Payload:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    torch.save({"state_dict": {}, "info": Payload()}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()
