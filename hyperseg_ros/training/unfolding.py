"""The way back from the deployed form to one that trains: batch norms put in again.

A folded kernel does not say which batch norm went into it, and need not: any statistics will do if
scale and shift undo them. Training then goes on best with those of the images it will see, since
its norms use each batch's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from hyperseg_ros.network.checkpoint import CheckpointError, load_weights
from hyperseg_ros.network.dynamic_conv_norm import DynamicConvNorm
from hyperseg_ros.network.hyperseg import HyperSeg
from hyperseg_ros.network.layers import ConvNorm


@torch.no_grad()
def load_deployed_weights(
    network: HyperSeg, state: Mapping[str, Tensor], images: Iterable[Tensor]
) -> None:
    """Give a network the function of its deployed form, with batch norms that fit the images.

    Args:
        network: to fill; it is left in evaluation mode.
        state: the state dict of `folding.deployed` of such a network.
        images: batches to take the statistics from, float [N, 3, H, W], normalised.

    Raises:
        CheckpointError: the weights do not fit the network; says which.
    """
    state = dict(state)
    norms = list(_norms(network))
    missing = [bias for _, bias, _ in norms if bias not in state]
    if missing:
        raise CheckpointError(f"missing from the deployed weights: {', '.join(missing)}")
    for name, bias, norm in norms:
        state[f"{name}.bias"] = state.pop(bias)
        state[f"{name}.weight"] = torch.ones_like(norm.weight)
        state[f"{name}.running_mean"] = torch.zeros_like(norm.weight)
        state[f"{name}.running_var"] = torch.full_like(norm.weight, 1 - norm.eps)
        state[f"{name}.num_batches_tracked"] = torch.tensor(0)
    load_weights(network, state)
    _measure(network.eval(), [norm for *_, norm in norms], images)


def _norms(network: HyperSeg) -> Iterator[tuple[str, str, nn.BatchNorm2d]]:
    """Each norm with its name, and the name of the bias that folding turns it into."""
    for name, module in network.named_modules():
        if isinstance(module, ConvNorm) and isinstance(module.norm, nn.BatchNorm2d):
            yield f"{name}.norm", f"{name}.conv.bias", module.norm
        elif isinstance(module, DynamicConvNorm):
            yield name, f"{name}.bias", module


def _measure(network: HyperSeg, norms: Sequence[nn.BatchNorm2d], images: Iterable[Tensor]) -> None:
    """Set the statistics of norms that only add a bias to those of what they are given."""
    sums: dict[nn.BatchNorm2d, Tensor] = {}

    def add(norm: nn.Module, _: object, output: Tensor) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        height, width = output.shape[2:]
        # The channels of a DynamicConvNorm are those of all patches, one patch after the other.
        values = output.reshape(-1, norm.num_features, height, width) - norm.bias[:, None, None]
        count = torch.full_like(norm.bias, values[:, 0].numel(), dtype=torch.double)
        moments = [part.sum((0, 2, 3), dtype=torch.double) for part in (values, values.square())]
        total = torch.stack([count, *moments])
        sums[norm] = sums[norm] + total if norm in sums else total

    handles = [norm.register_forward_hook(add) for norm in norms]
    for batch in images:
        for image in batch.split(1):  # each alone gives what all together would, in less memory
            network(image)
    for handle in handles:
        handle.remove()
    for norm, (count, total, squares) in sums.items():
        mean = total / count
        variance = (squares / count - mean.square()).clamp(min=0)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.add_(mean)
