"""`hyperseg export`: a checkpoint in, a verified model file and its card as Markdown out."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.export.onnx_file import write_model_file
from hyperseg_ros.export.verification import verify
from hyperseg_ros.network import HyperSeg, find_variant, load_checkpoint
from hyperseg_ros.network.patches import OPERATORS
from hyperseg_ros.runtime.card import ModelCard
from hyperseg_ros.runtime.drawing import colorize, overlay
from hyperseg_ros.runtime.image_files import read_image
from hyperseg_ros.runtime.markdown import write_card_page
from hyperseg_ros.runtime.options import image_size, positive
from hyperseg_ros.runtime.segmenter import Segmenter

TERMS_UNKNOWN = "ask whoever trained the model which data it was trained on, and under which terms"


def main(argv: Sequence[str] | None = None) -> int:
    """Export, and print what was verified and where the file lies.

    Raises:
        ValueError: the checkpoint cannot be used, the size does not fit the network, or the file
            failed verification and was not kept.
    """
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
        "--size", type=image_size, metavar="HxW", help="input height x width; default: as trained"
    )
    parser.add_argument(
        "--variant", metavar="NAME", help="for published checkpoints, which don't say"
    )
    parser.add_argument("--batch", type=positive, default=1, metavar="N", help="images a call")
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
    parser.add_argument("--license", default="Apache-2.0", help="licence of the weights")
    parser.add_argument("--terms", help="what the training data allow the model to be used for")
    options = parser.parse_args(argv)

    # The exporter warns of operators of packages that are not installed, which nothing here uses.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    network, info = load_checkpoint(options.checkpoint, options.variant)
    output = options.output or options.checkpoint.with_suffix(".onnx")
    if output.suffix != ".onnx":
        parser.error(f"--output must end in .onnx, not {output.name}")
    card = _card(network, info, output.stem, options)
    unverified = output.with_name(f"{output.stem}.unverified.onnx")
    try:
        write_model_file(
            unverified,
            network,
            card,
            batch=options.batch,
            half_weights=not options.fp32_weights,
            operators=options.operators,
        )
        for agreement in verify(unverified, network, card.input_size, options.batch):
            print(
                f"{agreement.backend}: {agreement.labels:.3%} of the labels and "
                f"{agreement.confidence:.3%} of the confidences as PyTorch's"
            )
            agreement.check()
        unverified.replace(output)
    finally:
        unverified.unlink(missing_ok=True)
    if options.picture:
        write_picture(output, options.picture, output.with_suffix(".jpg"))
    write_card_page(output, card)
    print(f"verified and saved {output} ({output.stat().st_size / 1e6:.1f} MB)")
    return 0


def write_picture(model: Path, image: Path, output: Path) -> None:
    """Write an image beside itself with the labels that a model file gives it over it.

    Raises:
        ValueError: the image does not decode.
    """
    pixels = read_image(image)
    with Segmenter.open(model) as segmenter:
        labels = segmenter(pixels).labels
        palette = segmenter.card.classes.palette()[:, ::-1]
    shown = overlay(pixels, colorize(labels, palette), 0.6)
    cv2.imwrite(str(output), np.concatenate((pixels, shown), axis=1))


def _card(
    network: HyperSeg, info: dict[str, Any], name: str, options: argparse.Namespace
) -> ModelCard:
    variant = find_variant(network.name)
    classes = ClassTable.from_info(info) if "class_names" in info else variant.classes
    return ModelCard(
        name=name,
        variant=variant.name,
        classes=classes,
        input_size=options.size or tuple(info.get("input_size", variant.size)),
        dataset=info.get("dataset", "as published by the authors of HyperSeg"),
        training=info.get("training", "as published by the authors of HyperSeg"),
        miou=info.get("miou", {}),
        command=info.get("command", ""),
        iou={
            dataset: {name: iou for name, iou in scores.items() if iou == iou}  # none is nan
            for dataset, scores in info.get("iou", {}).items()
        },
        source_sha256=info["sha256"],
        license=options.license,
        terms=options.terms or info.get("terms", TERMS_UNKNOWN),
    )
