import typing
from pathlib import Path

import pytest
import yaml

from hyperseg_ros.network import find_variant
from hyperseg_ros.training.config import ConfigError, DataConfig, Dataset, TrainingConfig
from hyperseg_ros.training.config_file import load_config
from hyperseg_ros.training.datasets import DATASETS

SHIPPED = sorted((Path(__file__).parents[2] / "config" / "training").glob("*.yaml"))


def load(tmp_path, text, *overrides):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    return load_config(path, overrides)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configurations_load_under_their_own_name(path):
    assert load_config(path).name == path.stem


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configurations_fit_their_networks(path):
    config = load_config(path)
    variant = find_variant(config.variant)
    assert variant.size == config.input_size
    divisor = 32 * 2 ** (variant.context_levels - 1)
    assert [side % divisor for side in config.augmentation.crop] == [0, 0]


def test_data_sets_have_one_list_of_names():
    assert typing.get_args(Dataset) == DATASETS


def test_an_empty_file_has_the_defaults(tmp_path):
    assert load(tmp_path, "") == TrainingConfig()


def test_overrides_replace_the_file_and_leave_the_rest(tmp_path):
    text = "seed: 7\nschedule: {epochs: 3, ema_decay: 0.5}\naugmentation: {crop: [64, 128]}\n"
    config = load(tmp_path, text, "schedule.epochs=2", "data.root=a/b", "augmentation.scale=[1, 2]")
    assert config.seed == 7
    assert config.schedule.epochs == 2
    assert config.schedule.ema_decay == 0.5
    assert config.augmentation.crop == (64, 128)
    assert config.augmentation.scale == (1.0, 2.0)
    assert config.data.root == Path("a/b")


def test_nothing_after_the_equals_sign_is_empty(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("start_from:\n")
    config = load_config(path, ["data.val=", "distillation.teacher="])
    assert config.data.val == ""
    assert config.start_from == config.distillation.teacher == Path()


def test_exponents_without_a_point_are_numbers(tmp_path):
    assert load(tmp_path, "optimizer: {learning_rate: 2e-3}").optimizer.learning_rate == 0.002


def test_a_configuration_survives_its_own_yaml(tmp_path):
    config = load(tmp_path, "", "data.root=a", "loss.name=bootstrapped", "input_size=[128, 64]")
    assert load(tmp_path, yaml.safe_dump(config.to_dict())) == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("schedule.epoch=2", r"unknown key schedule\.epoch: did you mean epochs\?"),
        ("shedule.epochs=2", r"unknown key shedule: did you mean schedule\?"),
        ("loss.name=bootstraped", r"loss\.name: .*did you mean bootstrapped\?"),
        ("schedule.epochs=two", r"schedule\.epochs: expected int, found 'two'"),
        ("schedule.epochs=true", r"schedule\.epochs: expected int, found True"),
        ("schedule.epochs=0", r"schedule\.epochs must be 1 or more, not 0"),
        ("schedule.ema_decay=1", r"schedule\.ema_decay must be 0 to below 1"),
        ("augmentation.crop=[64]", r"augmentation\.crop: expected a list of 2 values"),
        ("augmentation.scale=[2, 1]", r"augmentation\.scale must be \[lowest, highest\]"),
        ("data=5", r"data: expected a section"),
        ("name.x=1", r"name is a value, not a section"),
        ("name=a/b", r"name must be a plain file name"),
        ("data.simulated_fraction=0.97", r"leave a real image in each batch"),
        ("schedule.epochs", r"an override is written key=value"),
        ("seed=[", r"seed: '\[' is not YAML"),
    ],
)
def test_mistakes_are_named(tmp_path, override, message):
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, "name: a", override)


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot read"):
        load_config(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match=r"run\.yaml: this is not YAML"):
        load(tmp_path, "a: [")
    with pytest.raises(ConfigError, match="expected keys and values, found list"):
        load(tmp_path, "- 1")


@pytest.mark.parametrize("fraction", [0.06, 0.0624, 1e-9])
def test_a_share_of_less_than_an_image_is_refused(fraction):
    with pytest.raises(ConfigError, match=r"0, or at least an image of a batch of 8: 0\.125"):
        DataConfig(batch_size=8, simulated_fraction=fraction)


@pytest.mark.parametrize(("fraction", "images"), [(0.0, 0), (0.1, 1), (0.25, 2), (0.9, 7)])
def test_shares_of_a_batch_are_whole_images(fraction, images):
    assert DataConfig(batch_size=8, simulated_fraction=fraction).simulated_per_batch == images
