from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.frames.topics import CameraTopics, class_tokens, name_cameras, topic_token


@pytest.mark.parametrize(
    ("image", "compressed", "camera_info", "label"),
    [
        ("/camera/image_raw", False, "/camera/camera_info", "/camera/segmentation/label"),
        ("/camera/image_raw/compressed", True, "/camera/camera_info", "/camera/segmentation/label"),
        ("/car/front/image", False, "/car/front/camera_info", "/car/front/segmentation/label"),
        ("/image", False, "/camera_info", "/segmentation/label"),
        ("/image/compressed", True, "/camera_info", "/segmentation/label"),
    ],
)
def test_names_follow_from_the_image_topic(image, compressed, camera_info, label):
    topics = CameraTopics(image)
    assert topics.compressed is compressed
    assert topics.camera_info == camera_info
    assert topics.output("label") == label


def test_cameras_keep_their_order():
    images = ["/b/image", "/a/image/compressed"]
    assert [topics.image for topics in name_cameras(images)] == images


@pytest.mark.parametrize("second", ["/camera/right", "/camera/left/compressed"])
def test_two_cameras_in_one_namespace_are_refused(second):
    with pytest.raises(ValueError, match=r"/camera/left and \S+ would both publish under /camera"):
        name_cameras(["/camera/left", second])


def test_a_topic_listed_twice_is_refused():
    with pytest.raises(ValueError, match="image_topics lists /camera/left twice"):
        name_cameras(["/camera/left", "/rear/left", "/camera/left"])


@pytest.mark.parametrize(
    ("name", "token"),
    [
        ("road", "road"),
        ("traffic light", "traffic_light"),
        ("bus/truck (parked)", "bus_truck_parked"),
        ("2-wheeler", "_2_wheeler"),
        ("Straße", "Stra_e"),
        ("路", "_"),
    ],
)
def test_class_names_become_topic_levels(name, token):
    assert topic_token(name) == token


def test_classes_that_a_topic_cannot_tell_apart_have_their_ids():
    names = ("道路", "人行道", "traffic light", "traffic-light", "car")
    tokens = ("class_0", "class_1", "traffic_light_2", "traffic_light_3", "car")
    assert class_tokens(names) == dict(zip(names, tokens))


@given(
    st.lists(st.sampled_from(["a b", "a-b", "a_b_0", "a_b_0_", "路", "道", "class 0"]), unique=True)
)
def test_no_two_classes_share_a_topic(names):
    tokens = class_tokens(names)
    assert list(tokens) == names
    assert len(set(tokens.values())) == len(names)
