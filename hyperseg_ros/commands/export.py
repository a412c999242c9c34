"""`hyperseg export`: a checkpoint in, a verified model file and its card as Markdown out."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.commands.options import image_size, positive
from hyperseg_ros.export.checkpoint import LICENSE, card_of, export_network
from hyperseg_ros.export.picture import write_picture
from hyperseg_ros.network import load_checkpoint
from hyperseg_ros.network.patches import OPERATORS
from hyperseg_ros.runtime.markdown import write_card_page


def main(argv: Sequence[str]) -> int:
    """Export, and print what was verified and where the file is.

    Raises:
        ValueError: the checkpoint cannot be used, the size does not fit the network, or the file
            failed verification and was not kept.
    """
    options = _parse(argv)
    network, info = load_checkpoint(options.checkpoint, options.variant)
    output = options.output or options.checkpoint.with_suffix(".onnx")
    card = card_of(network, info, output.stem, options.size, options.license, options.terms)
    agreements = export_network(
        output,
        network,
        card,
        batch=options.batch,
        half_weights=not options.fp32_weights,
        operators=options.operators,
    )
    for agreement in agreements:
        print(
            f"{agreement.backend}: agrees with PyTorch on {agreement.labels:.3%} of the labels and "
            f"{agreement.confidence:.3%} of the confidences"
        )
    if options.picture:
        write_picture(output, options.picture, output.with_suffix(".jpg"))
    write_card_page(output, card)
    print(f"verified and saved {output} ({output.stat().st_size / 1e6:.1f} MB)")
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hyperseg export",
        description="Write a checkpoint as a model file: one ONNX with pre- and post-processing "
        "in the graph and the model card in the metadata, verified against PyTorch.",
    )
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="default: CHECKPOINT with .onnx"
    )
    parser.add_argument(
        "--size",
        type=image_size,
        metavar="HEIGHTxWIDTH",
        help="input height x width in pixels, such as 384x640; default: as trained",
    )
    parser.add_argument(
        "--variant", metavar="NAME", help="for published checkpoints, which don't say"
    )
    parser.add_argument("--batch", type=positive, default=1, metavar="N", help="batch size")
    parser.add_argument(
        "--fp32-weights", action="store_true", help="store weights as float32, not float16"
    )
    parser.add_argument(
        "--operators",
        choices=OPERATORS,
        default="convolution",
        help="form of the dynamic convolutions: grouped convolutions, the default, for CPUs; "
        "matrix products and shifted sums, for GPUs",
    )
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="IMAGE",
        help="show this image and its labels on the card's page",
    )
    parser.add_argument("--license", default=LICENSE, help="licence of the weights")
    parser.add_argument("--terms", help="what the training data allow the model to be used for")
    options = parser.parse_args(argv)
    if options.output and options.output.suffix != ".onnx":
        parser.error(f"--output must end in .onnx, not {options.output.name}")
    return options
