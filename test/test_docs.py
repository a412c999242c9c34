"""What README and docs say can be done as they say it: links, and commands of all kinds."""

from __future__ import annotations

import argparse
import ast
import importlib.util
import os
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from documents import DOCUMENTS, ROOT, Document, arguments_of

from hyperseg_ros import cli
from hyperseg_ros.training.config_file import load_config

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=str)


@every_document
def test_links_lead_somewhere(document):
    for link in document.links():
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = document.path.parent / unquote(parts.path) if parts.path else document.path
        assert target.exists(), link
        assert not parts.fragment or parts.fragment in Document(target).anchors(), link


def calls(document: Document) -> Iterator[list[str]]:
    """The arguments of each call of `hyperseg` in shell, by either of its names."""
    for words in document.commands():
        for name in (["hyperseg"], ["python", "-m", "hyperseg_ros.cli"]):
            arguments = arguments_of(words, *name)
            if arguments is not None:
                yield arguments


def mentions(document: Document) -> Iterator[list[str]]:
    """The same of calls in the text, which may be cut short."""
    for span in document.spans():
        if span.startswith("hyperseg ") and span.split()[1] != "COMMAND":
            yield span.split()[1:]


NEEDED = {
    **dict.fromkeys(
        ("train", "evaluate", "average", "offsets", "check", "pack", "export"), "torch"
    ),
    **dict.fromkeys(("import", "export-labels"), "PIL"),
    "select": "rosbags",
}
"""The library that a command imports and that only some test environments have."""


def can_run(arguments: list[str]) -> bool:
    """Whether what a command imports is installed: each one is in one of the test environments."""
    needed = {NEEDED.get(arguments[0])}
    needed |= {"torch"} if "--train" in arguments else set()
    needed |= {"rclpy"} if "--node" in arguments else set()
    return all(importlib.util.find_spec(library) for library in needed - {None})


def each(find: Callable[[Document], Iterator[list[str]]]) -> pytest.MarkDecorator:
    """Runs a test for whatever is found in each document and can be run here."""
    return pytest.mark.parametrize(
        "arguments",
        [
            pytest.param(arguments, id=f"{document}: {shlex.join(arguments)}")
            for document in DOCUMENTS
            for arguments in find(document)
            if can_run(arguments)
        ],
    )


class Parsed(Exception):  # noqa: N818
    """Ends a command when its parser has taken the arguments."""


@pytest.fixture
def stop_when_parsed(monkeypatch):
    """Lets a command of `hyperseg` run as far as its parser."""

    def wrap(method: Callable[..., argparse.Namespace]) -> Callable[..., argparse.Namespace]:
        def parse(self: argparse.ArgumentParser, *arguments: object) -> argparse.Namespace:
            options = method(self, *arguments)
            if self.prog.startswith("hyperseg "):
                raise Parsed
            return options

        return parse

    for name in ("parse_args", "parse_intermixed_args"):
        method = getattr(argparse.ArgumentParser, name)
        monkeypatch.setattr(argparse.ArgumentParser, name, wrap(method))


@each(calls)
def test_commands_are_taken_as_they_are_written(arguments, stop_when_parsed):
    assert arguments[0] in cli.COMMANDS
    with pytest.raises((Parsed, SystemExit)) as end:
        cli.main(arguments)
    assert end.type is Parsed or "--help" in arguments


@each(mentions)
def test_commands_in_the_text_have_the_options_that_it_names(arguments, capsys):
    assert arguments[0] in cli.COMMANDS
    named = {word for word in arguments if word.startswith("--")}
    variant = named & {"--node", "--train", "--advise"}
    with pytest.raises(SystemExit, match="0"):
        cli.main([arguments[0], *variant, "--help"])
    described = capsys.readouterr().out + cli.COMMANDS[arguments[0]].summary
    assert named <= set(re.findall(r"--[a-z][\w-]*", described))


def trainings(document: Document) -> Iterator[list[str]]:
    """The arguments of each call of `hyperseg train`."""
    return (arguments for arguments in calls(document) if arguments[0] == "train")


@each(trainings)
def test_configurations_have_the_keys_that_training_sets(arguments):
    config, *overrides = (word for word in arguments[1:] if not word.startswith("--"))
    load_config(ROOT / (config if "/" in config else f"config/training/{config}.yaml"), overrides)


@every_document
def test_make_has_the_targets_and_the_variables(document):
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    for words in all_code(document):
        if words[0] != "make":
            continue
        for word in words[1:]:
            name, is_variable, _ = word.partition("=")
            known = re.search(rf"\b{name}\b", makefile) if is_variable else name in targets
            assert known, shlex.join(words)


@every_document
def test_scripts_of_the_checkout_can_be_executed(document):
    for words in document.commands():
        after_environment = words[1:] if words[0] in ("tools/ros", "tools/train") else []
        for word in (words[0], *after_environment[:1]):
            if word.startswith(("tools/", "benchmarks/", ".ci/")):
                assert os.access(ROOT / word, os.X_OK), shlex.join(words)


@every_document
def test_ros2_run_has_the_executables(document):
    executables = re.findall(
        r'^ +"(\w+) hyperseg_ros\.', (ROOT / "CMakeLists.txt").read_text(), re.M
    )
    for words in all_code(document):
        for executable in (arguments_of(words, "ros2", "run", "hyperseg_ros") or [])[:1]:
            assert executable in executables, shlex.join(words)


@every_document
def test_launch_files_have_the_arguments(document):
    known = {path.name: launch_arguments(path) for path in ROOT.glob("launch/*.py")}
    for words in all_code(document):
        launched = arguments_of(words, "ros2", "launch", "hyperseg_ros")
        if launched:
            assert launched[0] in known, shlex.join(words)
            declared = known[launched[0]]
        elif len(words) == 1:
            declared = set().union(*known.values())  # `name:=value` in the text
        else:
            continue
        given = {word.partition(":=")[0] for word in launched or words if ":=" in word}
        assert given <= declared, shlex.join(words)


def all_code(document: Document) -> Iterator[list[str]]:
    """The words of commands in shell and of the code within lines."""
    yield from document.commands()
    yield from (span.split() for span in document.spans())


def launch_arguments(path: Path) -> set[str]:
    """The arguments that a launch file declares; read, since not every machine has `launch`."""
    names = set()
    for part in ast.walk(ast.parse(path.read_text())):
        if isinstance(part, ast.Call) and ast.unparse(part.func) == "DeclareLaunchArgument":
            names |= {part.args[0].value} if isinstance(part.args[0], ast.Constant) else set()
        elif isinstance(part, ast.Assign) and ast.unparse(part.targets[0]) == "ARGUMENTS":
            names |= {ast.literal_eval(row.elts[0]) for row in part.value.elts}
    return names
