"""Cityscapes, fine annotations (Cordts et al., CVPR 2016): 19 of its 34 ids are trained on."""

from __future__ import annotations

from pathlib import Path

from hyperseg_ros.classes import CITYSCAPES, UNLABELLED
from hyperseg_ros.training.datasets.label_decoding import IndexDecoder
from hyperseg_ros.training.datasets.labelled_images import DatasetError
from hyperseg_ros.training.datasets.listing import Listing

SPLITS = ("train", "val", "test")
TERMS = "Cityscapes, and models trained on it, are for non-commercial use"

TRAINED_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The id in the label files, and in files for the evaluation server, of each of the 19 classes."""

ID_COUNT = 34

_IMAGE, _LABELS = "_leftImg8bit.png", "_gtFine_labelIds.png"


def list_cityscapes(root: Path, split: str) -> Listing:
    """`leftImg8bit/<split>/<city>/*_leftImg8bit.png` and `gtFine/...*_gtFine_labelIds.png`.

    Raises:
        DatasetError: there is no such split, or nothing in it.
    """
    if split not in SPLITS:
        raise DatasetError(f"Cityscapes has no split {split!r}: it has {', '.join(SPLITS)}")
    image_folder, label_folder = root / "leftImg8bit" / split, root / "gtFine" / split
    for folder in (image_folder, label_folder):
        if not folder.is_dir():
            raise DatasetError(
                f"{folder}: no such folder; the root of Cityscapes holds leftImg8bit/ and gtFine/"
            )
    images = {path.name[: -len(_IMAGE)]: path for path in image_folder.glob(f"*/*{_IMAGE}")}
    labels = {path.name[: -len(_LABELS)]: path for path in label_folder.glob(f"*/*{_LABELS}")}
    if not images:
        raise DatasetError(f"{image_folder}: there is no CITY/*{_IMAGE} in this folder")
    unpaired = [(images[name], label_folder) for name in sorted(images.keys() - labels.keys())]
    unpaired += [(labels[name], image_folder) for name in sorted(labels.keys() - images.keys())]
    return Listing(
        f"cityscapes/{split}",
        [(images[name], labels[name]) for name in sorted(images.keys() & labels.keys())],
        IndexDecoder(
            {
                **dict.fromkeys(range(ID_COUNT), UNLABELLED),
                **{value: label for label, value in enumerate(TRAINED_IDS)},
            }
        ),
        CITYSCAPES,
        TERMS,
        unpaired,
        evaluation_ids=TRAINED_IDS,
    )
