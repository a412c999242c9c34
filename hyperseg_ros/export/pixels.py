"""The network from camera pixels to label pixels: what the model file computes."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor, nn

from hyperseg_ros.network import HyperSeg


class PixelsToLabels(nn.Module):
    """Pre-processing, network and post-processing in one graph.

    Args:
        network: gives logits; `mean` and `std` normalise its input.
    """

    bgr: Tensor
    scale: Tensor
    shift: Tensor

    def __init__(self, network: HyperSeg) -> None:
        super().__init__()
        self.network = network
        mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (network.mean, network.std))
        self.register_buffer("bgr", torch.tensor([2, 1, 0]))
        self.register_buffer("scale", 1 / (255 * std))
        self.register_buffer("shift", -mean / std)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Segment camera images.

        Args:
            image: uint8 [N, H, W, 3], BGR.

        Returns:
            labels: class ids, uint8 [N, H, W].
            confidence: softmax probability of the label x 255, rounded, uint8 [N, H, W].
        """
        # TensorRT knows uint8 only at the border: the first operator is the cast, and the last.
        rgb = image.float().permute(0, 3, 1, 2).index_select(1, self.bgr)
        labels, confidence = most_likely(self.network(rgb * self.scale + self.shift))
        return labels.to(torch.uint8), (confidence * 255 + 0.5).to(torch.uint8)


def most_likely(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Argmax and its softmax probability, class plane by class plane.

    The same as `argmax` (the first of equals) and `softmax().amax()`, but all of it is arithmetic
    on planes, which runtimes fuse into few passes; their reductions over channels cost several.

    Args:
        logits: float [N, classes, H, W].

    Returns:
        labels: integers, float [N, H, W].
        confidence: float [N, H, W] in (0, 1].
    """
    planes = logits.transpose(0, 1).unbind(0)
    highest = reduce(torch.maximum, planes)
    total = reduce(torch.add, [torch.exp(plane - highest) for plane in planes])
    labels = torch.full_like(highest, len(planes) - 1)
    for label in reversed(range(len(planes) - 1)):
        labels = torch.where(planes[label] == highest, float(label), labels)
    return labels, 1 / total
