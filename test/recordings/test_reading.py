from __future__ import annotations

import bags
import numpy as np
import pytest

from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.places import is_recording
from hyperseg_ros.recordings.reading import Recording


def read(path):
    """Every image of a recording, as (time, pixels), and what is wrong with the recording."""
    with Recording(path) as recording:
        images = [
            (stored.time, np.asarray(recording.decode(stored).data).copy())
            for stored in recording.messages([bags.CAMERA])
        ]
        return images, recording.damage


def check(found, count):
    assert [time for time, _ in found] == [
        bags.START + index * bags.PERIOD + 10**6 for index in range(count)
    ]
    for index, (_, data) in enumerate(found):
        np.testing.assert_array_equal(data, bags.pixels(index).ravel())


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("compression", ["", "file", "message"])
def test_rosbag2_of_every_storage_and_compression(tmp_path, storage, compression):
    bag = bags.write(tmp_path / "drive", bags.frames(7), storage, compression)

    found, damage = read(bag)

    check(found, 7)
    assert damage == ""


@pytest.mark.parametrize("suffix", ["mcap", "db3"])
def test_a_storage_file_alone(tmp_path, suffix):
    storage = {"mcap": "mcap", "db3": "sqlite3"}[suffix]
    bag = bags.write(tmp_path / "drive", bags.frames(3), storage)

    check(read(bag / f"drive.{suffix}")[0], 3)


def test_a_ros1_bag(tmp_path):
    messages = [
        (topic, kind, time, bags.image(bags.pixels(index), time - 10**6, ros1=True))
        for index, (topic, kind, time, _) in enumerate(bags.frames(3))
    ]

    check(read(bags.write_ros1(tmp_path / "drive.bag", messages))[0], 3)


def test_a_bag_whose_recorder_was_killed_gives_what_it_has(tmp_path):
    bag = bags.write(tmp_path / "drive", bags.frames(5))
    (bag / "metadata.yaml").unlink()

    found, damage = read(bag)

    check(found, 5)
    assert damage.startswith("it has no metadata.yaml: it is still being recorded")


def test_split_files_without_metadata_are_read_in_their_order(tmp_path):
    for part in (0, 9, 10):
        messages = bags.frames(2, start=bags.START + part * 10 * bags.PERIOD)
        (bags.write(tmp_path / f"part{part}", messages) / f"part{part}.mcap").rename(
            tmp_path / f"drive_{part}.mcap"
        )

    times = [time for time, _ in read(tmp_path)[0]]

    assert times == sorted(times)
    assert len(times) == 6


@pytest.mark.parametrize("share", [0.35, 0.6, 0.999])
def test_a_file_cut_short_gives_what_comes_before(tmp_path, share):
    file = bags.write(tmp_path / "drive", bags.frames(400)) / "drive.mcap"
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])

    found, damage = read(file)

    # Messages lie in chunks of a megabyte; the last one is lost.
    assert abs(len(found) - 400 * share) < 2**20 / (48 * 64 * 3) + 1
    check(found, len(found))
    assert damage == "drive.mcap is cut short"


def test_damaged_pages_end_what_can_be_read(tmp_path):
    file = bags.write(tmp_path / "drive", bags.frames(400), "sqlite3") / "drive.db3"
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300_000] = bytes(300_000)
    file.write_bytes(data)

    found, damage = read(file.parent)

    assert 0 < len(found) < 400
    check(found, len(found))
    assert damage


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.mcap", None, "there is no recording"),
        ("text.mcap", b"hello", "cannot read"),
        ("empty.mcap", b"", "cannot read"),
        ("text.db3", b"hello" * 100, "cannot read"),
        ("drive.mp4", b"hello", "is not a recording: a rosbag2 folder, .mcap, .db3 or .bag is one"),
        ("text.bag", b"hello", "cannot read"),
    ],
)
def test_what_is_no_recording_is_told_in_one_line(tmp_path, name, content, said):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(RecordingError) as error:
        Recording(path)

    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_an_empty_folder_is_no_recording(tmp_path):
    with pytest.raises(RecordingError, match=r"it holds no \.mcap or \.db3 file"):
        Recording(tmp_path)


def test_a_foreign_metadata_file_does_not_hide_the_files(tmp_path):
    bag = bags.write(tmp_path / "drive", bags.frames(3))
    (bag / "metadata.yaml").write_text("rosbag2_bagfile_information: {version: 99}\n")

    found, damage = read(bag)

    check(found, 3)
    assert damage.startswith("its metadata.yaml does not fit its files")


def test_topics_are_listed_with_their_counts(tmp_path):
    messages = bags.frames(2) + bags.frames(3, "/rear/image_raw")
    with Recording(bags.write(tmp_path / "drive", messages)) as recording:
        assert [(topic.name, topic.messages) for topic in recording.topics] == [
            ("/front/image_raw", 2),
            ("/rear/image_raw", 3),
        ]
        assert recording.span == (bags.START + 10**6, bags.START + 2 * bags.PERIOD + 10**6 + 1)


def test_a_time_window_has_its_beginning_and_not_its_end(tmp_path):
    with Recording(bags.write(tmp_path / "drive", bags.frames(5))) as recording:
        begin, end = bags.START + bags.PERIOD + 10**6, bags.START + 3 * bags.PERIOD + 10**6
        assert len(list(recording.messages(start=begin, stop=end))) == 2


def test_an_empty_bag_has_no_span(tmp_path):
    with Recording(bags.write(tmp_path / "drive", [])) as recording:
        assert recording.span == (0, 0)
        assert recording.topics == ()


@pytest.mark.parametrize(
    ("name", "recording"),
    [("a.mcap", True), ("a.db3", True), ("a.bag", True), ("a.mp4", False), ("a", False)],
)
def test_recordings_are_known_by_their_names(tmp_path, name, recording):
    (tmp_path / name).mkdir() if name == "a" else (tmp_path / name).touch()

    assert is_recording(tmp_path / name) is recording


@pytest.mark.parametrize("share", [0.4, 0.8])
def test_an_sqlite_file_cut_short_gives_what_comes_before(tmp_path, share):
    file = bags.write(tmp_path / "drive", bags.frames(300), "sqlite3") / "drive.db3"
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])

    found, damage = read(file.parent)

    assert abs(len(found) - 300 * share) < 30
    check(found, len(found))
    assert "malformed" in damage
