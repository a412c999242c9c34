from __future__ import annotations

import hashlib
import json
import resource
import shutil
import threading

import bags
import numpy as np
import pytest
from disks import full_disk
from mcap.reader import make_reader

import models
from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.fleet import Fleet
from hyperseg_ros.recordings.places import place, put
from hyperseg_ros.recordings.plan import Options, Storage
from hyperseg_ros.recordings.reading import Recording
from hyperseg_ros.recordings.run import parts_folder, plan, run
from hyperseg_ros.recordings.writing import BagWriter
from hyperseg_ros.runtime.segmenter import Segmenter


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return models.write_palette_model(
        tmp_path_factory.mktemp("model") / "palette.onnx", input_size=(48, 64)
    )


def segment(source, output, model, resume=False, part=0.5, merge=False, **options):
    options = Options(str(model), **options)
    (result,) = run(plan({source: output}, options, resume, part), options, merge=merge)
    return result


def contents(bag):
    """What a bag holds, message by message, and nothing of its names and layout."""
    with Recording(bag) as recording:
        return [
            (stored.connection.topic, stored.connection.msgtype, stored.time, stored.data)
            for stored in recording.messages()
        ]


def digest(bag):
    (file,) = bag.glob("*.mcap")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_every_frame_has_its_labels_with_its_header_and_receive_time(tmp_path, model):
    source = bags.write(tmp_path / "drive", bags.frames(12))

    result = segment(source, tmp_path / "out", model)

    assert (result.frames, result.bad, result.damage, result.whole) == (12, (), "", True)
    with (
        Recording(tmp_path / "out") as recording,
        Segmenter.open(model, "onnxruntime") as segmenter,
    ):
        labels = list(recording.messages(["/front/segmentation/label"]))
        for index, stored in enumerate(labels):
            message = recording.decode(stored)
            time = bags.START + index * bags.PERIOD
            assert stored.time == time + 10**6
            assert (message.header.stamp.sec, message.header.stamp.nanosec) == divmod(time, 10**9)
            assert (message.header.frame_id, message.encoding) == ("camera", "mono8")
            expected = segmenter(bags.pixels(index)).labels
            np.testing.assert_array_equal(message.data.reshape(48, 64), expected)
        assert len(labels) == 12
        assert {topic.name for topic in recording.topics} == {
            "/front/segmentation/label",
            "/front/segmentation/confidence",
            "/front/segmentation/label_info",
        }


def test_the_network_sees_the_region_of_a_camera_and_the_rest_is_unlabelled(tmp_path, model):
    source = bags.write(tmp_path / "drive", bags.frames(3))
    regions = ((bags.CAMERA, (8, 4, 40, 0)), ("default", (0, 0, 1, 1)))

    result = segment(source, tmp_path / "out", model, regions=regions)

    assert result.whole
    with (
        Recording(tmp_path / "out") as recording,
        Segmenter.open(model, "onnxruntime") as segmenter,
    ):
        for name, around in (("label", 255), ("confidence", 0)):
            made = list(recording.messages([f"/front/segmentation/{name}"]))
            assert len(made) == 3
            for index, stored in enumerate(made):
                expected = np.full((48, 64), around, np.uint8)
                inside = segmenter(bags.pixels(index)[4:, 8:48])
                expected[4:, 8:48] = inside.labels if name == "label" else inside.confidence
                found = recording.decode(stored).data.reshape(48, 64)
                np.testing.assert_array_equal(found, expected)


def test_a_region_beyond_an_image_is_told_with_the_image(tmp_path, model):
    source = bags.write(tmp_path / "drive", bags.frames(2))

    result = segment(source, tmp_path / "out", model, regions=(("default", (0, 0, 65, 0)),))

    assert (result.frames, len(result.bad)) == (0, 2)
    assert "is not inside an image of 64 x 48" in result.bad[0].reason


def test_the_result_does_not_depend_on_how_it_was_divided(tmp_path, model):
    source = bags.write(tmp_path / "drive", bags.frames(12))

    segment(source, tmp_path / "a" / "out", model, part=0.25)
    segment(source, tmp_path / "b" / "out", model, part=100)

    assert contents(tmp_path / "a" / "out") == contents(tmp_path / "b" / "out")


def test_a_run_goes_on_where_it_was_interrupted(tmp_path, model):
    source = bags.write(tmp_path / "drive", bags.frames(12))
    whole = segment(source, tmp_path / "whole" / "out", model)
    options = Options(str(model))
    (task,) = plan({source: tmp_path / "out"}, options, part_seconds=0.5)
    interrupted = run([task], options, progress=lambda outcome: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        next(interrupted)
    assert [part.done for part in task.parts] == [True, False, False]
    first = task.parts[0].report_path.stat().st_mtime_ns
    assert not (tmp_path / "out").exists()

    with pytest.raises(RecordingError, match="holds parts of a run that was interrupted"):
        plan({source: tmp_path / "out"}, options, part_seconds=0.5)
    tasks = plan({source: tmp_path / "out"}, options, resume=True, part_seconds=0.5)
    assert task.parts[0].report_path.stat().st_mtime_ns == first
    (result,) = run(tasks, options)

    assert result.frames == whole.frames == 12
    assert digest(tmp_path / "out") == digest(tmp_path / "whole" / "out")
    assert not parts_folder(tmp_path / "out").exists()


def interrupt(tasks, options):
    """Does one part of a run."""
    with pytest.raises(ZeroDivisionError):
        next(run(tasks, options, progress=lambda outcome: 1 / 0))


def test_parts_of_another_run_are_not_mixed_in(tmp_path, model):
    source = bags.write(tmp_path / "drive", bags.frames(12))
    options = Options(str(model))
    interrupt(plan({source: tmp_path / "out"}, options, part_seconds=0.5), options)

    other = Options(str(model), min_confidence=0.5)
    with pytest.raises(RecordingError, match="options has changed since"):
        plan({source: tmp_path / "out"}, other, resume=True, part_seconds=0.5)


def test_a_run_that_did_nothing_does_not_block_the_next(tmp_path, model):
    source = bags.write(tmp_path / "drive", bags.frames(2))
    plan({source: tmp_path / "out"}, Options(str(model), backend="tensorrt"))

    assert segment(source, tmp_path / "out", model).whole


def test_bags_that_are_whole_are_not_made_again(tmp_path, model):
    sources = {
        bags.write(tmp_path / name, bags.frames(3, start=bags.START + 10**12 * number)): (
            tmp_path / "out" / name
        )
        for number, name in enumerate(("a", "b"))
    }
    options = Options(str(model))
    next(run(plan(sources, options), options))
    made = digest(tmp_path / "out" / "a")

    tasks = plan(sources, options, resume=True)
    list(run(tasks, options))

    assert [task.output.name for task in tasks] == ["b"]
    assert digest(tmp_path / "out" / "a") == made
    assert plan(sources, options, resume=True) == []
    with pytest.raises(RecordingError, match="is there already"):
        plan(sources, Options(str(model), min_confidence=0.5), resume=True)


@pytest.mark.parametrize("calibrations", [(0,), tuple(range(12))])
def test_every_part_has_the_calibration(tmp_path, model, calibrations):
    messages = bags.frames(12)
    for index in calibrations:
        time = bags.START + index * bags.PERIOD + 2 * 10**6  # after its image
        messages.append(("/front/camera_info", bags.INFO, time, bags.camera_info(time)))
    source = bags.write(tmp_path / "drive", sorted(messages, key=lambda item: item[2]))

    segment(source, tmp_path / "a" / "out", model, part=0.25)
    segment(source, tmp_path / "b" / "out", model, part=100)

    infos = [item for item in contents(tmp_path / "a" / "out") if "camera_info" in item[0]]
    assert len(infos) == 12
    assert contents(tmp_path / "a" / "out") == contents(tmp_path / "b" / "out")


def test_a_part_that_cannot_be_read_back_is_no_success(tmp_path, model):
    source = bags.write(tmp_path / "drive", bags.frames(300))
    options = Options(str(model))
    (task,) = plan({source: tmp_path / "out"}, options, part_seconds=100)

    def damage(outcome):
        (file,) = outcome.part.path.glob("*.mcap")
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    with pytest.raises(RecordingError, match="is cut short; remove it, and add --resume"):
        list(run([task], options, progress=damage))
    assert not (tmp_path / "out").exists()


def test_earlier_labels_are_not_merged_beside_the_new_ones(tmp_path, model):
    source = bags.write(tmp_path / "drive", bags.frames(3))
    segment(source, tmp_path / "once", model, merge=True)

    segment(tmp_path / "once", tmp_path / "twice", model, merge=True)

    assert contents(tmp_path / "twice") == contents(tmp_path / "once")


def test_bad_images_are_counted_and_named_by_their_time(tmp_path, model):
    messages = bags.frames(6)
    topic, kind, time, _ = messages[2]
    broken = bags.image(bags.pixels(2), time - 10**6)
    broken.encoding = "plaid8"
    messages[2] = (topic, kind, time, broken)
    source = bags.write(tmp_path / "drive", messages)

    result = segment(source, tmp_path / "out", model)

    assert result.frames == 5
    (bad,) = result.bad
    assert (bad.topic, bad.time) == (topic, time)
    assert "plaid8" in bad.reason
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["bad"] == [vars(bad)]


def test_a_recording_cut_short_gives_what_it_has(tmp_path, model):
    source = bags.write(tmp_path / "drive", bags.frames(300))
    file = source / "drive.mcap"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    result = segment(source, tmp_path / "out", model, part=10)

    assert 50 < result.frames < 150
    assert "drive.mcap is cut short" in result.damage or "metadata" in result.damage
    assert not result.whole
    labels = [item for item in contents(tmp_path / "out") if item[0].endswith("/label")]
    assert len(labels) == result.frames


def test_the_original_topics_are_beside_the_outputs_where_asked(tmp_path, model):
    text = bags.ROS2.types["std_msgs/msg/String"]("hello")
    source = bags.write(
        tmp_path / "drive",
        [*bags.frames(3), ("/chatter", "std_msgs/msg/String", bags.START + 10 * bags.PERIOD, text)],
    )

    segment(source, tmp_path / "out", model, merge=True)

    before, after = contents(source), contents(tmp_path / "out")
    assert [item for item in after if "segmentation" not in item[0]] == before
    assert [item[2] for item in after] == sorted(item[2] for item in after)
    assert sum(item[0] == "/front/segmentation/label" for item in after) == 3


def test_a_ros1_bag_becomes_one_of_ros2(tmp_path, model):
    messages = [
        (topic, kind, time, bags.image(bags.pixels(index), time - 10**6, ros1=True))
        for index, (topic, kind, time, _) in enumerate(bags.frames(3))
    ]
    source = bags.write_ros1(tmp_path / "drive.bag", messages)
    twin = bags.write(tmp_path / "twin", bags.frames(3))

    segment(source, tmp_path / "out", model, merge=True)
    segment(twin, tmp_path / "expected", model, merge=True)

    assert contents(tmp_path / "out") == contents(tmp_path / "expected")


def test_every_output_of_the_node_can_be_in_the_bag(tmp_path, model):
    source = bags.write(tmp_path / "drive", bags.frames(2))
    names = ("label", "confidence", "label_info", "masks", "mask", "color", "overlay")

    segment(source, tmp_path / "out", model, outputs=names, masks=("*",))

    with Recording(tmp_path / "out") as recording:
        found = {t.name.removeprefix("/front/segmentation/"): t.messages for t in recording.topics}
    masks = {name: count for name, count in found.items() if name.startswith("mask/")}
    assert {"label", "confidence", "masks", "color", "overlay"} <= set(found)
    assert found["label_info"] == 1
    assert set(masks.values()) == {2}


def test_two_cameras_have_outputs_of_their_own(tmp_path, model):
    source = bags.write(tmp_path / "drive", bags.frames(2) + bags.frames(2, "/rear/image_raw"))

    result = segment(source, tmp_path / "out", model)

    assert result.frames == 4
    topics = {item[0] for item in contents(tmp_path / "out")}
    assert {"/front/segmentation/label", "/rear/segmentation/label"} <= topics


def test_a_full_disk_leaves_no_half_bag(tmp_path, model, monkeypatch):
    source = bags.write(tmp_path / "drive", bags.frames(3))

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        segment(source, tmp_path / "out", model)

    assert not (tmp_path / "out").exists()
    left = [path for path in parts_folder(tmp_path / "out").iterdir() if path.name != "plan.json"]
    assert left == []


@pytest.mark.parametrize("joining", [False, True])
def test_nothing_is_read_any_more_after_an_error(tmp_path, model, monkeypatch, joining):
    source = bags.write(tmp_path / "drive", bags.frames(40))
    options = Options(str(model))
    tasks = plan({source: tmp_path / "out"}, options)
    before = threading.enumerate()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    def fail(outcome=None):
        monkeypatch.setattr(BagWriter, "write", full)

    if not joining:
        fail()
    with pytest.raises(OSError, match="No space left") as kept:
        list(run(tasks, options, progress=fail))

    assert threading.enumerate() == before
    assert kept.tb is not None  # and with it what was at work


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_disk_that_is_full_ends_the_run_and_names_the_bag(tmp_path, model, storage):
    source = bags.write(tmp_path / "drive", bags.frames(8))
    options = Options(str(model))
    tasks = plan({source: tmp_path / "out"}, options)
    size = (source / "drive.mcap").stat().st_size

    def parts():
        return sorted(path.name for path in parts_folder(tmp_path / "out").iterdir())

    with pytest.raises(OSError, match=r"part_0000'$"), full_disk(10_000):
        list(run(tasks, options, storage=Storage(storage)))
    assert parts() == ["plan.json"]

    def fill(outcome):
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))

    with pytest.raises(OSError, match=r"/out'$"), full_disk(10 * size):
        list(run(tasks, options, storage=Storage(storage), progress=fill))
    assert parts() == ["part_0000", "plan.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.parts", "drive"]


@pytest.mark.parametrize(
    ("messages", "topics", "said"),
    [
        ([], (), r"has no image topic; its topics are: none"),
        (
            [("/chatter", "std_msgs/msg/String", 5, bags.ROS2.types["std_msgs/msg/String"]("a"))],
            (),
            r"its topics are: /chatter \(std_msgs/msg/String\)",
        ),
        (bags.frames(1), ("/front/image_rav",), r"did you mean /front/image_raw\?"),
        (bags.frames(1) + bags.frames(1, "/front/image_rect"), (), r"name one with --topics"),
    ],
)
def test_a_recording_without_its_cameras_is_told_before_anything_is_done(
    tmp_path, model, messages, topics, said
):
    source = bags.write(tmp_path / "drive", messages)

    with pytest.raises(RecordingError, match=said):
        plan({source: tmp_path / "out"}, Options(str(model), topics=topics))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["drive"]


def test_depth_compressed_twins_and_our_own_outputs_are_no_cameras(tmp_path, model):
    depth = bags.image(np.zeros((48, 64), np.uint16), bags.START, "16UC1")
    messages = [
        *bags.frames(2),
        ("/depth/image_raw", "sensor_msgs/msg/Image", bags.START, depth),
        (
            "/front/image_raw/compressed",
            "sensor_msgs/msg/CompressedImage",
            bags.START,
            bags.compressed(bags.pixels(0), bags.START),
        ),
        ("/front/segmentation/label", "sensor_msgs/msg/Image", bags.START, depth),
    ]
    source = bags.write(tmp_path / "drive", messages)

    result = segment(source, tmp_path / "out", model)

    assert (result.frames, result.bad) == (2, ())


def test_a_compressed_bag_holds_the_same_in_less(tmp_path, model):
    source = bags.write(tmp_path / "drive", bags.frames(12))
    segment(source, tmp_path / "out", model, merge=True)
    options = Options(str(model))
    tasks = plan({source: tmp_path / "small"}, options, part_seconds=0.5)

    list(run(tasks, options, merge=True, storage=Storage(compression="zstd")))

    assert contents(tmp_path / "small") == contents(tmp_path / "out")
    small, large = (next((tmp_path / name).glob("*.mcap")) for name in ("small", "out"))
    assert small.stat().st_size < large.stat().st_size
    with small.open("rb") as file:
        summary = make_reader(file).get_summary()
        assert {chunk.compression for chunk in summary.chunk_indexes} == {"zstd"}
        labels = [
            (message.log_time, message.data)
            for _, channel, message in make_reader(file).iter_messages()
            if channel.topic.endswith("/label")
        ]
    assert labels == [
        (time, data) for topic, _, time, data in contents(small) if topic.endswith("/label")
    ]


def test_what_has_no_compressed_chunks_is_told():
    with pytest.raises(RecordingError, match="a bag in sqlite3 has no compressed chunks"):
        Storage("sqlite3", "zstd")


def test_an_output_that_is_there_is_left_alone(tmp_path, model):
    source = bags.write(tmp_path / "drive", bags.frames(1))
    shutil.copytree(source, tmp_path / "out")

    with pytest.raises(RecordingError, match="is there already"):
        plan({source: tmp_path / "out"}, Options(str(model)))


def test_recordings_and_bags_may_lie_in_an_object_store(tmp_path, model):
    pytest.importorskip("upath", reason="universal_pathlib is not installed (extra fleet)")
    source = bags.write(tmp_path / "drive", bags.frames(12))
    expected = segment(source, tmp_path / "out", model)
    store = place(f"memory://{tmp_path.name}")
    put(source, store / "drive", last="metadata.yaml")

    result = segment(store / "drive", store / "out", model)

    assert result.frames == expected.frames
    assert contents(store / "out") == contents(tmp_path / "out")
    assert sorted(path.name for path in store.iterdir()) == ["drive", "out"]
    assert (store / "out" / "out.mcap").read_bytes() == (tmp_path / "out" / "out.mcap").read_bytes()


def test_a_store_that_cannot_be_reached_is_one_line():
    with pytest.raises(RecordingError, match="nosuch://bucket/drive cannot be reached"):
        place("nosuch://bucket/drive")


def test_a_fleet_makes_the_same_bag(tmp_path, model):
    pytest.importorskip("ray", reason="Ray is not installed (extra fleet)")
    sources = {
        bags.write(tmp_path / name, bags.frames(12, start=bags.START + 10**12 * number)): (
            tmp_path / "fleet" / name
        )
        for number, name in enumerate(("monday", "tuesday"))
    }
    options = Options(str(model))
    for source in sources:
        segment(source, tmp_path / "serial" / source.name, model)

    results = list(run(plan(sources, options, part_seconds=0.5), options, Fleet(workers=2)))

    assert sorted(result.output.name for result in results) == ["monday", "tuesday"]
    assert all(result.whole and result.frames == 12 for result in results)
    for name in ("monday", "tuesday"):
        assert digest(tmp_path / "fleet" / name) == digest(tmp_path / "serial" / name)
