"""A data set in one compact file, for rented machines.

The file is a ZIP archive: `dataset.json`, and for each split `SPLIT/NUMBER.webp`, the image,
and `SPLIT/NUMBER.png`, the class ids. Labels are exact; images lose what the size demands.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.files import writing
from hyperseg_ros.runtime.decoding import ImageError, decode_image
from hyperseg_ros.training.datasets.labelled_images import DatasetError, LabelledImages

DESCRIPTION = "dataset.json"
LOSSLESS = 101
QUALITIES = (LOSSLESS, 98, 95, 92, 88, 84, 80)
"""WebP qualities to try, best first; OpenCV takes what is beyond 100 as lossless."""
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError, ValueError)
"""What `zipfile` raises of an archive that is damaged."""


def pack(sets: Sequence[LabelledImages], path: Path, largest_bytes: int) -> int:
    """Write splits of one data set to a file, at the best image quality that fits.

    Args:
        sets: the splits, named `<data set>/<split>`, of the same classes.
        path: written atomically.
        largest_bytes: the file is no larger.

    Returns:
        The quality of the images: `LOSSLESS`, or WebP's, up to 100.

    Raises:
        DatasetError: the data do not fit at the lowest quality.
        OSError: the file cannot be written; an old one is left whole.
    """
    labels = [[_encoded(".png", ids) for ids in images.labels] for images in sets]
    overhead = sum(len(data) + 256 for encoded in labels for data in encoded) + 65536
    for quality in QUALITIES:
        room = largest_bytes - overhead
        encoded: list[list[bytes]] = []
        for images in sets:
            encoded.append([])
            for image in tqdm(images.images, f"quality {quality}", disable=None, leave=False):
                bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
                encoded[-1].append(_encoded(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, quality]))
                room -= len(encoded[-1][-1])
                if room < 0:
                    break
            if room < 0:
                break
        else:
            _write(path, sets, encoded, labels)
            return quality
    raise DatasetError(
        f"{sum(map(len, sets))} images do not fit into {largest_bytes / 1e6:.0f} MB; allow more, "
        f"pack fewer splits, or scale the images down"
    )


def load_packed(path: Path, split: str) -> LabelledImages:
    """A split of a packed file, decoded.

    Raises:
        DatasetError: the file cannot be read, is none of these, is damaged, or has no such split.
    """
    try:
        data = path.read_bytes()
        archive = _Archive(path, data)
        description = json.loads(archive.read(DESCRIPTION))
        classes = ClassTable.from_info(description)
        splits = description["splits"]
        name, terms = description["name"], description["terms"]
    except OSError as error:
        raise DatasetError(f"{path}: cannot read the packed data: {error.strerror}") from None
    except (*_DAMAGE, TypeError) as error:
        raise DatasetError(
            f"{path} was not written by `hyperseg pack`, or is cut short: {error}"
        ) from None
    if split not in splits:
        raise DatasetError(f"{path} has no split {split!r}: it has {', '.join(splits)}")
    names = splits[split]
    stems = [f"{split}/{number:06}" for number in range(len(names))]
    images = [archive.image(f"{stem}.webp") for stem in tqdm(stems, disable=None, leave=False)]
    labels = [archive.labels(f"{stem}.png") for stem in stems]
    return LabelledImages(f"{name}/{split}", images, labels, classes, names, terms)


class _Archive:
    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        self.zip = zipfile.ZipFile(io.BytesIO(data))

    def read(self, name: str) -> bytes:
        return self.zip.read(name)

    def image(self, name: str) -> NDArray[np.uint8]:
        decoded = self._decoded(name, cv2.IMREAD_COLOR)
        return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)

    def labels(self, name: str) -> NDArray[np.uint8]:
        return self._decoded(name, cv2.IMREAD_UNCHANGED)

    def _decoded(self, name: str, flags: int) -> NDArray[np.uint8]:
        try:
            return np.asarray(decode_image(self.read(name), flags), np.uint8)
        except (*_DAMAGE, ImageError) as error:
            raise self._damaged(name, str(error)) from None

    def _damaged(self, name: str, reason: str) -> DatasetError:
        return DatasetError(
            f"{self.path} is damaged at {name} ({reason}): copy it again from where it was made, "
            f"or make it again with `hyperseg pack`"
        )


def _encoded(suffix: str, image: NDArray[np.uint8], options: Sequence[int] = ()) -> bytes:
    done, data = cv2.imencode(suffix, image, list(options))
    assert done
    return bytes(data)


def _write(
    path: Path,
    sets: Sequence[LabelledImages],
    images: Sequence[Sequence[bytes]],
    labels: Sequence[Sequence[bytes]],
) -> None:
    name = sets[0].name.rpartition("/")[0]
    description = {
        "name": name,
        **sets[0].classes.to_info(),
        "terms": sets[0].terms,
        "splits": {
            part.name.rpartition("/")[2]: list(part.image_names) or [""] * len(part)
            for part in sets
        },
    }
    with writing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(DESCRIPTION, json.dumps(description, indent=1))
        for part, encoded_images, encoded_labels in zip(sets, images, labels):
            split = part.name.rpartition("/")[2]
            for number, (image, ids) in enumerate(zip(encoded_images, encoded_labels)):
                archive.writestr(f"{split}/{number:06}.webp", image)
                archive.writestr(f"{split}/{number:06}.png", ids)
