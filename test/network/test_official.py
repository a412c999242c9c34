import pytest

from hyperseg_ros.network.official import network_key

PAIRS = {
    # every kind of name in the published v1.0, unified and v0.1 checkpoints
    "backbone._conv_stem.weight": "encoder.stem.conv.weight",
    "backbone._bn0.bias": "encoder.stem.norm.bias",
    "backbone._blocks.12._expand_conv.weight": "encoder.blocks.12.expand.conv.weight",
    "backbone._blocks.3._bn0.running_var": "encoder.blocks.3.expand.norm.running_var",
    "backbone._blocks.0._depthwise_conv.weight": "encoder.blocks.0.depthwise.conv.weight",
    "backbone._blocks.0._se_reduce.bias": "encoder.blocks.0.squeeze_excitation.reduce.bias",
    "backbone._blocks.0._bn2.weight": "encoder.blocks.0.project.norm.weight",
    "backbone._feat_fc_2.0.weight": "encoder.reductions.2.conv.weight",
    "backbone._feat_fc_2.1.running_mean": "encoder.reductions.2.norm.running_mean",
    "backbone._conv_head.weight": "encoder.head.conv.weight",
    "backbone._bn1.num_batches_tracked": "encoder.head.norm.num_batches_tracked",
    "weight_mapper.in_conv.0.weight": "context_head.reduce.conv.weight",
    "weight_mapper.down_blocks.0.1.bias": "context_head.down.0.norm.bias",
    "weight_mapper.up_blocks.1.0.weight": "context_head.up.1.conv.weight",
    "decoder.level_0.0.0.signal2weights.weight": "weight_mapper.maps.0.weight",
    "decoder.level_4.0.signal2weights.weight": "weight_mapper.maps.4.weight",
    "decoder.level_1.0.1.running_var": "decoder.levels.1.norm.running_var",
    "decoder.level_3.0.bn2.weight": "decoder.levels.3.norm2.weight",
    "decoder.weight_blocks.3.signal2weights.weight": "weight_mapper.maps.3.weight",
    "decoder.level_blocks.2.0.1.bias": "decoder.levels.2.norm.bias",
    "decoder.level_blocks.4.0.bn3.bias": "decoder.levels.4.norm3.bias",
    "weight_mapper.down_1.0.weight": "context_head.down.1.conv.weight",
    "weight_mapper.flat_0.1.weight": "context_head.up.0.norm.weight",
    "weight_mapper.out_conv.conv_5.weight": "weight_mapper.maps.5.weight",
    "decoder.level_2.0.conv.0.1.weight": "decoder.levels.2.norm1.weight",
    "decoder.level_5.0.conv.2.1.bias": "decoder.levels.5.norm3.bias",
}


@pytest.mark.parametrize(("official", "ours"), PAIRS.items())
def test_every_kind_of_published_name_is_known(official, ours):
    assert network_key(official) == ours
