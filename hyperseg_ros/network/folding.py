"""The network as it is deployed: batch norms folded away.

After training a batch norm is y = a x + b with constants a and b for each channel. Behind a static
convolution both go into its kernel and bias. Behind a dynamic one a goes into the rows of the
weight mapper that generate the kernel, and b stays as a static bias.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hyperseg_ros.network.hyperseg import HyperSeg
from hyperseg_ros.network.layers import ConvNorm
from hyperseg_ros.network.meta_blocks import MetaBlock


@torch.no_grad()
def deployed(network: HyperSeg, operators: str = "convolution") -> HyperSeg:
    """A copy in evaluation mode that computes the same without batch norms.

    Args:
        network: as trained.
        operators: the form of its dynamic convolutions, a key of `patches.OPERATORS`.
    """
    network = copy.deepcopy(network).eval()
    network.decoder.use_operators(operators)
    for module in network.modules():
        if isinstance(module, ConvNorm) and isinstance(module.norm, nn.BatchNorm2d):
            module.conv = fuse_conv_bn_eval(module.conv, module.norm)
            module.norm = nn.Identity()
    scales = torch.cat([_fold_meta_block(block) for block in network.decoder.meta_blocks()])
    mapper = network.weight_mapper
    for conv, counts in zip(mapper.maps, mapper.weight_counts, strict=True):
        count = sum(counts)
        weight = cast(Tensor, conv.weight)
        weight[:count] *= scales[:count].reshape(-1, 1, 1, 1)
        scales = scales[count:]
    return network


def _fold_meta_block(block: MetaBlock) -> Tensor:
    """Turn the block's norms into biases.

    Returns the scale that the norms leave for each of its weights, float [weight_count].
    """
    scales = []
    for name, weights in block.weights_per_channel.items():
        scale, bias = getattr(block, name).split()
        setattr(block, name, bias)
        scales.append(scale.repeat_interleave(weights))
    return torch.cat(scales)
