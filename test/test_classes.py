import numpy as np
import pytest

from hyperseg_ros.classes import CAMVID, UNLABELLED, ClassTable


def test_camvid_is_the_eleven_segnet_classes():
    assert len(CAMVID) == 11
    assert CAMVID.index("sky") == 0
    assert CAMVID.index("bicyclist") == 10
    assert CAMVID.colors[CAMVID.index("road")] == (128, 64, 128)


def test_palette_is_black_beyond_the_table():
    palette = CAMVID.palette()
    assert palette.shape == (256, 3)
    assert palette.dtype == np.uint8
    assert palette[:11].tolist() == [list(color) for color in CAMVID.colors]
    assert not palette[11:].any()


def test_unknown_class_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'pedestrian'"):
        CAMVID.index("pedestrain")
    with pytest.raises(ValueError, match="no class 'xyz': The classes are sky, building"):
        CAMVID.index("xyz")


@pytest.mark.parametrize(
    ("names", "colors", "message"),
    [
        ((), (), "1 to 255 classes, not 0"),
        (("a",) * 256, ((0, 0, 0),) * 256, "not 256"),
        (("a", "b"), ((0, 0, 0),), "2 class names but 1 colours"),
        (("a", "a"), ((0, 0, 0), (1, 1, 1)), "repeated: a"),
        ((" ",), ((0, 0, 0),), "non-empty"),
        ((7,), ((0, 0, 0),), "non-empty string, not 7"),
        (("a",), ((0, 0),), "class 'a' must be three integers"),
        (("a",), ((0, 0, 256),), "0-255"),
        (("a",), ((0, 0, 1.5),), "0-255"),
    ],
)
def test_tables_that_are_none_are_refused(names, colors, message):
    with pytest.raises(ValueError, match=message):
        ClassTable(names, colors)


def test_the_largest_table_leaves_room_for_unlabelled():
    names = tuple(f"class {i}" for i in range(255))
    assert len(ClassTable(names, ((0, 0, 0),) * 255)) == UNLABELLED


def test_ground_is_told_by_name_and_id():
    assert CAMVID.ground == ("road", "pavement")
    assert [CAMVID.names[index] for index in CAMVID.ground_ids] == ["road", "pavement"]
    assert ClassTable(("a",), ((0, 0, 0),)).ground_ids == ()
    with pytest.raises(ValueError, match="ground is of the classes; 'rode' is not"):
        ClassTable(("road",), ((0, 0, 0),), ("rode",))


def test_a_table_survives_a_file_and_older_files_do_not_say_what_is_ground():
    info = CAMVID.to_info()
    assert ClassTable.from_info(info) == CAMVID
    del info["class_ground"]
    assert ClassTable.from_info(info) == ClassTable(CAMVID.names, CAMVID.colors)
