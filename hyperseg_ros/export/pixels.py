"""The network from camera pixels to label pixels: what the model file computes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hyperseg_ros.network import HyperSeg


class PixelsToLabels(nn.Module):
    """Pre-processing, network and post-processing in one graph.

    Args:
        network: gives logits; `mean` and `std` normalise its input.
    """

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
        logits = self.network(rgb * self.scale + self.shift)
        labels, confidence = logits.argmax(dim=1), logits.softmax(dim=1).amax(dim=1)
        return labels.to(torch.uint8), (confidence * 255 + 0.5).to(torch.uint8)
