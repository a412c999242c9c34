"""CamVid (Brostow et al., 2009) in its three protocols, whose figures do not compare.

1. `camvid`, SegNet's: 480 x 360, 11 classes as ids, void ignored.
2. `camvid-960`: 960 x 720, the official 32 colours merged into the same 11 classes.
3. `camvid-hyperseg`, the published HyperSeg's: 960 x 720, 12 exact colours, void trained and
   measured as a class of its own, other colours ignored.
"""

from __future__ import annotations

from pathlib import Path

from hyperseg_ros.classes import CAMVID, CAMVID_WITH_VOID, UNLABELLED
from hyperseg_ros.training.datasets.label_decoding import (
    Color,
    ColorDecoder,
    IndexDecoder,
    class_ids,
)
from hyperseg_ros.training.datasets.labelled_images import DatasetError, LabelledImages
from hyperseg_ros.training.datasets.listing import Listing
from hyperseg_ros.training.datasets.pairing import Pairing, pair_files

SPLITS = ("train", "val", "test")
VOID_ID = 11
"""The label of void pixels in the files of protocol 1."""

TERMS = "CamVid, and models trained on it, are for research use"
"""What the data allow models to be used for."""

OFFICIAL_COLORS: dict[str, tuple[Color, ...]] = {
    "sky": ((128, 128, 128),),
    # building, archway, bridge, tunnel, wall
    "building": ((128, 0, 0), (192, 0, 128), (0, 128, 64), (64, 0, 64), (64, 192, 0)),
    # column or pole, traffic cone
    "pole": ((192, 192, 128), (0, 0, 64)),
    # road, lane markings driven over and not
    "road": ((128, 64, 128), (128, 0, 192), (192, 0, 64)),
    # sidewalk, parking block, road shoulder
    "pavement": ((0, 0, 192), (64, 192, 128), (128, 128, 192)),
    # tree, other vegetation
    "tree": ((128, 128, 0), (192, 192, 0)),
    # sign or symbol, other text, traffic light
    "sign": ((192, 128, 128), (128, 128, 64), (0, 64, 64)),
    "fence": ((64, 64, 128),),
    # car, SUV or pickup, truck or bus, train, other moving
    "car": ((64, 0, 128), (64, 128, 192), (192, 128, 192), (192, 64, 128), (128, 64, 64)),
    # pedestrian, child, animal, cart or pram
    "pedestrian": ((64, 64, 0), (192, 128, 64), (64, 128, 64), (64, 0, 192)),
    # bicyclist, motorcycle or scooter
    "bicyclist": ((0, 128, 192), (192, 0, 192)),
}
"""The official colours that make up each of the 11 classes; black is void."""

BLACK: Color = (0, 0, 0)


def list_segnet(root: Path, split: str) -> Listing:
    """Protocol 1: `<split>/NAME.png` and `<split>annot/NAME.png`."""
    _check_split(split)
    hint = (
        "CamVid's root holds train/, trainannot/, val/ and valannot/ "
        "(give it as data.root=FOLDER to train, --root FOLDER elsewhere)"
    )
    pairs, unpaired, notes = pair_files(root / split, root / f"{split}annot", hint)
    decoder = IndexDecoder(class_ids(CAMVID, void=(VOID_ID,)))
    name = f"camvid/{split}"
    return Listing(name, pairs, decoder, CAMVID, TERMS, unpaired, notes)


def list_full_size(root: Path, split: str) -> Listing:
    """Protocol 2: `<split>/NAME.png` and `<split>_labels/NAME_L.png`."""
    colors = {
        color: CAMVID.index(name) for name, members in OFFICIAL_COLORS.items() for color in members
    }
    decoder = ColorDecoder({**colors, BLACK: UNLABELLED})
    pairs, unpaired, notes = _pair_full_size(root, split)
    return Listing(f"camvid-960/{split}", pairs, decoder, CAMVID, TERMS, unpaired, notes)


def list_hyperseg(root: Path, split: str) -> Listing:
    """Protocol 3: the files of protocol 2, of which one colour a class counts."""
    colors = {OFFICIAL_COLORS[name][0]: index for index, name in enumerate(CAMVID.names)}
    decoder = ColorDecoder({**colors, BLACK: len(CAMVID)}, others_are_void=True)
    pairs, unpaired, notes = _pair_full_size(root, split)
    return Listing(
        f"camvid-hyperseg/{split}", pairs, decoder, CAMVID_WITH_VOID, TERMS, unpaired, notes
    )


def load_camvid(root: Path, split: str) -> LabelledImages:
    """Protocol 1, decoded; raises what `Listing.load` does."""
    return list_segnet(root, split).load()


def _pair_full_size(root: Path, split: str) -> Pairing:
    _check_split(split)
    hint = "the root of CamVid at 960 x 720 holds train/, train_labels/, val/, val_labels/, ..."
    return pair_files(root / split, root / f"{split}_labels", hint, label_suffix="_L")


def _check_split(split: str) -> None:
    if split not in SPLITS:
        raise DatasetError(f"CamVid has no split {split!r}: it has {', '.join(SPLITS)}")
