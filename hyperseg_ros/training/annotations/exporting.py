"""A split of a data set becomes files that an annotation tool imports, to correct them there."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from hyperseg_ros.training.annotations.formats import Format
from hyperseg_ros.training.annotations.regions import AnnotatedImage, regions_of
from hyperseg_ros.training.datasets.listing import Listing

LOST = (
    "instances: a class of an image is one area; what has no class is left out, but for Cityscapes"
)
"""What a tool's files do not hold of the labels."""


def export_labels(listing: Listing, tool: Format, folder: Path) -> int:
    """Write the labels of a split; the images stay where they are.

    Args:
        listing: the split.
        tool: the form of the files.
        folder: for them; created if necessary.

    Returns:
        The number of images.

    Raises:
        DatasetError: labels cannot be read.
        OSError: a file cannot be written.
    """
    images = []
    for image_path, label_path in tqdm(listing.pairs, listing.name, disable=None, leave=False):
        labels = listing.read_labels(label_path)
        regions = list(regions_of(labels, listing.classes))
        size = (labels.shape[0], labels.shape[1])
        images.append(AnnotatedImage(image_path.name, size, regions))
    folder.mkdir(parents=True, exist_ok=True)
    tool.write(images, listing.classes, folder)
    return len(images)
