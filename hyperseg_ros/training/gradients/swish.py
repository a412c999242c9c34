"""Swish in one step."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from hyperseg_ros.network.layers import Swish


class OneStepSwish(Swish):
    """`Swish`, which in training keeps one map for its gradient in place of two."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.silu(x) if self.training else super().forward(x)
