"""The usual mistakes in label files, told by their pattern, and what mends each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from hyperseg_ros.classes import UNLABELLED, ClassTable
from hyperseg_ros.training.datasets.label_decoding import LabelDecoder
from hyperseg_ros.training.datasets.survey import EQUAL_CHANNELS, Survey

_DARK, _DARK_OF_16_BITS = 63, 31
"""Largest values, of 255, of images that are too dark to be right."""
_SMEARED = 4
"""Unknown values, in numbers of the classes, from which on they come of blurring."""


def diagnose(survey: Survey, classes: ClassTable, decoder: LabelDecoder) -> list[str]:
    """What is wrong with a split by its counts: a sentence with the remedy per pattern."""
    patterns: tuple[Callable[[Survey, ClassTable, LabelDecoder], str], ...] = (
        _lossy,
        _in_one_channel,
        _swapped_channels,
        _smeared,
        _binary,
        _stretched,
        _shifted,
        _dark,
    )
    found = (pattern(survey, classes, decoder) for pattern in patterns)
    return [sentence for sentence in found if sentence]


def _lossy(survey: Survey, classes: ClassTable, decoder: LabelDecoder) -> str:
    if not survey.lossy:
        return ""
    return (
        f"{len(survey.lossy)} label files are in a lossy format, such as {survey.lossy[0]}: JPEG "
        f"and lossy WebP change ids and colours at every edge; export the labels again, as PNG"
    )


def _in_one_channel(survey: Survey, classes: ClassTable, decoder: LabelDecoder) -> str:
    for channel, files in survey.channels.most_common(1):
        where = "as grey, R = G = B" if channel == EQUAL_CHANNELS else f"in the {channel} channel"
        one = "one channel" if channel == EQUAL_CHANNELS else f"the {channel} channel"
        return (
            f"{files} label files of three channels hold ids {where}, which are read as colours: "
            f"save {one} alone"
        )
    return ""


def _swapped_channels(survey: Survey, classes: ClassTable, decoder: LabelDecoder) -> str:
    colors = {f"({b}, {g}, {r})": name for name, (r, g, b) in zip(classes.names, classes.colors)}
    swapped = [color for color in survey.unknown if color in colors]
    if not swapped or len(swapped) < len(survey.unknown):
        return ""
    return (
        f"the colours are those of the classes with red and blue swapped, such as {swapped[0]} for "
        f"{colors[swapped[0]]}: write the label files in RGB, or the class table in their order"
    )


def _smeared(survey: Survey, classes: ClassTable, decoder: LabelDecoder) -> str:
    if survey.lossy or len(survey.unknown) <= max(8, _SMEARED * len(classes)):
        return ""
    return (
        f"{len(survey.unknown)} values are of no class, far more than there are classes, as where "
        f"labels were resized with interpolation, smoothed or saved as JPEG: export them again "
        f"with the nearest pixel"
    )


def _binary(survey: Survey, classes: ClassTable, decoder: LabelDecoder) -> str:
    table = decoder.ids
    absent = [name for name, pixels in zip(classes.names, survey.pixels) if not pixels]
    is_class = table.get(UNLABELLED, UNLABELLED) != UNLABELLED
    if set(survey.ids) != {0, 255} or is_class or not absent:
        return ""
    return (
        f"the masks hold only 0 and 255, as binary masks do, but 255 is no class here, "
        f"so {absent[-1]} has no pixel: in classes.yaml, give the class of the masks `id: 255`, "
        f"and leave 255 out of `void`"
    )


def _stretched(survey: Survey, classes: ClassTable, decoder: LabelDecoder) -> str:
    used = sorted(survey.ids)
    steps = [after - before for before, after in itertools.pairwise(used)]
    known = all(decoder.ids.get(value, UNLABELLED) != UNLABELLED for value in used)
    if known or not 3 <= len(used) <= len(classes) + 1 or used[0]:
        return ""
    if min(steps) < 10 or max(steps) - min(steps) > 1:
        return ""
    return (
        f"the ids are {_listed(used)}, numbers stretched to be seen as grey: in classes.yaml, give "
        f"each class that number as its `id`"
    )


def _shifted(survey: Survey, classes: ClassTable, decoder: LabelDecoder) -> str:
    count = len(classes)
    plain = all(decoder.ids.get(index) == index for index in range(count))
    used = set(survey.ids) - {UNLABELLED}
    remedy = (
        f"in classes.yaml, give the classes `id: 1` to `id: {count}`, and write `void: [0, 255]`"
    )
    if not plain or not used:
        return ""
    if max(used) == count and count not in decoder.ids:
        return (
            f"the ids go up to {count}, but {count} classes have 0 to {count - 1}: they look "
            f"shifted by one, with 0 for what is unlabelled; then, {remedy}"
        )
    if count > 1 and 0 not in used and max(used) < count:
        return (
            f"no pixel has the id 0, which is {classes.names[0]}: if the files count the classes "
            f"from 1 on, {remedy}"
        )
    return ""


def _dark(survey: Survey, classes: ClassTable, decoder: LabelDecoder) -> str:
    if survey.deep and survey.brightest.get(True, 255) <= _DARK_OF_16_BITS:
        levels = survey.brightest[True] + 1
        return (
            f"{survey.deep} images have 16 bits per channel but use an eighth of their range or "
            f"less, and are read as {levels} levels: scale them to 8 bits before, as the camera's "
            f"driver on the robot will"
        )
    if survey.brightest.get(False, 255) <= _DARK:
        return (
            f"no image has a value above {survey.brightest[False]} of 255: look whether these are "
            f"images, and not labels"
        )
    return ""


def nothing_to_learn(classes: ClassTable, pixels: Sequence[int]) -> str:
    """Why a set teaches nothing, if it is so, by the pixels of its classes, [C] or more."""
    present = [name for name, count in zip(classes.names, pixels) if count]
    if len(classes) == 1:
        return (
            f"there is one class, {classes.names[0]}: every answer is right then, and mIoU 100 %; "
            f"add a class for all the rest"
        )
    if not present:
        return "no pixel has a label"
    if len(present) == 1:
        return f"every labelled pixel is {present[0]}: there is nothing to tell it from"
    return ""


def absent_classes(classes: ClassTable, pixels: Sequence[int]) -> str:
    """The classes that no pixel has, as a sentence; empty where each has one."""
    absent = [name for name, count in zip(classes.names, pixels) if not count]
    return f"classes that no pixel has: {', '.join(absent)}" if absent else ""


def _listed(values: Sequence[int]) -> str:
    shown = ", ".join(map(str, values[:6]))
    return f"{shown}, ..." if len(values) > 6 else shown
