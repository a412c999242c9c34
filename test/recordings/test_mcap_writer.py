from __future__ import annotations

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer

from hyperseg_ros.recordings.definitions import definition, serialize
from hyperseg_ros.recordings.mcap_writer import BagFileWriter

IMAGE = "sensor_msgs/msg/Image"


def message(number: int, size: int) -> bytes | memoryview:
    fields = {"height": 1, "width": size, "encoding": "mono8", "is_bigendian": 0, "step": size}
    header = {"stamp": {"sec": number, "nanosec": 0}, "frame_id": "c" * number}
    return serialize(IMAGE, {"header": header, **fields, "data": np.full(size, number, np.uint8)})


def write(writer, sizes):
    with writer:
        topics = {}
        for number, size in enumerate(sizes):
            topic = f"/{number % 3}"  # a topic may come when a chunk is half full
            if topic not in topics:
                text, digest = definition(IMAGE)
                topics[topic] = writer.add_connection(topic, IMAGE, msgdef=text, rihs01=digest)
            writer.write(topics[topic], 100 - number if number == 4 else number, message(1, size))


@pytest.mark.parametrize("sizes", [[], [5], [300_000] * 9, [2_000_000, 1, 2_000_000], [0, 1, 2]])
def test_a_file_is_that_of_rosbags_byte_for_byte(tmp_path, sizes):
    files = []
    for kind in (Writer, BagFileWriter):
        folder = tmp_path / kind.__name__ / "bag"
        folder.parent.mkdir()
        write(kind(folder, version=8, storage_plugin=StoragePlugin.MCAP), sizes)
        files.append((folder / "bag.mcap").read_bytes())
    assert files[0] == files[1]
