import contextlib
import os
from pathlib import Path

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

import models
from hyperseg_ros.runtime.card import METADATA_KEY
from hyperseg_ros.runtime.model_file import ModelFileError, find_model, read_card


def save(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def prefixes(tmp_path, monkeypatch):
    """Two ROS prefixes; both ship `city`, the second also `rural`."""
    folders = [tmp_path / name / "share" / "hyperseg_ros" / "models" for name in "ab"]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "city.onnx").touch()
    (folders[1] / "rural.onnx").touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.pathsep.join(str(tmp_path / name) for name in "ab"))
    return folders


def test_shipped_models_are_found_by_name_in_the_first_prefix_that_has_them(prefixes):
    assert find_model("city") == prefixes[0] / "city.onnx"
    assert find_model("rural") == prefixes[1] / "rural.onnx"


def test_a_path_is_taken_as_it_is(tmp_path, monkeypatch):
    path = models.write_palette_model(tmp_path / "mine.onnx")
    assert find_model(str(path)) == path
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_model("~/mine.onnx") == path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rurall", "no model 'rurall': did you mean rural"),
        ("zzz", "one of the shipped models: city"),
        ("zzz.onnx", "there is no model file zzz.onnx"),
        ("some/where/city", "there is no model file some/where/city"),
        (".", "is a folder"),
    ],
)
def test_a_model_that_is_not_there(prefixes, name, message):
    with pytest.raises(ModelFileError, match=message):
        find_model(name)


def test_a_good_file_gives_its_card(tmp_path):
    path = models.write_palette_model(tmp_path / "model.onnx", input_size=(8, 16))
    assert read_card(path) == models.card(input_size=(8, 16))


def test_a_missing_file(tmp_path):
    with pytest.raises(ModelFileError, match=r"cannot read .*gone.onnx: No such file"):
        read_card(tmp_path / "gone.onnx")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an ONNX file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is not an ONNX file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "is not an ONNX file"),
    ],
)
def test_a_file_that_is_no_onnx(tmp_path, content, message):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=message):
        read_card(path)


def test_a_truncated_file(tmp_path):
    path = models.write_palette_model(tmp_path / "model.onnx")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ModelFileError, match="damaged or cut short at 500 bytes"):
        read_card(path)


def test_a_file_without_a_card(tmp_path):
    model = models.palette_model(models.card())
    del model.metadata_props[:]
    with pytest.raises(ModelFileError, match=r"no model card .*hyperseg export CHECKPOINT"):
        read_card(save(model, tmp_path))


def test_a_file_with_a_broken_card(tmp_path):
    model = models.palette_model(models.card())
    helper.set_model_props(model, {METADATA_KEY: "{"})
    with pytest.raises(ModelFileError, match=r"model.onnx: the model card is not JSON"):
        read_card(save(model, tmp_path))


def test_a_file_with_its_weights_elsewhere(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(
        models.palette_model(models.card()),
        str(path),
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    with pytest.raises(ModelFileError, match=r"weights in another file \('weights.bin'\)"):
        read_card(path)


def change_input(model, name="image", kind=TensorProto.UINT8, shape=("N", 24, 32, 3)):
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info(name, kind, shape))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda m: change_input(m, name="images"), r"images UINT8 \[N, 24, 32, 3\]"),
        (lambda m: change_input(m, kind=TensorProto.FLOAT), r"image FLOAT \[N, 24, 32, 3\]"),
        (lambda m: change_input(m, shape=("N", 3, 24, 32)), r"image UINT8 \[N, 3, 24, 32\]"),
        (lambda m: change_input(m, shape=("N", 32, 24, 3)), r"image UINT8 \[N, 32, 24, 3\]"),
        (lambda m: change_input(m, shape=("N", "H", "W", 3)), r"image UINT8 \[N, H, W, 3\]"),
        (lambda m: m.graph.output.pop(), r"labels UINT8 \[N, 24, 32\] instead of"),
        (lambda m: m.graph.output.reverse(), r"confidence UINT8 \[N, 24, 32\], labels"),
    ],
)
def test_a_graph_of_another_signature(tmp_path, change, found):
    model = models.palette_model(models.card())
    change(model)
    with pytest.raises(ModelFileError, match=found):
        read_card(save(model, tmp_path))


def test_a_card_of_another_size_than_the_graph(tmp_path):
    model = models.palette_model(models.card(input_size=(24, 32)))
    helper.set_model_props(model, {METADATA_KEY: models.card(input_size=(48, 64)).to_json()})
    with pytest.raises(ModelFileError, match=r"24, 32, 3\].*instead of.*48, 64, 3\]"):
        read_card(save(model, tmp_path))


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read_never_a_crash(tmp_path, data):
    content = bytearray(models.palette_model(models.card()).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "model.onnx"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(ModelFileError):
        read_card(path)


def external(name="elsewhere"):
    """A tensor whose data are in another file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return tensor


def in_an_attribute(model):
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=external()))


def in_a_list_of_an_attribute(model):
    node = helper.make_node("Identity", ["image"], ["c"])
    attribute = node.attribute.add(name="values", type=onnx.AttributeProto.TENSORS)
    attribute.tensors.append(external())
    model.graph.node.append(node)


def in_a_sparse_initializer(model):
    model.graph.sparse_initializer.add(values=external(), dims=[4])


def in_the_indices_of_a_sparse_attribute(model):
    sparse = onnx.SparseTensorProto(indices=external(), dims=[4])
    model.graph.node.append(helper.make_node("Constant", [], ["c"], sparse_value=sparse))


def in_a_subgraph(model):
    inner = helper.make_graph([], "inner", [], [], [external()])
    outer = helper.make_graph(
        [helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)], "o", [], []
    )
    model.graph.node.append(
        helper.make_node("If", ["x"], ["y"], then_branch=outer, else_branch=outer)
    )


def in_a_function(model):
    node = helper.make_node("Constant", [], ["c"], value=external())
    model.functions.append(
        helper.make_function("ours", "f", [], ["c"], [node], [helper.make_opsetid("", 17)])
    )


def in_training_information(model):
    model.training_info.add().algorithm.initializer.append(external())


def without_the_flag(model):
    tensor = external()
    tensor.data_location = TensorProto.DEFAULT
    model.graph.initializer.append(tensor)


@pytest.mark.parametrize(
    "place",
    [
        in_an_attribute,
        in_a_list_of_an_attribute,
        in_a_sparse_initializer,
        in_the_indices_of_a_sparse_attribute,
        in_a_subgraph,
        in_a_function,
        in_training_information,
        without_the_flag,
    ],
)
def test_weights_elsewhere_are_refused_wherever_they_stand(tmp_path, place):
    model = models.palette_model(models.card())
    place(model)
    with pytest.raises(ModelFileError, match=r"weights in another file \('../../etc/passwd'\)"):
        read_card(save(model, tmp_path))


def test_names_of_a_graph_are_quoted_in_brief(tmp_path):
    model = models.palette_model(models.card())
    model.graph.input[0].name = "x" * 1_000_000
    with pytest.raises(ModelFileError, match="not a model for its card") as found:
        read_card(save(model, tmp_path))
    assert len(str(found.value)) < 2000


def without_an_input(model):
    model.graph.node[3].op_type = "Conv"


def without_a_value(model):
    del model.graph.node[3].input[:]


def with_an_unknown_operation(model):
    model.graph.node[3].op_type = "x" * 1_000_000


@pytest.mark.parametrize("damage", [without_an_input, without_a_value, with_an_unknown_operation])
def test_operations_that_a_backend_would_fail_on_are_refused_in_brief(tmp_path, damage):
    model = models.palette_model(models.card())
    damage(model)
    with pytest.raises(ModelFileError, match=r"no valid ONNX: .*; copy it again, or") as found:
        read_card(save(model, tmp_path))
    assert len(str(found.value)) < 2000
    assert "\n" not in str(found.value)


def test_a_folder_of_that_name_does_not_hide_a_shipped_model(prefixes, tmp_path, monkeypatch):
    (tmp_path / "runs" / "city").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "runs")
    assert find_model("city") == prefixes[0] / "city.onnx"
    with pytest.raises(ModelFileError, match="is a folder"):
        find_model("./../runs")


@pytest.mark.parametrize("name", ["~nobody_of_this_name/model.onnx"])
def test_what_is_no_path_is_told(name):
    with pytest.raises(ModelFileError, match="is not a path"):
        find_model(name)
