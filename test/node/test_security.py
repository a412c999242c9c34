"""The policy of the SROS 2 enclave allows what the running node does, and nothing else."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from fnmatch import fnmatchcase
from pathlib import Path

from ros_graph import image_message

POLICY = Path(__file__).resolve().parents[2] / "config" / "segmentation.policy.xml"
NODE = "/segmentation"


def allowed(element: str, right: str) -> set[str]:
    """The names that a right is given for, fully resolved."""
    (profile,) = ElementTree.parse(POLICY).getroot().iter("profile")
    assert (profile.get("ns"), profile.get("node")) == ("/", "segmentation")
    return {
        (entry.text or "").replace("~", NODE)
        for block in profile.iter(f"{element}s")
        if block.get(right) == "ALLOW"
        for entry in block.iter(element)
    }


def covered(names: set[str], patterns: set[str]) -> bool:
    """Whether there is a pattern for every name, and a name for every pattern."""
    matches = {(name, p) for name in names for p in patterns if fnmatchcase(name, p)}
    return {name for name, _ in matches} == names and {p for _, p in matches} == patterns


def test_the_policy_is_what_the_node_does(graph):
    with graph.segmentation():
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        graph.answer(camera, image_message(graph.header()), labels)

        def names(kind: str) -> set[str]:
            ask = getattr(graph.node, f"get_{kind}_names_and_types_by_node")
            found = {name for name, _ in ask("segmentation", graph.namespace)}
            return {name.removeprefix(graph.namespace) for name in found}

        # What depends on a camera's transport, on simulated time, or on the distribution.
        transport = {"/camera/image_raw/compressed", "/clock", "/parameter_events"}
        # The policy's names must turn up, which takes a while, and no other.
        for kind, more, rights in (
            ("publisher", set(), ("topic", "publish")),
            ("subscriber", transport, ("topic", "subscribe")),
            ("service", {f"{NODE}/get_type_description"}, ("service", "reply")),
        ):
            graph.wait(
                lambda kind=kind, more=more, rights=rights: covered(
                    names(kind) | more, allowed(*rights)
                ),
                f"each {kind} to be one that the policy allows",
            )
    assert allowed("service", "request") == set()
