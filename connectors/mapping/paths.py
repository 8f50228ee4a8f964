"""Paths into a parsed payload, and templates made of them: a small part of JSONPath (RFC 9535)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Step = str | int | None  # None: every entry

_STEP = re.compile(
    r"""\.?(?:(?P<star>\*)|(?P<name>[^.\[\]{}'"*\s][^.\[\]{}'"*]*))
    |\[(?:(?P<number>-?\d+)|(?P<all>\*)|'(?P<single>[^']*)'|"(?P<double>[^"]*)")\]""",
    re.VERBOSE,
)
_FIELD = re.compile(r"\{([^{}]*)\}")
#: Names that stand for something beside the payload.
TOPIC, KEY = "topic", "key"


class PathError(ValueError):
    """The path or template cannot be read; the message says where it goes wrong."""


@dataclass(frozen=True, slots=True)
class Path:
    """``text`` as steps: names of fields, places in lists (negative = from the end), None = every entry."""

    text: str
    steps: tuple[Step, ...]

    @property
    def single(self) -> bool:
        """Whether it leads to one place at most."""
        return None not in self.steps

    def find(self, document: Any) -> Any:
        """What stands there; None = nothing does."""
        for step in self.steps:
            if isinstance(step, str):
                if not isinstance(document, dict):
                    return None
                document = document.get(step)
            elif (
                isinstance(step, int)
                and isinstance(document, list)
                and -len(document) <= step < len(document)
            ):
                document = document[step]
            else:
                return None
        return document

    def each(self, document: Any) -> Iterator[tuple[Any, tuple[str, ...]]]:
        """Everything that it leads to, with the names of the fields that ``*`` stood for on the way."""
        yield from _each(document, self.steps, ())


def _each(
    document: Any, steps: tuple[Step, ...], keys: tuple[str, ...]
) -> Iterator[tuple[Any, tuple[str, ...]]]:
    if not steps:
        yield document, keys
        return
    step, rest = steps[0], steps[1:]
    if step is not None:
        found = Path("", (step,)).find(document)
        if found is not None:
            yield from _each(found, rest, keys)
    elif isinstance(document, dict):
        for key, value in document.items():
            yield from _each(value, rest, (*keys, key))
    elif isinstance(document, list):
        for value in document:
            yield from _each(value, rest, keys)


def parse_path(text: str) -> Path:
    """A path as people write it.

    >>> parse_path("$.tags['a.b'][-1]").steps, parse_path("metrics[*]").steps
    (('tags', 'a.b', -1), ('metrics', None))

    Raises PathError.
    """
    rest, steps, at = text.strip(), [], 0
    if rest.startswith("$"):
        rest = rest[1:]
    while at < len(rest):
        found = _STEP.match(rest, at)
        if found is None or found.end() == at:
            raise PathError(
                f"{text!r} is no path, from {rest[at:]!r} on: write names with dots between them, [0] for a "
                "place in a list, [*] for all of it, and ['a.b'] for a name with dots"
            )
        steps.append(_step(found))
        at = found.end()
    return Path(text, tuple(steps))


def _step(found: re.Match[str]) -> Step:
    if found["star"] or found["all"]:
        return None
    if found["number"] is not None:
        return int(found["number"])
    return found["name"] or found["single"] or found["double"] or ""


@dataclass(frozen=True, slots=True)
class Context:
    """What a template may name: an item, the document around it, the topic and its named levels."""

    item: Any
    document: Any
    topic: Sequence[str] = ()
    keys: Sequence[str] = ()
    named: Mapping[str, str] | None = None

    def find(self, path: Path) -> Any:
        """What stands at ``path`` in the item, else in the document around it."""
        found = path.find(self.item)
        if found is None and self.document is not self.item:
            found = path.find(self.document)
        return found

    def text(self, path: Path) -> str | None:
        """The same as text, with ``topic[0]``, ``key`` and the topic's named levels; None = there is none."""
        first, rest = path.steps[0] if path.steps else "", path.steps[1:]
        if first == TOPIC and self.topic:
            if not rest:
                return "/".join(self.topic)
            return _text(Path("", rest).find(list(self.topic)))
        if first == KEY and self.keys:
            return self.keys[-1] if not rest else _text(Path("", rest).find(list(self.keys)))
        if self.named is not None and not rest and first in self.named:
            return self.named[str(first)]
        return _text(self.find(path))


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or value is None or isinstance(value, (dict, list)):
        return None
    return str(value)


@dataclass(frozen=True, slots=True)
class Template:
    """Texts and paths in turn: ``{topic[1]}/{tags.host}``. One without braces is a path or fixed levels."""

    text: str
    parts: tuple[str | Path, ...]

    def levels(self, context: Context) -> list[str] | None:
        """What it says, cut at its own slashes: those in values stay. None = a value is missing."""
        out = [""]
        for part in self.parts:
            if isinstance(part, Path):
                found = context.text(part)
                if found is None:
                    return None
                out[-1] += found
            else:
                first, *more = part.split("/")
                out[-1] += first
                out += more
        return out

    def fill(self, context: Context) -> str | None:
        """What it says as one text; None = a value is missing."""
        levels = self.levels(context)
        return None if levels is None else "/".join(levels)


def parse_template(text: str) -> Template:
    """A template as people write it: texts and paths in braces, a path alone, or fixed levels.

    >>> parse_template("{topic[1]}/{tags.host}").fill(Context({"tags": {"host": "P-1"}}, {}, ["a", "b"]))
    'b/P-1'

    Raises PathError.
    """
    if "{" not in text:
        fixed = "/" in text  # no path has a slash: these are the levels themselves
        return Template(text, (text if fixed else parse_path(text),) if text else ())
    parts: list[str | Path] = []
    at = 0
    for found in _FIELD.finditer(text):
        if found.start() > at:
            parts.append(text[at : found.start()])
        parts.append(parse_path(found[1]))
        at = found.end()
    if at < len(text):
        parts.append(text[at:])
    if any(isinstance(part, str) and ("{" in part or "}" in part) for part in parts):
        raise PathError(f"{text!r}: a brace is not closed")
    return Template(text, tuple(parts))
