"""The network as it is deployed: batch norms folded away.

After training a batch norm is y = a x + b with constants a and b for each channel. Behind a static
convolution both go into its kernel and bias. Behind a dynamic one a goes into the rows of the
weight mapper that generate the kernel, and b stays as a static bias.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hyperseg_ros.network.hyperseg import HyperSeg
from hyperseg_ros.network.layers import ConvNorm
from hyperseg_ros.network.meta_blocks import PatchConvolution, PatchInvertedResidual


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
        if isinstance(module, ConvNorm):
            module.conv = fuse_conv_bn_eval(module.conv, module.norm)
            module.norm = nn.Identity()
    rows = torch.cat([_fold_meta_block(block) for block in network.decoder.levels])
    for conv, count in zip(
        network.weight_mapper.maps, network.weight_mapper.weight_counts, strict=True
    ):
        conv.weight[:count] *= rows[:count].reshape(-1, 1, 1, 1)
        rows = rows[count:]
    return network


def _fold_meta_block(block: PatchConvolution | PatchInvertedResidual) -> Tensor:
    """Turn the block's norms into biases.

    Returns the factor that the norms leave for each of its weights, float [weight_count].
    """
    if isinstance(block, PatchConvolution):
        scale, block.norm = block.norm.split()
        return scale.repeat_interleave(block.in_channels)
    expand, block.norm1 = block.norm1.split()
    depthwise, block.norm2 = block.norm2.split()
    project, block.norm3 = block.norm3.split()
    return torch.cat(
        (
            expand.repeat_interleave(block.in_channels),
            depthwise.repeat_interleave(9),
            project.repeat_interleave(block.hidden_channels),
        )
    )
