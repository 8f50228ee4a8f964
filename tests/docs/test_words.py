"""Docstrings and comments are in the field's words and plain English: a vocabulary of what is not."""

from __future__ import annotations

import ast
import importlib
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ROOMS = ("detectors", "pipeline", "connectors", "desk", "streams")
SOURCES = [path for room in ROOMS for path in sorted((REPOSITORY / room).rglob("*.py"))]

#: What is not written, and what is written in its place.
VOCABULARY = {
    r"\bforetell": "predict",
    r"\banew\b": "again",
    r"^#: So many\b": "#: This many, or the noun and what it is for",
    r"; gives\b|(?:^|\. )Gives\b": "returns",
    r"``clock`` gives": "returns",
    r"\bpost office\b": "dispatcher",
    r"\b(?:same|every|each|this|urgent) letters?\b": "notification",
    r"\bnone of ours\b": "not Yeji's, or what it is",
    r"\bAll of (?:it|them)\.$": "what is returned",
    r"\bwhoever\b.*\bnothing for\b": "anonymous callers",
}


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of every line of a docstring and of every comment."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node, clean=False)
            if text is not None:
                start = node.body[0].lineno
                yield from ((start + k, line.strip()) for k, line in enumerate(text.splitlines()))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_plain_words(path: Path) -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{line}: {text!r}: write {instead}"
        for line, text in prose(path)
        for pattern, instead in VOCABULARY.items()
        if re.search(pattern, text)
    ]
    assert not found, "\n".join(found)


def test_the_vocabulary_is_looked_for_in_docstrings_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    path.write_text('"""Reads; gives\nmore."""\nx = 1  # made anew\ny = "anew"\n', encoding="utf-8")
    assert list(prose(path)) == [(1, "Reads; gives"), (2, "more."), (3, "# made anew")]


def test_the_glossary_names_what_there_is() -> None:
    text = (REPOSITORY / "docs" / "glossary.md").read_text(encoding="utf-8")
    places = re.findall(r"\| `([\w./]+)`(?: \||$)", text, re.MULTILINE)
    assert len(places) > 30
    for place in places:
        if "/" in place:
            assert (REPOSITORY / place).exists(), place
        elif place.count(".") > 1:
            module, _, name = place.rpartition(".")
            assert hasattr(importlib.import_module(module), name), place
