"""Whether a data set can be trained on: all that is wrong with its files and labels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.training.datasets.diagnosis import absent_classes, diagnose, nothing_to_learn
from hyperseg_ros.training.datasets.labelled_images import DatasetError
from hyperseg_ros.training.datasets.listing import Listing
from hyperseg_ros.training.datasets.survey import Survey

_VALUES = 5
"""Values of no class that are listed of a file."""


@dataclass
class Findings:
    """What a data set holds and what is wrong with it.

    Attributes:
        name: of the set.
        classes: of its labels.
        images: pairs of image and labels that were looked at.
        survey: what they hold.
        problems: what is wrong, each a line; what files have in common comes first.
        notes: what was assumed of the files' names, each a line.
        samples: some images with their labels, for a picture.
    """

    name: str
    classes: ClassTable
    images: int
    survey: Survey
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    samples: list[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]] = field(default_factory=list)


def check(listing: Listing, samples: int = 12) -> Findings:
    """Decode every file of a split, and collect all that is wrong instead of stopping at it.

    Args:
        listing: the split.
        samples: images to keep for a picture, spread over the split.
    """
    survey = Survey(len(listing.classes))
    found = Findings(listing.name, listing.classes, len(listing.pairs), survey)
    found.notes += listing.notes
    of_files = [f"{path}: no partner in {absent}" for path, absent in listing.unpaired]
    chosen = set(np.linspace(0, len(listing.pairs) - 1, samples).round().astype(int).tolist())
    shown = tqdm(listing.pairs, listing.name, disable=None, leave=False)
    for index, (image_path, label_path) in enumerate(shown):
        try:
            facts, image, labels = listing.look_at(image_path, label_path)
        except DatasetError as error:
            of_files.append(str(error))
            continue
        if facts.unknown:
            first = list(facts.unknown.items())[:_VALUES]
            pixels = ", ".join(f"{value} ({n} pixels)" for value, n in first)
            more = len(facts.unknown) - len(first)
            rest = f" and {more} more" if more else ""
            of_files.append(f"{label_path}: labels of no class: {pixels}{rest}")
        survey.add(facts)
        if index in chosen and image is not None:
            found.samples.append((image_path.stem, image, labels))
    if survey.sizes:
        found.problems += diagnose(survey, listing.classes, listing.decoder)
        pixels = survey.pixels.tolist()
        spoiled = nothing_to_learn(listing.classes, pixels)
        found.problems += filter(None, [spoiled, absent_classes(listing.classes, pixels)])
    found.problems += of_files
    return found
