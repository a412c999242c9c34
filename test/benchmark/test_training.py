import sys

import pytest

from hyperseg_ros import cli

SMALL = ["benchmark", "--train", "hyperseg-s-lite0", "--batch", "2", "--size", "64x64"]


def test_the_command_prints_throughput_and_the_share_of_the_decoder(capsys):
    from hyperseg_ros.benchmark.training import native_precision

    assert cli.main([*SMALL, "--steps", "2"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("hyperseg"))
    name, precision, seconds, rate, share, memory, *device = row.split()
    assert (name, precision) == ("hyperseg-s-lite0", native_precision())
    assert float(rate) == pytest.approx(2 / float(seconds), rel=0.05)
    assert 0 < float(share) < 100
    assert float(memory) > 100
    assert device


def test_what_goes_wrong_in_its_process_is_told(capsys):
    assert cli.main([*SMALL[:2], "hyperseg-s-lite0", "--size", "60x64"]) == 2
    assert "nearest valid size is 64 x 64" in capsys.readouterr().err
    assert cli.main([*SMALL, "--steps", "1", "--official", sys.prefix]) == 2
    assert "No module named 'hyperseg'" in capsys.readouterr().err
