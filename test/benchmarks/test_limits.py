"""The parts that the limits are counted and measured for."""

import limits
import onnx
import torch
from torch.utils.flop_counter import FlopCounterMode

from hyperseg_ros.network import build
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, find_model, read_card


def test_the_parts_have_the_multiply_adds_of_the_network():
    path = find_model(DEFAULT_MODEL)
    card = read_card(path)
    parts = limits.counted(onnx.load(path))

    network = build(card.variant, len(card.classes)).eval()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.zeros(1, 3, *card.input_size))
    assert sum(part.macs for part in parts.values()) == counter.get_total_flops() // 2
    # 12 x 16 patches of 18 x 18 pixels with halo, or 16 x 16: 1x1, depthwise, 1x1.
    last = 12 * 16 * (18 * 18 * 22 * 44 + 16 * 16 * 44 * (9 + 11))
    assert parts["meta block 4"].macs == last


def test_every_part_takes_time_and_moves_bytes(capsys):
    assert limits.main(["--frames", "2"]) == 0
    rows = capsys.readouterr().out.splitlines()
    table = {line[:36].strip(): line[36:].split() for line in rows if line[36:37].isspace()}
    assert {"pixels in", "encoder", "weight mapping", "meta block 0", "meta block 4"} <= set(table)
    for name in ("encoder", "context head", "meta block 4", "upsampling, softmax, argmax", "all"):
        milliseconds, megabytes = float(table[name][0]), float(table[name][4])
        assert milliseconds > 0
        assert megabytes > 0.1
