"""What a page of the documentation consists of: links, headings, commands, code, tables.

Shell is in indented blocks and in fences marked `sh`; fences without a language are drawings.
"""

from __future__ import annotations

import re
import shlex
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
SHELLS = ("sh", "bash", "shell", "console")


@dataclass(frozen=True)
class Table:
    """The cells of a table, as Markdown."""

    header: list[str]
    rows: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class Document:
    """A page in Markdown."""

    path: Path

    def __str__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def tokens(self) -> list[Token]:
        """All tokens; those within a line come behind it."""
        tokens = []
        markdown = MarkdownIt("commonmark").enable("table")
        for token in markdown.parse(self.path.read_text(encoding="utf-8")):
            tokens += [token, *(token.children or [])]
        return tokens

    def links(self) -> Iterator[str]:
        """The targets of links and pictures, in Markdown and in HTML."""
        for token in self.tokens:
            if token.type.startswith("html_"):
                yield from re.findall(r'(?:href|src)="([^"]*)"', token.content)
            elif token.type in ("link_open", "image"):
                yield str(token.attrs.get("href") or token.attrs.get("src"))

    def anchors(self) -> set[str]:
        """The names that GitHub gives the headings."""
        anchors: list[str] = []
        for before, token in zip(self.tokens, self.tokens[1:]):
            if before.type == "heading_open":
                text = "".join(part.content for part in token.children or [])
                anchors.append(re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-"))
        return {
            f"{anchor}-{anchors[:index].count(anchor)}" if anchor in anchors[:index] else anchor
            for index, anchor in enumerate(anchors)
        }

    def spans(self) -> Iterator[str]:
        """The code within lines."""
        yield from (token.content for token in self.tokens if token.type == "code_inline")

    def fences(self, language: str) -> Iterator[str]:
        """The blocks of code that are marked with a language."""
        for token in self.tokens:
            if token.type == "fence" and token.info == language:
                yield token.content

    def commands(self) -> Iterator[list[str]]:
        """The words of each command in shell, with the variables that its block sets filled in."""
        for token in self.tokens:
            if token.type == "code_block" or (token.type == "fence" and token.info in SHELLS):
                variables: dict[str, str] = {}
                for line in token.content.replace("\\\n", " ").splitlines():
                    for words in _commands(string.Template(line).safe_substitute(variables)):
                        while words and re.match(r"\w+=", words[0]):
                            name, _, value = words.pop(0).partition("=")
                            variables[name] = value
                        if words:
                            yield words

    def tables(self) -> Iterator[Table]:
        """The tables."""
        rows: list[list[str]] = []
        for before, token in zip(self.tokens, self.tokens[1:]):
            if before.type == "tr_open":
                rows.append([])
            elif before.type in ("th_open", "td_open"):
                rows[-1].append(token.content)
            elif before.type == "table_close":
                yield Table(rows[0], rows[1:])
                rows = []


DOCUMENTS = [
    Document(path)
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")))
]


def arguments_of(words: list[str], *command: str) -> list[str] | None:
    """The words behind `command`, which may itself be an argument of another command, or None."""
    for begin in range(len(words) - len(command) + 1):
        if words[begin : begin + len(command)] == list(command):
            return words[begin + len(command) :]
    return None


def code_in(cell: str) -> list[str]:
    """The code in a table's cell."""
    return re.findall(r"`([^`]+)`", cell)


def _commands(line: str) -> Iterator[list[str]]:
    """The words of the commands of a line, which &&, | and ; part."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("&|;"):
            yield words
            words = []
        else:
            words.append(word)
    yield words
