from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hyperseg_ros.runtime.video_files import VideoError, VideoReader, VideoWriter, writable_rate

WIDTH, HEIGHT = 64, 48


def frame(value: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), value, np.uint8)


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, HEIGHT, WIDTH, 3), np.uint8)


def write(path: Path, frames: np.ndarray, rate: float = 10.0) -> None:
    with VideoWriter(path, rate, (WIDTH, HEIGHT)) as writer:
        for picture in frames:
            writer.write(picture)


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_frames_come_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write(path, np.stack([frame(value) for value in (20, 120, 220)]), 12.5)
    reader = VideoReader(path)
    assert (reader.rate, reader.length) == (12.5, 3)
    np.testing.assert_allclose([picture.mean() for picture in reader], [20, 120, 220], atol=6)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("rate", "written"),
    [(25, 25), (29.97, 29.97), (119.123, 119.12), (211.222, 211.22), (500, 500)]
    + [(rate, 25) for rate in (0, -1, 0.5, 1000, 90000, float("nan"), float("inf"))],
)
def test_any_rate_is_written_as_one_that_can_be(tmp_path: Path, rate: float, written: float):
    assert writable_rate(rate) == written
    write(tmp_path / "a.mp4", noise(3), rate)
    assert VideoReader(tmp_path / "a.mp4").rate == pytest.approx(written, rel=1e-4)


def with_index_first(content: bytes) -> bytes:
    """An MP4 whose index lies before its frames, as in files for the web."""
    boxes, position = {}, 0
    while position < len(content):
        length = int.from_bytes(content[position : position + 4], "big")
        boxes[content[position + 4 : position + 8]] = content[position : position + length]
        position += length
    index = bytearray(boxes.pop(b"moov"))
    table = index.index(b"stco") + 8
    for entry in range(int.from_bytes(index[table : table + 4], "big")):
        at = table + 4 + 4 * entry
        offset = int.from_bytes(index[at : at + 4], "big") + len(index)
        index[at : at + 4] = offset.to_bytes(4, "big")
    return boxes.pop(b"ftyp") + bytes(index) + b"".join(boxes.values())


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_file_that_is_cut_short_is_an_error_after_its_last_frame(
    tmp_path: Path, suffix: str, share: float
) -> None:
    path = tmp_path / f"a{suffix}"
    write(path, noise(50))
    content = path.read_bytes()
    if suffix == ".mp4":
        content = with_index_first(content)
        path.write_bytes(content)
        assert len(list(VideoReader(path))) == 50
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(VideoError, match=r"a\..* cut short: \d+ of 50 frames can") as caught:
        list(VideoReader(path))
    read = int(str(caught.value).partition(": ")[2].split()[0])
    assert share * 50 - 12 < read < share * 50 + 3


def test_a_file_that_is_damaged_within_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    write(path, noise(50))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + len(content) // 5] = bytes(len(content) // 5)
    path.write_bytes(content)
    with pytest.raises(VideoError, match="damaged or cut short"):
        list(VideoReader(path))


@pytest.mark.parametrize("content", [b"", b"no video", bytes(range(256)) * 20])
def test_what_is_not_a_video_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(VideoError, match=r"a\.mp4"):
        VideoReader(tmp_path / "a.mp4")


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from hyperseg_ros.runtime.video_files import VideoWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
frames = np.random.default_rng(0).integers(0, 256, (50, 240, 320, 3), np.uint8)
try:
    with VideoWriter(sys.argv[1], 10.0, (320, 240)) as writer:
        for number, frame in enumerate(frames, 1):
            writer.write(frame)
except OSError as error:
    print(number, error)
"""


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_on_a_full_disk_the_old_file_is_kept_and_nothing_is_claimed(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"the last one")
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=False
    )
    assert run.stderr == ""
    frames, _, said = run.stdout.strip().partition(" ")
    assert said == f"[Errno 27] File too large: {str(path)!r}"
    assert int(frames) < 40  # of 50: what the encoder collects, and the frames until one looks
    assert path.read_bytes() == b"the last one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_video_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    def give_up() -> None:
        with VideoWriter(tmp_path / "a.mp4", 10, (WIDTH, HEIGHT)) as writer:
            writer.write(frame(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        give_up()
    assert list(tmp_path.iterdir()) == []


def test_without_the_codec_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="OpenCV cannot write mp4v of 0 x 48 pixels here"):
        VideoWriter(tmp_path / "a.mp4", 10, (0, 48))
    assert list(tmp_path.iterdir()) == []
