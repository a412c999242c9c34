"""The data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hyperseg_ros.training.datasets.camvid import list_full_size, list_hyperseg, list_segnet
from hyperseg_ros.training.datasets.cityscapes import list_cityscapes
from hyperseg_ros.training.datasets.folder import list_folder
from hyperseg_ros.training.datasets.labelled_images import DatasetError, LabelledImages, joined
from hyperseg_ros.training.datasets.listing import Listing
from hyperseg_ros.training.datasets.packed import load_packed
from hyperseg_ros.training.datasets.voc import list_voc

LISTINGS: dict[str, Callable[[Path, str], Listing]] = {
    "camvid": list_segnet,
    "camvid-960": list_full_size,
    "camvid-hyperseg": list_hyperseg,
    "cityscapes": list_cityscapes,
    "voc": list_voc,
    "folder": list_folder,
}
"""The data sets that are folders of files."""

DATASETS = (*LISTINGS, "packed")
"""All data sets with a root: a folder, or the file of `packed`."""


def list_dataset(name: str, root: Path, split: str) -> Listing:
    """The files of a split. Raises DatasetError where they are not there."""
    if name not in LISTINGS:
        raise DatasetError(f"{name} is no data set of files: those are {', '.join(LISTINGS)}")
    return LISTINGS[name](root, split)


def load_dataset(name: str, root: Path, splits: str, check_all: bool = False) -> LabelledImages:
    """One split of a data set, or several as in "train+val".

    Args:
        name: one of `DATASETS`.
        root: its folder or file.
        splits: names of splits with + between them.
        check_all: see `Listing.load`.

    Raises:
        DatasetError: the data are not there or cannot be used; says which file and why.
    """
    parts = []
    for split in splits.split("+"):
        if name == "packed":
            parts.append(load_packed(root, split))
        else:
            parts.append(list_dataset(name, root, split).load(check_all))
    return joined(parts)
