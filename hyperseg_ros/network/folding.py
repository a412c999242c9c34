"""The network as it is deployed: batch norms folded away, operators in the form graphs want.

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
from hyperseg_ros.network.patches import patch_depthwise_by_shifts, patch_pointwise


class ChannelBias(nn.Module):
    """Adds a constant to each channel of float [N, C, H, W]."""

    def __init__(self, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("bias", bias.reshape(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


@torch.no_grad()
def deployed(network: HyperSeg) -> HyperSeg:
    """A copy in evaluation mode that computes the same without batch norms.

    Its dynamic convolutions are matrix products and shifted multiply-adds, the forms that ONNX
    Runtime, OpenVINO and TensorRT run with generated weights.
    """
    network = copy.deepcopy(network).eval()
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
    """Give the block its deployed operators and, for norms, biases.

    Returns the factor that the norms leave for each of its weights, float [weight_count].
    """
    block.pointwise = patch_pointwise
    if isinstance(block, PatchConvolution):
        scale, block.norm = _split_norm(block.norm)
        return scale.repeat_interleave(block.in_channels)
    block.depthwise = patch_depthwise_by_shifts
    expand, block.norm1 = _split_norm(block.norm1)
    depthwise, block.norm2 = _split_norm(block.norm2)
    project, block.norm3 = _split_norm(block.norm3)
    return torch.cat(
        (
            expand.repeat_interleave(block.in_channels),
            depthwise.repeat_interleave(9),
            project.repeat_interleave(block.hidden_channels),
        )
    )


def _split_norm(norm: nn.BatchNorm2d) -> tuple[Tensor, ChannelBias]:
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return scale, ChannelBias(norm.bias - norm.running_mean * scale)
