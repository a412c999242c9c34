"""The simulated street as a drive."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from hyperseg_ros.classes import CAMVID, ClassTable
from hyperseg_ros.demo.free_space import BEARINGS, MAX_RANGE, STEP, TRUTH_EVERY
from hyperseg_ros.demo.sources.drive import Drive, Frame, SourceError
from hyperseg_ros.simulation import StreetCamera

SIMULATED = "simulated"
"""The name of the source that needs no file and no device."""
DEFAULT_SIZE = (640, 480)
"""Width and height of the images."""


def simulate(classes: ClassTable, rate: float, size: tuple[int, int] | None, seed: int) -> Drive:
    """A drive through the street of this seed, without an end.

    Raises:
        SourceError: no camera has such images.
    """
    width, height = size or DEFAULT_SIZE
    try:
        camera = StreetCamera(seed=seed, width=width, height=height, frame_rate=rate)
    except ValueError as error:
        raise SourceError(f"no simulated camera of {width} x {height}: {error}") from error
    # The simulated labels are CamVid ids: to a model with other classes they mean nothing.
    labelled = classes.names == CAMVID.names
    measured = labelled and bool(classes.ground)

    def frames() -> Iterator[Frame]:
        for index in itertools.count():
            frame = camera.frame(index)
            ranges = None
            if measured and index % TRUTH_EVERY == 0:
                ranges = camera.free_space(index, BEARINGS, MAX_RANGE, STEP).ranges
            yield Frame(frame.image, frame.labels if labelled else None, ranges)

    return Drive(
        title=f"simulated street, seed {seed}",
        rate=rate,
        length=None,
        labelled=labelled,
        live=False,
        intrinsics=camera.intrinsics,
        frames=frames(),
        mount=camera.mount if measured else None,
    )
