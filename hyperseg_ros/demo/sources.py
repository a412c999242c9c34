"""A drive as frames: the simulated street, a video file, an image folder or a video device.

Labels beside an image folder `drive/` are found by this rule; the first that exists counts:

1. `driveannot/` beside the folder (SegNet's CamVid: `val/` and `valannot/`);
2. `labels/` beside the folder, when the folder is called `images`;
3. `drive/labels/`;
4. `NAME_L.png` beside each image `NAME.*`.

In a label folder the labels of `NAME.*` are `NAME.png` or `NAME_L.png`; an image without a label
file is unlabelled. A label file is a one-channel 8-bit PNG as large as its image. Its values are
the class ids of the model; 255 and the first id after the last class (11 in SegNet's CamVid) are
void, which is `UNLABELLED` here.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import CAMVID, UNLABELLED, ClassTable
from hyperseg_ros.simulation import Intrinsics, StreetCamera

SIMULATED = "simulated"
"""The name of the source that needs no file and no device."""

DEFAULT_RATE = 10.0
"""Frames a second of a source that has no rate of its own."""

DEFAULT_SIZE = (640, 480)
"""Width and height of the simulated camera's images."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
VIDEO_DEVICE = re.compile(r"/dev/video\d+")


class SourceError(ValueError):
    """A source that cannot be opened or read; the message says what is wrong with it."""


@dataclass(frozen=True)
class Frame:
    """One image of a drive.

    Attributes:
        image: uint8 [H, W, 3], BGR.
        labels: class ids, `UNLABELLED` where unknown, uint8 [H, W]; None without ground truth.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Drive:
    """An opened source.

    Attributes:
        title: what a reader of the report sees.
        rate: frames a second.
        length: number of frames as far as known; None for a source without an end.
        labelled: whether ground truth exists for at least some frames.
        live: whether waiting for the next frame keeps the rate (a device), or the reader must.
        intrinsics: of the camera, where they are known.
        frames: the frames, once; raises SourceError at one that cannot be read.
    """

    title: str
    rate: float
    length: int | None
    labelled: bool
    live: bool
    intrinsics: Intrinsics | None
    frames: Iterator[Frame]


def open_source(
    source: str,
    classes: ClassTable = CAMVID,
    *,
    rate: float | None = None,
    size: tuple[int, int] | None = None,
    seed: int = 0,
) -> Drive:
    """Open a drive.

    Args:
        source: `simulated`, a video file, an image folder, or /dev/videoN.
        classes: the classes the labels are wanted in.
        rate: frames a second; None: the source's own, or `DEFAULT_RATE` where it has none.
        size: width and height, of the simulated camera or asked of a device.
        seed: of the simulated drive.

    Raises:
        SourceError: nothing can be read there, or an argument does not fit the source.
    """
    if rate is not None and not rate > 0:
        raise SourceError(f"the rate must be above 0 frames a second, not {rate:g}")
    if source == SIMULATED:
        return _simulated(classes, rate or DEFAULT_RATE, size or DEFAULT_SIZE, seed)
    if VIDEO_DEVICE.fullmatch(source):
        return _video_device(source, rate, size)
    if size is not None:
        raise SourceError(
            f"a size can be chosen for the simulated camera and for devices; {source} has its own"
        )
    path = Path(source).expanduser()
    if path.is_dir():
        return _image_folder(path, classes, rate or DEFAULT_RATE)
    if path.is_file():
        return _video_file(path, rate)
    raise SourceError(f"no such file or folder: {source}{_hint(path)}")


def _hint(path: Path) -> str:
    """What may have been meant by a path that does not exist."""
    if path.name and SIMULATED.startswith(path.name[:3].lower()) and len(path.parts) == 1:
        return f"; did you mean {SIMULATED}?"
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    nearest = difflib.get_close_matches(path.name, siblings, n=1)
    return f"; did you mean {path.parent / nearest[0]}?" if nearest else ""


def _simulated(classes: ClassTable, rate: float, size: tuple[int, int], seed: int) -> Drive:
    width, height = size
    try:
        camera = StreetCamera(seed=seed, width=width, height=height, frame_rate=rate)
    except ValueError as error:
        raise SourceError(f"no simulated camera of {width} x {height}: {error}") from error
    # The simulated labels are CamVid ids: to a model with other classes they mean nothing.
    labelled = classes.names == CAMVID.names

    def frames() -> Iterator[Frame]:
        for index in itertools.count():
            frame = camera.frame(index)
            yield Frame(frame.image, frame.labels if labelled else None)

    return Drive(
        title=f"simulated street, seed {seed}",
        rate=rate,
        length=None,
        labelled=labelled,
        live=False,
        intrinsics=camera.intrinsics,
        frames=frames(),
    )


def _image_folder(folder: Path, classes: ClassTable, rate: float) -> Drive:
    images = sorted(
        (
            path
            for path in folder.iterdir()
            if path.suffix.lower() in IMAGE_SUFFIXES and not path.stem.endswith("_L")
        ),
        key=_natural,
    )
    if not images:
        raise SourceError(
            f"no images in {folder}: expected files ending in {', '.join(IMAGE_SUFFIXES)}"
        )
    label_files = [_label_file(path) for path in images]

    def frames() -> Iterator[Frame]:
        for image_file, label_file in zip(images, label_files):
            image = _read_image(image_file)
            labels = None
            if label_file is not None:
                labels = read_labels(label_file, len(classes))
                if labels.shape != image.shape[:2]:
                    raise SourceError(
                        f"{label_file} is {labels.shape[1]} x {labels.shape[0]}, but its image "
                        f"{image_file.name} is {image.shape[1]} x {image.shape[0]}"
                    )
            yield Frame(image, labels)

    return Drive(
        title=str(folder),
        rate=rate,
        length=len(images),
        labelled=any(label_files),
        live=False,
        intrinsics=None,
        frames=_first_now(frames()),
    )


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key by which frame_2 comes before frame_10."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part)
        for part in re.split(r"(\d+)", path.name)
    ]


def _label_file(image: Path) -> Path | None:
    """The label file of an image by the rule at the top of this module."""
    folder = image.parent.resolve()
    label_folders = [folder.with_name(f"{folder.name}annot"), folder / "labels"]
    if folder.name == "images":
        label_folders.insert(1, folder.with_name("labels"))
    for labels in label_folders:
        if labels.is_dir():
            names = (f"{image.stem}.png", f"{image.stem}_L.png")
            return next((labels / name for name in names if (labels / name).is_file()), None)
    beside = image.with_name(f"{image.stem}_L.png")
    return beside if beside.is_file() else None


def _read_image(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SourceError(f"cannot read {path}: it is broken, or no image")
    return image.astype(np.uint8, copy=False)


def read_labels(path: Path, num_classes: int) -> NDArray[np.uint8]:
    """Read a label file as the top of this module has it.

    Args:
        path: one-channel 8-bit PNG of class ids.
        num_classes: ids below are classes; this one and 255 are void.

    Returns:
        Class ids, `UNLABELLED` for void; uint8 [H, W].

    Raises:
        SourceError: the file is not such a PNG or holds another id.
    """
    labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if labels is None:
        raise SourceError(f"cannot read the labels {path}: the file is broken, or no PNG")
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise SourceError(
            f"{path} holds no class ids: labels are a one-channel 8-bit PNG, this one is "
            f"{labels.dtype} with {1 if labels.ndim == 2 else labels.shape[2]} channel(s)"
        )
    void = labels == num_classes
    beyond = labels[(labels > num_classes) & (labels != UNLABELLED)]
    if beyond.size:
        raise SourceError(
            f"{path} holds class id {beyond[0]}: the model has classes 0 to {num_classes - 1}, "
            f"and {num_classes} or {UNLABELLED} is void"
        )
    return np.where(void, np.uint8(UNLABELLED), labels)


def _video_file(path: Path, rate: float | None) -> Drive:
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise SourceError(f"cannot read {path}: it is broken, or no video OpenCV knows")
    frames = _captured(capture)
    try:
        frames = _first_now(frames)
    except StopIteration:
        raise SourceError(f"no frame can be decoded from {path}") from None
    count = round(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    return Drive(
        title=str(path),
        rate=rate or _sane_rate(capture),
        length=count if count > 0 else None,
        labelled=False,
        live=False,
        intrinsics=None,
        frames=frames,
    )


def _video_device(device: str, rate: float | None, size: tuple[int, int] | None) -> Drive:
    if not Path(device).exists():
        present = ", ".join(sorted(str(p) for p in Path("/dev").glob("video*"))) or "none"
        raise SourceError(f"no such device: {device}; devices present: {present}")
    capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
    if not capture.isOpened():
        raise SourceError(
            f"cannot open {device}: another program may hold it, or your user is not in its group"
        )
    if size is not None:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
    if rate is not None:
        capture.set(cv2.CAP_PROP_FPS, rate)
    try:
        frames = _first_now(_captured(capture))
    except StopIteration:
        raise SourceError(f"{device} gives no images: it may not be a camera") from None
    return Drive(
        title=device,
        rate=_sane_rate(capture),
        length=None,
        labelled=False,
        live=True,
        intrinsics=None,
        frames=frames,
    )


def _captured(capture: cv2.VideoCapture) -> Iterator[Frame]:
    try:
        while True:
            read, image = capture.read()
            if not read:
                return
            yield Frame(image.astype(np.uint8, copy=False))
    finally:
        capture.release()


def _sane_rate(capture: cv2.VideoCapture) -> float:
    """The capture's frames a second; containers and drivers that do not know it say 0 or worse."""
    rate = capture.get(cv2.CAP_PROP_FPS)
    return rate if 1 <= rate <= 240 else DEFAULT_RATE


def _first_now(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Read the first frame at once, so that what cannot be read fails when it is opened.

    Raises:
        StopIteration: there is no frame.
    """
    first = next(frames)
    return itertools.chain([first], frames)
