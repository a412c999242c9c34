"""`hyperseg export` end to end: the file it leaves is the network, for any runtime."""

from contextlib import closing

import cv2
import numpy as np
import onnx
import pytest
import torch
from networks import write_checkpoint
from torch import nn

from hyperseg_ros.commands import export as command
from hyperseg_ros.export import checkpoint as engine
from hyperseg_ros.export import verification
from hyperseg_ros.network import CheckpointError, build
from hyperseg_ros.runtime.backends import open_backend
from hyperseg_ros.runtime.model_file import ModelFileError, read_card

SIZE = "128x128"


def test_the_card_has_the_recipe_the_classes_and_a_picture(tmp_path):
    path = write_checkpoint(tmp_path, "hyperseg-s-lite0")
    image = np.full((60, 80, 3), 255, np.uint8)  # no class is white
    cv2.imwrite(str(tmp_path / "street.png"), image)
    command.main([str(path), "--size", SIZE, "--picture", str(tmp_path / "street.png")])
    card = read_card(tmp_path / "hyperseg-s-lite0.onnx")
    assert card.command == "hyperseg train noise.yaml"
    assert card.iou == {"noise": {"sky": 0.25}}
    page = (tmp_path / "hyperseg-s-lite0.md").read_text()
    assert "| command | `hyperseg train noise.yaml` |" in page
    assert "| 0 | sky | #808080 |  | 25.0 |" in page
    assert "| 1 | building | #800000 |  |  |" in page
    assert "| 3 | road | #804080 | yes |" in page
    assert "(hyperseg-s-lite0.jpg)" in page
    picture = cv2.imread(str(tmp_path / "hyperseg-s-lite0.jpg"))
    assert picture.shape == (60, 160, 3)
    assert picture[:, :72].min() > 240
    assert picture[:, 88:].mean() < 220


def test_the_graph_keeps_the_contract(tmp_path):
    path = write_checkpoint(tmp_path, "hyperseg-s-lite0")
    command.main([str(path), "--size", SIZE, "--batch", "2", "--output", str(tmp_path / "b.onnx")])
    model = onnx.load(tmp_path / "b.onnx")
    # TensorRT takes uint8 only at the border, behind and before a cast.
    consumers = [node for node in model.graph.node if "image" in node.input]
    producers = [n for n in model.graph.node if {"labels", "confidence"} & set(n.output)]
    assert {node.op_type for node in consumers + producers} == {"Cast"}
    # Nothing of the machine it was written on travels along.
    assert str(tmp_path).encode() not in model.SerializeToString()
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    assert any(name.startswith("decoder.levels.4.norm1/conv2d") for name in names)
    assert any(name.startswith("encoder.blocks.0.depthwise.conv/") for name in names)
    half = [t for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT16]
    assert sum(np.prod(t.dims) for t in half) > 3_000_000
    assert [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == [
        2,
        128,
        128,
        3,
    ]


def test_the_forms_of_the_dynamic_convolutions_compute_the_same(tmp_path):
    path = write_checkpoint(tmp_path, "hyperseg-s-lite0")
    image = np.random.default_rng(0).integers(0, 256, (1, 128, 128, 3), dtype=np.uint8)
    results = []
    for form, dynamic in (("convolution", 9), ("product", 0)):
        file = tmp_path / f"{form}.onnx"
        options = ["--size", SIZE, "--operators", form, "--output", str(file)]
        assert command.main([str(path), *options]) == 0
        graph = onnx.load(file).graph
        made = {name for node in graph.node if node.op_type != "Cast" for name in node.output}
        convolutions = [node for node in graph.node if node.op_type == "Conv"]
        assert sum(node.input[1] in made for node in convolutions) == dynamic
        with closing(open_backend("onnxruntime", file)) as backend:
            results.append(backend.infer(image))
    (labels, confidence), (other_labels, other_confidence) = results
    assert np.mean(labels == other_labels) > 0.999
    assert np.abs(confidence.astype(int) - other_confidence).max() <= 1


def test_a_file_that_disagrees_is_not_kept(tmp_path, monkeypatch):
    path = write_checkpoint(tmp_path, "hyperseg-s-lite0")
    write = engine.write_model_file

    def write_another_network(file, network, *rest, **options):
        nn.init.normal_(network.encoder.stem.conv.weight)
        network = build("hyperseg-s-lite0").eval()
        write(file, network, *rest, **options)

    monkeypatch.setattr(engine, "write_model_file", write_another_network)
    with pytest.raises(verification.VerificationError, match="the file is not kept"):
        command.main([str(path), "--size", SIZE])
    assert [p.name for p in tmp_path.iterdir()] == ["hyperseg-s-lite0.pt"]


def test_a_card_that_no_runtime_would_read_is_not_kept(tmp_path):
    path = write_checkpoint(tmp_path, "hyperseg-s-lite0", miou=25.0)
    with pytest.raises(ModelFileError, match="numbers from 0 to 1"):
        command.main([str(path), "--size", SIZE])
    assert [p.name for p in tmp_path.iterdir()] == ["hyperseg-s-lite0.pt"]


def test_without_a_backend_nothing_is_called_verified(tmp_path, monkeypatch):
    path = write_checkpoint(tmp_path, "hyperseg-s-lite0")
    monkeypatch.setattr(verification, "installed_backends", list)
    with pytest.raises(verification.VerificationError, match="pip install onnxruntime"):
        command.main([str(path), "--size", SIZE])
    assert [p.name for p in tmp_path.iterdir()] == ["hyperseg-s-lite0.pt"]


def test_a_checkpoint_that_has_diverged_is_refused(tmp_path):
    path = write_checkpoint(tmp_path, "hyperseg-s-lite0")
    content = torch.load(path, weights_only=True)
    content["state_dict"]["context_head.reduce.conv.weight"][3, 5] = float("nan")
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"not finite.*head\.reduce\.conv\.weight"):
        command.main([str(path), "--size", SIZE])
    assert [p.name for p in tmp_path.iterdir()] == ["hyperseg-s-lite0.pt"]


def test_bad_arguments(tmp_path, capsys):
    path = write_checkpoint(tmp_path, "hyperseg-s-lite0")
    with pytest.raises(SystemExit):
        command.main([str(path), "--size", "big"])
    assert "HEIGHTxWIDTH" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main([str(path), "--batch", "0"])
    assert "'0' is not a positive integer" in capsys.readouterr().err
    with pytest.raises(ValueError, match="nearest valid size is 384 x 512"):
        command.main([str(path), "--size", "380x500"])
