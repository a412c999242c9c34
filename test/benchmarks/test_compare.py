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


def test_bad_arguments(tmp_path, capsys):
    with pytest.raises(SystemExit):
        compare.main(["--official", str(tmp_path)])
    assert "is no checkout of the published code" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        compare.main(["hyperseg-xl"])
    assert "no model hyperseg-xl; there are hyperseg-s-camvid" in capsys.readouterr().err
