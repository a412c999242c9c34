"""PASCAL VOC 2012 (Everingham et al., 2010), and SBD (Hariharan et al., ICCV 2011) to train on.

The root is a `VOC2012` folder with `JPEGImages`, `SegmentationClass` and `ImageSets/Segmentation`;
SBD lies in it as `SegmentationClassAug`, the widespread form with all labels as PNG of ids.
"""

from __future__ import annotations

from pathlib import Path

from hyperseg_ros.classes import PASCAL_VOC, UNLABELLED
from hyperseg_ros.training.datasets.label_decoding import (
    ColorDecoder,
    EitherDecoder,
    IndexDecoder,
    class_ids,
)
from hyperseg_ros.training.datasets.labelled_images import DatasetError
from hyperseg_ros.training.datasets.listing import Listing

SPLITS = ("train", "val", "trainval", "train_aug")
TERMS = "the images are Flickr's, under Flickr's terms of use"
BORDER = (224, 224, 192)
"""The colour of pixels between objects, which no class has."""


def list_voc(root: Path, split: str) -> Listing:
    """VOC's own lists, or `train_aug`: all that SBD labels but VOC's val images.

    Raises:
        DatasetError: there is no such split, or a folder or list is missing.
    """
    if split not in SPLITS:
        raise DatasetError(f"PASCAL VOC has no split {split!r}: it has {', '.join(SPLITS)}")
    nested = root / "VOCdevkit" / "VOC2012"
    root = nested if nested.is_dir() else root
    images = _folder(root / "JPEGImages")
    if split == "train_aug":
        labels = _folder(root / "SegmentationClassAug")
        held_out = set(_names(root, "val"))
        names = sorted(path.stem for path in labels.glob("*.png") if path.stem not in held_out)
    else:
        labels = _folder(root / "SegmentationClass")
        names = _names(root, split)
    pairs = [(images / f"{name}.jpg", labels / f"{name}.png") for name in names]
    if not pairs:
        raise DatasetError(f"{labels}: there are no labels of {split} in this folder")
    unpaired = [(label, images) for image, label in pairs if not image.is_file()]
    unpaired += [(image, labels) for image, label in pairs if not label.is_file()]
    colors = {color: index for index, color in enumerate(PASCAL_VOC.colors)}
    return Listing(
        f"voc/{split}",
        [(image, label) for image, label in pairs if image.is_file() and label.is_file()],
        EitherDecoder(
            IndexDecoder(class_ids(PASCAL_VOC)), ColorDecoder({**colors, BORDER: UNLABELLED})
        ),
        PASCAL_VOC,
        TERMS,
        unpaired,
    )


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise DatasetError(
            f"{path}: no such folder; the root of PASCAL VOC holds JPEGImages/, "
            f"SegmentationClass/, ImageSets/Segmentation/, and for train_aug SegmentationClassAug/"
        )
    return path


def _names(root: Path, split: str) -> list[str]:
    path = root / "ImageSets" / "Segmentation" / f"{split}.txt"
    try:
        return path.read_text(encoding="utf-8").split()
    except OSError as error:
        raise DatasetError(f"{path}: cannot read the list of images: {error.strerror}") from None
