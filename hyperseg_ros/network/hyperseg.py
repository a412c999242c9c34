"""HyperSeg: the whole network on one screen (Nirkin, Wolf, Hassner, CVPR 2021, figure 2)."""

from __future__ import annotations

from torch import Tensor, nn

from hyperseg_ros.network.decoder import Decoder, resized
from hyperseg_ros.network.weight_mapper import WeightMapper
from hyperseg_ros.sizes import check_size

RGB = tuple[float, float, float]


class HyperSeg(nn.Module):
    """An encoder that generates its decoder's weights, patch by patch.

    F_1..F_n = b(I);  φ = h(F_n);  θ_mi = w_i(φ);  S = d({F_i}, {P_i} | {θ_mi})

    Args:
        encoder: b, from images, float [N, 3, H, W], to features of strides 2 to 32, fine to coarse,
            and F_n at stride 32.
        context_head: h, from F_n to φ, float [N, C, rows, columns], one pixel per patch.
        weight_mapper: w, from φ to the weights of each of the decoder's levels.
        decoder: d, from image, features and weights to logits.
        mean, std: of RGB in [0, 1], with which the encoder expects images to be normalised.
        size_divisor: input heights and widths must be multiples of it.
        name: what `zoo.build` makes this network from.
    """

    def __init__(
        self,
        encoder: nn.Module,
        context_head: nn.Module,
        weight_mapper: WeightMapper,
        decoder: Decoder,
        mean: RGB,
        std: RGB,
        size_divisor: int,
        name: str = "",
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.context_head = context_head
        self.decoder = decoder
        self.weight_mapper = weight_mapper
        self.mean, self.std = mean, std
        self.size_divisor = size_divisor
        self.name = name

    def forward(self, image: Tensor) -> Tensor:
        """Segment a batch.

        Args:
            image: float [N, 3, H, W], RGB normalised by `mean` and `std`.

        Returns:
            Logits, float [N, num_classes, H, W].

        Raises:
            ValueError: H or W is no multiple of `size_divisor`; names the nearest valid size.
        """
        check_size(image.shape[2], image.shape[3], self.size_divisor)
        features, deepest = self.encoder(image)
        weights = self.weight_mapper(self.context_head(deepest))
        logits = self.decoder([image, *features], weights)
        return resized(logits, image.shape[2:])

    @property
    def num_classes(self) -> int:
        """Classes to predict."""
        return self.decoder.num_classes
