import re
import zipfile

import cv2
import numpy as np
import pytest
import yaml
from disks import full_disk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.commands.check import main as check
from hyperseg_ros.commands.pack import main as pack_command
from hyperseg_ros.training.datasets import DatasetError, listing, load_dataset
from hyperseg_ros.training.datasets.folder import read_class_file
from hyperseg_ros.training.datasets.label_decoding import ColorDecoder, IndexDecoder
from hyperseg_ros.training.datasets.packed import LOSSLESS, load_packed, pack

CLASSES = {
    "classes": [
        {"name": "ground", "color": [0, 200, 0], "ground": True},
        {"name": "crate", "color": [200, 0, 0], "id": 9},
        {"name": "person", "color": [0, 0, 200]},
    ],
    "void": [255, [0, 0, 0]],
    "terms": "ours",
}


@pytest.fixture
def root(tmp_path):
    """Two splits of images with labels 0, 9, 2 and void: of train as ids, of val as colours."""
    (tmp_path / "classes.yaml").write_text(yaml.safe_dump(CLASSES))
    random = np.random.default_rng(0)
    palette = np.array([[0, 200, 0], [200, 0, 0], [0, 0, 200], [0, 0, 0]], np.uint8)
    for split in ("train", "val"):
        for folder in ("images", "labels"):
            (tmp_path / split / folder).mkdir(parents=True)
        for index in range(3):
            picks = random.integers(0, 4, (16, 24))
            image = random.integers(0, 256, (16, 24, 3), np.uint8)
            cv2.imwrite(str(tmp_path / split / "images" / f"{index}.jpg"), image)
            labels = np.array([0, 9, 2, 255], np.uint8)[picks]
            if split == "val":
                labels = palette[picks][..., ::-1]
            cv2.imwrite(str(tmp_path / split / "labels" / f"{index}.png"), labels)
    return tmp_path


def test_ids_and_colours_mean_the_same_classes(root):
    train, val = (load_dataset("folder", root, split) for split in ("train", "val"))
    assert train.classes.names == ("ground", "crate", "person")
    assert train.name == f"{root.name}/train"
    assert train.terms == "ours"
    assert train.classes.ground == ("ground",)
    for index in range(3):
        ids = cv2.imread(str(root / "train" / "labels" / f"{index}.png"), cv2.IMREAD_UNCHANGED)
        expected = np.select([ids == 0, ids == 9, ids == 2], [0, 1, 2], UNLABELLED)
        np.testing.assert_array_equal(train.labels[index], expected)
        bgr = cv2.imread(str(root / "val" / "labels" / f"{index}.png"))
        for label, color in enumerate([(0, 200, 0), (200, 0, 0), (0, 0, 200)]):
            painted = (bgr[..., ::-1] == color).all(axis=2)
            np.testing.assert_array_equal(val.labels[index] == label, painted)
        assert ((val.labels[index] == UNLABELLED) == (bgr == 0).all(axis=2)).all()


GREEN, RED, BLUE, BLACK, GREY = (0, 200, 0), (200, 0, 0), (0, 0, 200), (0, 0, 0), (7, 7, 7)


def write_palette(path, indices, palette):
    """Labels of one row of `indices`, repeated."""
    picture = Image.fromarray(np.resize(np.array(indices, np.uint8), (16, 24))).convert("P")
    picture.putdata(np.resize(np.array(indices, np.uint8), 16 * 24).tolist())
    picture.putpalette([channel for color in palette for channel in color])
    picture.save(path)


@pytest.mark.parametrize(
    ("palette", "indices", "expected"),
    [
        # In the order of the colours' first pixels, as programs write colour masks.
        ([BLUE, RED, GREEN], [0, 1, 2], [2, 1, 0]),
        ([BLACK, GREEN, RED], [0, 1, 2], [UNLABELLED, 0, 1]),
        # An index that is no id, of a colour of void.
        ([GREEN, GREY, BLUE, BLACK], [0, 2, 3], [0, 2, UNLABELLED]),
        # Colours that agree with the ids, or are no class's, leave ids as they are.
        ([GREEN, GREY, BLUE], [0, 2], [0, 2]),
        ([GREY, GREEN, RED], [0, 2], [0, 2]),
        ([BLUE, RED, GREY, *[BLACK] * 6, GREEN], [0, 2, 9], [0, 2, 1]),
    ],
)
def test_a_palette_in_another_order_is_read_by_its_colours(root, palette, indices, expected):
    write_palette(root / "train" / "labels" / "0.png", indices, palette)
    labels = load_dataset("folder", root, "train").labels[0]
    np.testing.assert_array_equal(labels, np.resize(np.array(expected, np.uint8), (16, 24)))


def test_an_id_beyond_its_palette_stays_an_id(root):
    _, decoder, _ = read_class_file(root / "classes.yaml")
    labels, unknown = decoder(np.array([[0, 9]], np.uint8), np.array([BLUE, RED], np.uint8))
    assert labels.tolist() == [[0, 1]]
    assert not unknown


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read the table of classes"),
        ("a: [", "this is not YAML"),
        ("[1, 2]", "write it as"),
        ("classes: [{name: a}]", "write it as"),
        ("classes: [{name: no, color: [0, 0, 3]}]", "YAML reads a class name as False: put it in"),
        (
            "classes: [{name: 7, color: [0, 0, 3]}]",
            "YAML reads a class name as 7: put it in quotes",
        ),
        ("classes: [{name: a, color: [0, 0, 300]}]", "three integers 0-255"),
        ("classes: [{name: a, color: [0, 0, 3], id: 256}]", "an integer from 0 to 255"),
        ("classes: [{name: a, color: [0, 0, 3]}, {name: b, color: [0, 0, 3]}]", "colours"),
        ("classes: [{name: a, color: [0, 0, 3]}, {name: b, color: [0, 0, 4], id: 0}]", "ids"),
        ("classes: [{name: a, color: [0, 0, 3]}, {name: a, color: [0, 0, 4]}]", "repeated: a"),
        *(
            (f"classes: [{{name: a, color: [0, 0, 3]}}]\nvoid: [{void}]", message)
            for void, message in [
                ("[0, 0]", r"a colour of void .* three integers 0-255 \(RGB\), not \[0, 0\]"),
                ("[0, 0, 300]", r"a colour of void .* not \[0, 0, 300\]"),
                ("[0, 0, blue]", r"a colour of void .* not \[0, 0, 'blue'\]"),
                ("256", "an integer from 0 to 255, not 256"),
                ("0", "the id 0 is both void and of the class a"),
                ("7, [0, 0, 3]", r"the colour \(0, 0, 3\) is both void and of the class a"),
            ]
        ),
    ],
)
def test_a_wrong_table_of_classes_is_named(root, content, message):
    path = root / "classes.yaml"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(DatasetError, match=f"classes.yaml: .*{message}"):
        load_dataset("folder", root, "train")


def test_a_root_one_folder_too_deep_is_told(root):
    with pytest.raises(DatasetError, match=rf"there is one at {root / 'classes.yaml'}: give its"):
        load_dataset("folder", root / "train", "train")


def test_the_last_id_is_a_class_where_the_table_says_so(root):
    """255 is void by default, not by force."""
    table = "classes: [{name: a, color: [0, 0, 3], id: 255}]"
    (root / "classes.yaml").write_text(table)
    _, decoder, _ = read_class_file(root / "classes.yaml")
    assert decoder(np.array([[255]], np.uint8))[0].tolist() == [[0]]


def test_the_check_collects_all_that_is_wrong(root, capsys, tmp_path):
    assert check(["folder", "--root", str(root), "--sheet", str(tmp_path / "sheet.png")]) == 0
    printed = capsys.readouterr().out
    assert printed.count("no problems") == 2
    assert "16 x 24 (height x width): 3 images" in printed
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    # Two splits of three samples, each an image beside its labels with a line of text above.
    assert sheet.shape[1] == 3 * 2 * 24
    assert sheet.shape[0] >= 2 * (16 + 20)

    (root / "train" / "images" / "0.jpg").write_bytes(b"not a picture")
    cv2.imwrite(str(root / "train" / "labels" / "1.png"), np.full((16, 24), 77, np.uint8))
    cv2.imwrite(str(root / "train" / "labels" / "2.png"), np.zeros((8, 24), np.uint8))
    cv2.imwrite(str(root / "train" / "labels" / "extra.png"), np.zeros((16, 24), np.uint8))
    assert check(["folder", "--root", str(root), "--split", "train"]) == 1
    printed = capsys.readouterr().out
    for line in (
        "images/0.jpg: the bytes are no image of a kind that is read",
        "labels/1.png: labels of no class: 77 (384 pixels)",
        "labels/2.png: the labels are 24 x 8, the image 2.jpg is 24 x 16",
        "extra.png: no partner in",
        "no pixel has a label",
    ):
        assert line in printed


def test_a_sheet_that_is_no_picture_is_told_before_anything_is_read(root, capsys):
    with pytest.raises(ValueError, match=r"look\.txt: pictures are written as \.png or \.jpg"):
        check(["folder", "--root", str(root), "--sheet", "look.txt"])
    assert capsys.readouterr().out == ""


def test_a_packed_set_is_the_same_set(root, tmp_path, capsys):
    path = tmp_path / "data.zip"
    assert pack_command(["folder", "--root", str(root), "--output", str(path)]) == 0
    assert "without loss" in capsys.readouterr().out
    for split in ("train", "val"):
        given, packed = load_dataset("folder", root, split), load_dataset("packed", path, split)
        assert (packed.name, packed.classes, packed.terms) == (
            given.name,
            given.classes,
            given.terms,
        )
        assert list(packed.image_names) == list(given.image_names)
        for index in range(3):
            np.testing.assert_array_equal(packed.images[index], given.images[index])
            np.testing.assert_array_equal(packed.labels[index], given.labels[index])


def test_sizes_that_differ_are_not_packed(root, tmp_path, monkeypatch):
    cv2.imwrite(str(root / "val" / "labels" / "1.png"), np.zeros((8, 24, 3), np.uint8))
    monkeypatch.setattr(listing, "LARGEST_IN_MEMORY", 0)
    with pytest.raises(DatasetError, match=r"val/labels/1\.png: the labels are 24 x 8"):
        pack_command(["folder", "--root", str(root), "--output", str(tmp_path / "data.zip")])


def test_packing_gives_up_quality_before_it_gives_up(root, tmp_path):
    images = load_dataset("folder", root, "train")
    path = tmp_path / "data.zip"
    pack([images], path, 10_000_000)
    roomy = path.stat().st_size
    overhead = 65536 + 256 * 3
    quality = pack([images], path, overhead + 3 * 700)
    assert quality < LOSSLESS
    assert path.stat().st_size < roomy
    for index, labels in enumerate(load_packed(path, "train").labels):
        np.testing.assert_array_equal(labels, images.labels[index])
    with pytest.raises(DatasetError, match="3 images do not fit into 0 MB"):
        pack([images], path, 1000)


def test_a_full_disk_leaves_the_old_pack(root, tmp_path):
    images = load_dataset("folder", root, "train")
    path = tmp_path / "pack" / "data.zip"
    pack([images], path, 10_000_000)
    old = path.read_bytes()
    with pytest.raises(OSError, match="File too large"), full_disk(len(old) // 2):
        pack([images], path, 10_000_000)
    assert path.read_bytes() == old
    assert [file.name for file in path.parent.iterdir()] == ["data.zip"]


def test_a_broken_pack_is_named(root, tmp_path):
    path = tmp_path / "data.zip"
    with pytest.raises(DatasetError, match="cannot read the packed data"):
        load_packed(path, "train")
    path.write_bytes(b"PK and nothing")
    with pytest.raises(DatasetError, match="was not written by `hyperseg pack`, or is cut short"):
        load_packed(path, "train")
    pack([load_dataset("folder", root, "train")], path, 10_000_000)
    with pytest.raises(DatasetError, match="no split 'val': it has train"):
        load_packed(path, "val")


def flip_a_byte(path, member):
    with zipfile.ZipFile(path) as archive:
        content = archive.read(member)
    data = path.read_bytes()
    position = data.index(content) + len(content) // 2
    path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])


def rewritten(path, member, content, compression=zipfile.ZIP_STORED):
    """Rewrites an archive with other content for one member, or without it if content is None."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[member] = content
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            if data is not None:
                archive.writestr(name, data)


def leave_out(path, member):
    rewritten(path, member, None)


def empty(path, member):
    rewritten(path, member, b"")


def make_undecodable(path, member):
    rewritten(path, member, b"not a picture")


def break_compression(path, member):
    rewritten(path, member, bytes(1000), zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    start = data.index(member.encode()) + len(member)
    data[start] |= 0b110  # a kind of block that deflate does not have
    path.write_bytes(data)


@pytest.mark.parametrize("member", ["train/000001.webp", "train/000001.png"])
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip_a_byte, "Bad CRC-32"),
        (leave_out, "no item named"),
        (empty, ""),
        (make_undecodable, "no image of a kind that is read"),
        (break_compression, "Error -3 while decompressing"),
    ],
)
def test_damage_to_a_pack_is_named_with_what_to_do(root, tmp_path, damage, reason, member):
    path = tmp_path / "data.zip"
    pack([load_dataset("folder", root, "train")], path, 10_000_000)
    damage(path, member)
    message = rf"data\.zip is damaged at {member} \(.*{reason}.*copy it again .* `hyperseg pack`"
    with pytest.raises(DatasetError, match=re.compile(message, re.S)):
        load_packed(path, "train")


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_any_flipped_byte_gives_the_data_or_a_dataset_error(root, position, flip):
    path = root / "data.zip"
    if not (root / "whole.zip").exists():
        pack([load_dataset("folder", root, "train")], root / "whole.zip", 10_000_000)
    data = bytearray((root / "whole.zip").read_bytes())
    data[position % len(data)] ^= flip
    path.write_bytes(data)
    try:
        images = load_packed(path, "train")
    except DatasetError:
        return
    assert len(images) == 3


@given(st.dictionaries(st.integers(0, 255), st.integers(0, 20), min_size=1), st.binary(min_size=1))
def test_every_id_is_decoded_or_counted(ids, data):
    raw = np.frombuffer(data, np.uint8)[None]
    labels, unknown = IndexDecoder(ids)(raw)
    expected = [ids.get(value, UNLABELLED) for value in data]
    assert labels[0].tolist() == expected
    assert sum(unknown.values()) == sum(value not in ids for value in data)
    assert set(unknown) == {str(value) for value in data if value not in ids}


@given(
    st.dictionaries(
        st.tuples(*[st.integers(0, 3)] * 3), st.integers(0, 20), min_size=1, max_size=30
    ),
    st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1),
    st.booleans(),
)
def test_every_colour_is_decoded_or_counted(colors, pixels, lenient):
    raw = np.array([pixels], np.uint8)
    labels, unknown = ColorDecoder(colors, others_are_void=lenient)(raw)
    assert labels[0].tolist() == [colors.get(pixel, UNLABELLED) for pixel in pixels]
    strangers = [pixel for pixel in pixels if pixel not in colors]
    assert unknown == ({} if lenient else {str(p): strangers.count(p) for p in strangers})
