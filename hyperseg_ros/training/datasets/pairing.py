"""Which label file belongs to which image."""

from __future__ import annotations

from pathlib import Path

from hyperseg_ros.training.datasets.labelled_images import DatasetError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")

Pairs = list[tuple[Path, Path]]


def pair_files(
    image_folder: Path, label_folder: Path, hint: str, label_suffix: str = ""
) -> tuple[Pairs, Pairs]:
    """The images and labels of the same name in two folders, whatever their kind of file.

    Args:
        image_folder, label_folder: where they lie.
        hint: how the data set should look, for the error.
        label_suffix: what a label file's name has more than its image's, before the dot.

    Returns:
        The pairs of image and label file, sorted by name; and each file without a partner, with
        the folder where there is none.

    Raises:
        DatasetError: a folder is missing, or holds no images.
    """
    images, labels = (_by_name(folder, hint) for folder in (image_folder, label_folder))
    if not images:
        raise DatasetError(f"{image_folder}: there are no images in this folder; {hint}")
    partners = {name + label_suffix: path for name, path in images.items()}
    pairs = [(partners[name], labels[name]) for name in sorted(partners.keys() & labels.keys())]
    unpaired = [(partners[name], label_folder) for name in sorted(partners.keys() - labels.keys())]
    unpaired += [(labels[name], image_folder) for name in sorted(labels.keys() - partners.keys())]
    return pairs, unpaired


def _by_name(folder: Path, hint: str) -> dict[str, Path]:
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; {hint}")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            if path.stem in files:
                raise DatasetError(
                    f"{path}: there is {files[path.stem].name} too; keep one of them"
                )
            files[path.stem] = path
    return files
