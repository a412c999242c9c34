from __future__ import annotations

import threading

import bags
import numpy as np
import pytest

import models
from hyperseg_ros.recordings.lanes import Lanes
from hyperseg_ros.recordings.plan import Options
from hyperseg_ros.recordings.run import plan, run
from hyperseg_ros.runtime import Segmenter


class Network:
    """A backend whose labels are all 1; it says how it was opened and closed."""

    precision, batch_size, reason = "fp32", 1, ""

    def __init__(self, name="onnxruntime", threads=0, device="here"):
        self.name, self.threads, self.device = name, threads, device
        self.details, self.closed = {}, False

    def infer(self, images):
        labels = np.ones(images.shape[:3], np.uint8)
        return labels, labels

    def close(self):
        self.closed = True


def lanes(count):
    return Lanes(*(Segmenter(models.card(), Network()) for _ in range(count)))


@pytest.mark.parametrize(
    ("name", "threads", "expected"),
    [
        ("onnxruntime", 1, [1]),
        ("onnxruntime", 2, [1, 1]),
        ("onnxruntime", 5, [3, 2]),
        ("tensorrt", 4, [2]),
    ],
)
def test_the_threads_are_shared_out_among_two_segmenters_on_a_cpu(name, threads, expected):
    networks = []

    def load(count):
        networks.append(Network(name, count))
        return Segmenter(models.card(), networks[-1])

    opened = Lanes.open(load, threads)

    assert [network.threads for network in networks] == expected
    opened.close()
    assert all(network.closed for network in networks)


def test_a_segmenter_is_closed_whose_neighbour_cannot_be_opened():
    network = Network("onnxruntime")
    waiting = [network]

    with pytest.raises(IndexError):
        Lanes.open(lambda threads: Segmenter(models.card(), waiting.pop()), 2)

    assert network.closed


def test_segmenters_on_different_devices_do_not_share_the_frames():
    networks = [Network(device=device) for device in ("the CPU", "a GPU")]
    waiting = list(networks)

    opened = Lanes.open(lambda threads: Segmenter(models.card(), waiting.pop(0)), 2)

    assert [network.closed for network in networks] == [False, True]
    assert list(opened.map(lambda segmenter, item: segmenter.device, range(3))) == ["the CPU"] * 3


def test_no_lane_works_any_more_when_the_results_are_closed():
    working, closing = threading.Event(), threading.Event()
    done = []

    def work(segmenter, item):
        if item:
            working.set()
            assert closing.wait(60)
        done.append(item)

    results = lanes(1).map(work, range(10))
    next(results)
    assert working.wait(60)
    threading.Timer(0.1, closing.set).start()
    results.close()

    assert done == [0, 1]


def test_two_lanes_work_at_the_same_time_each_with_a_segmenter_of_its_own():
    both = threading.Barrier(2, timeout=60)
    used = []

    def work(segmenter, item):
        used.append(segmenter)
        both.wait()
        return item

    assert list(lanes(2).map(work, range(4))) == [0, 1, 2, 3]
    assert len(set(map(id, used))) == 2


def test_results_come_in_the_order_of_the_items_whichever_is_done_first():
    second_is_done = threading.Event()

    def work(segmenter, item):
        if item == 0:
            assert second_is_done.wait(60)
        second_is_done.set()
        return item

    assert list(lanes(2).map(work, range(6))) == list(range(6))


def test_no_more_than_one_item_is_taken_beyond_those_that_are_worked_on():
    taken = []
    results = lanes(2).map(lambda segmenter, item: item, map(taken.append, range(100)))

    for count in range(1, 50):
        next(results)
        assert len(taken) <= count + 2


def test_an_error_comes_in_its_turn():
    def work(segmenter, item):
        return 12 // (3 - item)

    results = lanes(2).map(work, range(6))

    assert [next(results) for _ in range(3)] == [4, 6, 12]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_bag_does_not_depend_on_the_number_of_lanes(tmp_path):
    model = models.write_palette_model(tmp_path / "palette.onnx", input_size=(48, 64))
    source = bags.write(tmp_path / "drive", bags.frames(12))
    made = []

    for threads in (1, 2):
        options = Options(str(model), threads=threads)
        output = tmp_path / str(threads) / "out"
        (result,) = run(plan({source: output}, options, part_seconds=0.5), options)
        assert result.frames == 12
        made.append(next(output.glob("*.mcap")).read_bytes())

    assert made[0] == made[1]
