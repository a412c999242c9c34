"""The findings of a data set as text, and as a picture to look at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.training.check import Findings
from hyperseg_ros.training.pictures import captioned, in_columns, legend, row, stacked

_COLUMNS = 3
_LINES = 20
"""Problems that are listed; the rest are counted."""


def report(found: Findings) -> str:
    """The findings as text."""
    survey = found.survey
    lines = [f"{found.name}: {found.images} images with labels, {len(found.classes)} classes"]
    lines += [
        f"  {height} x {width} (height x width): {images} images"
        for (height, width), images in survey.sizes.most_common(_LINES)
    ]
    total = max(1, int(survey.pixels.sum()))
    width = max(len(name) for name in (*found.classes.names, "(no class)"))
    lines.append(f"  {'id':>3}  {'class':<{width}}  {'pixels %':>8}  {'images':>6}")
    for index, name in enumerate(found.classes.names):
        share = 100 * int(survey.pixels[index]) / total
        lines.append(f"  {index:>3}  {name:<{width}}  {share:8.3f}  {survey.holding[index]:>6}")
    lines.append(f"  {'':>3}  {'(no class)':<{width}}  {100 * int(survey.pixels[-1]) / total:8.3f}")
    lines += [f"  note: {note}" for note in found.notes]
    lines += [f"  problem: {problem}" for problem in found.problems[:_LINES]]
    if len(found.problems) > _LINES:
        lines.append(f"  and {len(found.problems) - _LINES} more problems")
    if not found.problems:
        lines.append("  no problems")
    return "\n".join(lines)


def sheet(found: Findings) -> NDArray[np.uint8]:
    """The samples beside their labels with the colours' names below, uint8 [H, W, 3] RGB."""
    rows = [
        captioned(row(image, labels, None, found.classes), name)
        for name, image, labels in found.samples
    ]
    samples = in_columns(rows, _COLUMNS)
    return stacked([samples, legend(found.classes, samples.shape[1])])
