from __future__ import annotations

import math

import numpy as np
import pytest

from hyperseg_ros.classes import CAMVID, ClassTable
from hyperseg_ros.frames.region import WHOLE, Region
from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.geometry import FreeSpaceOptions
from hyperseg_ros.node.declared_parameters import ParameterError
from hyperseg_ros.node.parameters import Parameters
from hyperseg_ros.node.settings import Settings, ground_settings, settle

CAMERAS = [CameraTopics("/front/image_raw"), CameraTopics("/rear/image_raw")]


def settings(classes: ClassTable = CAMVID, **values: object) -> Settings:
    return settle(Parameters(**values), classes, CAMERAS, lambda topic: "/" + topic.lstrip("/"))


def members(table: np.ndarray) -> set[int]:
    assert set(np.unique(table)) <= {0, 255}
    return set(np.flatnonzero(table))


def test_every_class_has_a_mask_unless_some_are_named():
    assert len(settings().frame.masks) == len(CAMVID)
    masks = settings(mask_classes=("car", "road", "")).frame.masks
    assert {name: members(table) for name, table in masks.items()} == {
        "mask/car": {CAMVID.index("car")},
        "mask/road": {CAMVID.index("road")},
    }


def test_a_group_is_the_union_of_its_classes():
    masks = settings(
        mask_classes=("",), mask_groups=(("can drive", ("road", "pavement")), ("none", ("",)))
    ).frame.masks
    assert {name: members(table) for name, table in masks.items()} == {
        "mask/can_drive": {CAMVID.index("road"), CAMVID.index("pavement")},
        "mask/none": set(),
    }


def test_the_palette_is_the_cards_but_for_what_is_given():
    palette = settings(palette=(("road", (1, 2, 3)),)).frame.palette
    expected = CAMVID.palette()
    expected[CAMVID.index("road")] = 1, 2, 3
    assert np.array_equal(palette, expected)


def test_a_camera_has_its_own_region_or_the_default():
    regions = settings(
        regions_of_interest=(("default", (0, 0, 0, 90)), ("rear/image_raw", (1, 2, 3, 4)))
    ).regions
    assert regions == {
        "/front/image_raw": Region(0, 0, 0, 90),
        "/rear/image_raw": Region(1, 2, 3, 4),
    }
    assert settings().regions["/front/image_raw"] == WHOLE


@pytest.mark.parametrize(
    ("value", "floor"), [(0.0, 0), (0.5, 128), (0.002, 1), (1.0, 255), (0.2, 51)]
)
def test_the_confidence_floor_is_the_least_byte_that_is_sure_enough(value, floor):
    assert settings(min_confidence=value).frame.confidence_floor == floor


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"mask_classes": ("raod",)}, "mask_classes: no class 'raod': did you mean 'road'?"),
        (
            {"mask_groups": (("drivable", ("road", "pavment")),)},
            "mask_groups.drivable: no class 'pavment': did you mean 'pavement'?",
        ),
        (
            {"mask_groups": (("road", ("road",)),)},
            "mask_groups.road: 'road' would share the topic mask/road",
        ),
        ({"palette": (("rode", (1, 2, 3)),)}, "palette.rode: no class 'rode': did you mean 'road'"),
        ({"palette": (("road", (1, 2, 256)),)}, r"each from 0 to 255, not \[1, 2, 256\]"),
        ({"palette": (("road", (1, 2)),)}, "palette.road: a colour is"),
        (
            {"regions_of_interest": (("fornt/image_raw", (0, 0, 0, 0)),)},
            "regions_of_interest.fornt/image_raw: did you mean '/front/image_raw'?",
        ),
        ({"regions_of_interest": (("default", (0, 0, 9)),)}, "regions_of_interest.default: .*four"),
    ],
)
def test_what_there_is_not_is_refused_with_the_nearest_that_there_is(values, reason):
    with pytest.raises(ParameterError, match=reason):
        settings(**values)


def test_classes_that_a_topic_cannot_tell_apart_have_a_mask_each():
    classes = ClassTable(("bus stop", "bus-stop", "道路"), ((0, 0, 0), (1, 1, 1), (2, 2, 2)))
    masks = settings(classes).frame.masks
    assert sorted(masks) == ["mask/bus_stop_0", "mask/bus_stop_1", "mask/class_2"]
    assert [masks[topic][:3].tolist() for topic in sorted(masks)] == [
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
    ]


def test_how_free_space_is_looked_for_is_what_the_parameters_say():
    options = ground_settings(
        Parameters(free_space_min_run=5, free_space_confidence=0.7, free_space_range=(1.0, 9.0)),
        CAMVID,
    ).options
    assert (options.min_run, options.ground_confidence) == (5, 0.7)
    assert (options.min_range, options.max_range) == (1.0, 9.0)
    assert ground_settings(Parameters(), CAMVID).options.min_run == FreeSpaceOptions().min_run
    with pytest.raises(ParameterError, match="free_space_min_run: min_run must be 1 pixel or more"):
        ground_settings(Parameters(free_space_min_run=0), CAMVID)
    assert ground_settings(Parameters(free_space_seen_from=3.0), CAMVID).seen_from == 3.0
    assert ground_settings(Parameters(), CAMVID).seen_from == math.inf


@pytest.mark.parametrize("members", [(), ("",)])
def test_a_ground_group_without_a_class_is_not_the_cards_ground(members):
    empty = Parameters(ground_classes=("drivable",), mask_groups=(("drivable", members),))
    with pytest.raises(ParameterError, match="the group 'drivable' of mask_groups names no class"):
        ground_settings(empty, CAMVID)
