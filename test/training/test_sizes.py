import pytest

from hyperseg_ros.training.config import AugmentationConfig, ConfigError, DataConfig, TrainingConfig
from hyperseg_ros.training.sizes import check_sizes


def run(crop, size=(128, 128), batch=2, **augmentation):
    return TrainingConfig(
        input_size=size,
        data=DataConfig(batch_size=batch),
        augmentation=AugmentationConfig(crop=crop, **augmentation),
    )


@pytest.mark.parametrize(
    ("crop", "size", "message"),
    [
        ((64, 100), (64, 64), r"augmentation\.crop: .*nearest valid size is 64 x 128"),
        ((64, 64), (60, 64), r"input_size: .*nearest valid size is 64 x 64"),
    ],
)
def test_a_size_that_does_not_fit_names_the_nearest(crop, size, message):
    with pytest.raises(ConfigError, match=message):
        check_sizes(run(crop, size), 64)


@pytest.mark.parametrize(("batch", "devices"), [(1, 1), (2, 2)])
def test_a_batch_norm_of_one_value_is_told_before_anything_is_loaded(batch, devices):
    with pytest.raises(ConfigError, match=r"data\.batch_size: crops of 64 x 64 are one pixel"):
        check_sizes(run((64, 64), batch=batch), 64, devices)
    check_sizes(run((64, 128), batch=batch), 64, devices)
    check_sizes(run((64, 64), batch=2 * devices), 64, devices)


def test_crops_larger_than_images_are_warned_of():
    plain = {"scale": (0.5, 1.0), "aspect": 1.0}
    assert check_sizes(run((128, 128), (128, 128), **plain), 64) == ""
    warning = check_sizes(run((256, 256), (128, 128), **plain), 64)
    assert "augmentation.crop of 256 x 256 is larger than an image of 128 x 128" in warning
    assert "75 % of each crop or more is border" in warning
    assert check_sizes(run((256, 256), (128, 128), scale=(0.5, 2.0), aspect=1.0), 64) == ""
