"""Topics and parameters are those that README and docs tell of."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
import yaml
from documents import DOCUMENTS, ROOT, Document, code_in
from ros_graph import Graph

from hyperseg_ros.node.compatibility import LabelInfo
from hyperseg_ros.node.parameters import Parameters
from hyperseg_ros.viewer.parameters import Parameters as ViewerParameters


def published(graph: Graph) -> dict[str, str]:
    """What the node under test publishes, as far as that is known: the type of each topic."""
    endpoints = graph.node.get_publisher_names_and_types_by_node("segmentation", graph.namespace)
    return {
        topic.removeprefix("/documented/segmentation/"): message_type.replace("/msg/", "/")
        for topic, (message_type,) in endpoints
        if topic.startswith("/documented/") or topic == "/diagnostics"
    }


def documented_topics() -> dict[str, str]:
    """README's table of topics: a pattern of the names, and the type."""
    (table,) = (
        table for table in Document(ROOT / "README.md").tables() if table.header[0] == "topic"
    )
    topics = {}
    for names, message_type, *_ in table.rows:
        for name in code_in(names):
            topics[re.sub(r"<\w+>", "[a-z_]+", name)] = code_in(message_type)[0]
        if names.rstrip().endswith("..."):  # `label/compressed`, ...
            topics[rf"[a-z_/]+/{code_in(names)[-1].rpartition('/')[2]}"] = code_in(message_type)[0]
    return topics


def test_the_table_of_topics_is_what_the_node_publishes(graph):
    documented = documented_topics()
    if LabelInfo is None:  # vision_msgs is not installed
        assert documented.pop("label_info") == "vision_msgs/LabelInfo"
    parameters = {"mask_groups.drivable": ["road"], "depth_topics.default": "/documented/depth"}
    graph.start(autostart=False, image_topics=["/documented/image_raw"], **parameters)
    assert graph.change_state("configure")
    for name in documented:
        graph.wait(lambda name=name: any(re.fullmatch(name, t) for t in published(graph)), name)
    for topic, message_type in published(graph).items():
        types = {documented[name] for name in documented if re.fullmatch(name, topic)}
        assert types == {message_type}, topic


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_tables_of_parameters_name_those_of_the_node(document):
    viewer = str(document) == "docs/viewer.md"
    known = {field.name: field for field in fields(ViewerParameters if viewer else Parameters)}
    for table in document.tables():
        first = [name for row in table.rows for name in code_in(row[0])]
        if table.header[0] == "parameter":
            assert {name.partition(".")[0] for name in first} <= set(known)
        elif code_in(table.header[0]):  # a parameter's values
            assert set(first) <= set(known[code_in(table.header[0])[0]].metadata["choices"])
        if table.header[:2] == ["parameter", "default"]:
            written = {code_in(row[0])[0]: yaml.safe_load(code_in(row[1])[0]) for row in table.rows}
            defaults = {name: known[name].default for name in written}
            assert written == {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in defaults.items()
            }


def parameter_files() -> list[object]:
    return [
        pytest.param(text, id=str(document))
        for document in DOCUMENTS
        for text in document.fences("yaml")
        if "/**" in yaml.safe_load(text)
    ]


@pytest.mark.parametrize("text", parameter_files())
def test_parameter_files_are_taken(graph, text, tmp_path):
    (tmp_path / "robot.yaml").write_text(text)
    files = ("--params-file", str(tmp_path / "robot.yaml"), "-p", "autostart:=false")
    graph.start(arguments=files)
    parameters = graph.parameters()
    for name, value in yaml.safe_load(text)["/**"]["ros__parameters"].items():
        if isinstance(value, dict):
            assert dict(getattr(parameters, name)) == {key: tuple(v) for key, v in value.items()}
        else:
            assert getattr(parameters, name) == (tuple(value) if isinstance(value, list) else value)
