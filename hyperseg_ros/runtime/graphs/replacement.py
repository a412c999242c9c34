"""Parts of a graph replaced by others that compute the same, all in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from onnx import ModelProto, NodeProto

from hyperseg_ros.runtime.graphs.index import GraphIndex, drop_unused, replace_nodes
from hyperseg_ros.runtime.graphs.writer import GraphWriter

_OPSET = 13
"""Since which a `Resize` to sizes needs neither a region nor scales, and a `Split` takes sizes."""


@dataclass(frozen=True)
class Part:
    """Nodes of a graph, and what takes their place."""

    nodes: Sequence[NodeProto]
    """In the order of computation; of their outputs only the last one's is used by others."""
    write: Callable[[GraphWriter], None]
    """Adds nodes that make the output of the last one, under its name."""

    @property
    def last(self) -> str:
        """What the part makes."""
        return self.nodes[-1].output[0]


Finder = Callable[[GraphIndex], Iterator[Part]]
"""Finds parts to replace; no two finders find the same node."""


def with_parts_replaced(model: ModelProto, finders: Iterable[Finder]) -> ModelProto:
    """The same network with other nodes in place of what is found.

    Args:
        model: its nodes are in the order of computation; it is left as it is.
        finders: of the parts.

    Returns:
        Another model; or the same where nothing is found, or the graph is of an opset before 13 or
        has subgraphs.
    """
    if not _can_be_rewritten(model):
        return model
    index = GraphIndex(model)
    parts = {part.last: part for find in finders for part in find(index)}
    if not parts:
        return model
    result = ModelProto()
    result.CopyFrom(model)
    inside = {name for part in parts.values() for node in part.nodes for name in node.output}
    write = GraphWriter(result, "replaced")
    for node in model.graph.node:
        if node.output[0] in parts:
            parts[node.output[0]].write(write)
        elif node.output[0] not in inside:
            write.nodes.append(node)
    replace_nodes(result, write.nodes)
    drop_unused(result)
    return result


def _can_be_rewritten(model: ModelProto) -> bool:
    """Whether a graph may get nodes of opset 13, and has none that takes values in a subgraph."""
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    entries = (entry for node in model.graph.node for entry in node.attribute)
    has_subgraphs = any(entry.HasField("g") or entry.graphs for entry in entries)
    return min(versions, default=0) >= _OPSET and not has_subgraphs
