"""Layers that train faster: what a network computes stays, its gradients take less time.

The network is written as the paper has it. PyTorch's own gradients of some of its layers are slow,
on CPUs most of all; here each such layer has a twin with the same parameters under the same names.
"""

from __future__ import annotations

from torch import nn

from hyperseg_ros.network.layers import SameConv2d, Swish
from hyperseg_ros.network.squeeze_excitation import SqueezeExcitation
from hyperseg_ros.training.gradients.depthwise import DepthwiseConv2d
from hyperseg_ros.training.gradients.squeeze_excitation import SqueezeExcitationBesideMeans
from hyperseg_ros.training.gradients.swish import OneStepSwish


def use_fast_gradients(network: nn.Module) -> None:
    """Replace layers of a network by their twins, in place.

    Parameters, their names, and the output in evaluation mode stay as they are.
    """
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if type(layer) is SameConv2d and layer.groups == layer.in_channels > 1:
                setattr(parent, name, DepthwiseConv2d(layer))
            elif type(layer) is SqueezeExcitation:
                setattr(parent, name, SqueezeExcitationBesideMeans(layer))
            elif type(layer) is Swish:
                setattr(parent, name, OneStepSwish())
