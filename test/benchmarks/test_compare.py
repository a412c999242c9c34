"""The comparison as far as it goes without the published code."""

import re

import compare
import pytest


def test_contestants_run_in_turn_and_agree(capsys):
    assert compare.main(["hyperseg-s-lite0-camvid", "--rounds", "3", "--threads", "2"]) == 0
    printed = capsys.readouterr().out
    assert "without the published code" in printed
    assert "hyperseg-s-lite0-camvid, 384 x 512, 3 rounds" in printed
    rows = re.findall(r"^(ours, [\w ,]+?)  +([\d.]+) ms .*?([\d.]+)x .*? ([\d.]+)%$", printed, re.M)
    names = [name for name, *_ in rows]
    assert names[:2] == ["ours, onnxruntime fp32", "ours, openvino fp32"]
    assert rows[0][2] == "1.00"
    assert names[-1].endswith(", INT8 encoder")
    assert all(float(agreement) > 98 for *_, agreement in rows)
    assert float(rows[1][3]) > 99.9


PIDNET = """
from torch import nn

def get_pred_model(name, num_classes):
    return nn.Conv2d(3, num_classes, 8, stride=8)
"""


def test_pidnet_is_the_yardstick_where_it_competes(tmp_path, capsys):
    """With a convolution in place of the published network, which lies in no package."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "pidnet.py").write_text(PIDNET)
    arguments = ["hyperseg-s-lite0-camvid", "--rounds", "2", "--pidnet", str(tmp_path)]
    assert compare.main(arguments) == 0
    printed = capsys.readouterr().out
    ratio, same = re.search(
        r"^PIDNet-S, openvino fp32 .*? ([\d.]+)x .*? ([\d.]+)%$", printed, re.M
    ).groups()
    assert ratio == "1.00"
    assert float(same) < 90
    assert re.search(r"^ours, openvino fp32 .* 100\.000%$", printed, re.M)


def test_bad_arguments(tmp_path, capsys):
    with pytest.raises(SystemExit):
        compare.main(["--pidnet", str(tmp_path)])
    assert "is no checkout of PIDNet" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        compare.main(["--official", str(tmp_path)])
    assert "is no checkout of the published code" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        compare.main(["hyperseg-xl"])
    assert "no model hyperseg-xl; there are hyperseg-s-camvid" in capsys.readouterr().err
