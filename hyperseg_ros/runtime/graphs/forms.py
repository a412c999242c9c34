"""The forms of the decoder that a GPU may be given; all compute the same."""

from __future__ import annotations

from onnx import ModelProto

from hyperseg_ros.runtime.graphs.planes import with_planes_in_place
from hyperseg_ros.runtime.graphs.product import with_products

FORMS = ("product", "convolution")
"""Matrix products and shifts; grouped convolutions as in the model file. Likely faster first."""


def in_form(model: ModelProto, form: str) -> ModelProto:
    """A model in one of `FORMS`, its class planes in place.

    Args:
        model: of a fixed batch, with plain weights (`precision.weights`); it is left as it is.
    """
    return with_planes_in_place(with_products(model) if form == "product" else model)
