"""InfluxDB's line protocol, read: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/."""

from __future__ import annotations

import re
from typing import Any

_WORD = r"(?:\\.|[^,= \\])+"
_HEAD = re.compile(rf"(?P<name>(?:\\.|[^, \\])+)(?P<tags>(?:,{_WORD}={_WORD})*) +")
_TAG = re.compile(rf",({_WORD})=({_WORD})")
_FIELD = re.compile(rf'({_WORD})=("(?:\\.|[^"\\])*"|[^, ]+)(,|(?=\s|$))')
_TRUTH = {"t": True, "true": True, "f": False, "false": False}


class LineError(ValueError):
    """The text is no line protocol; the message says which line and why."""


def line_items(payload: bytes) -> list[dict[str, Any]]:
    """Each line as Telegraf would write it as JSON: ``name``, ``tags``, ``fields`` and ``timestamp``.

    >>> line_items(b"pump,host=P-1 temp=60.1,on=t 1700000000000000000")[0]["fields"]
    {'temp': 60.1, 'on': True}

    Raises `LineError`.
    """
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise LineError(str(error)) from None
    return [
        _item(line, number)
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]


def _item(line: str, number: int) -> dict[str, Any]:
    line = line.strip()
    head = _HEAD.match(line)
    if head is None:
        raise LineError(f"line {number}, {line[:80]!r}, has no measurement with fields after it")
    tags = {_plain(key): _plain(value) for key, value in _TAG.findall(head["tags"])}
    fields: dict[str, Any] = {}
    at = head.end()
    while True:
        found = _FIELD.match(line, at)
        if found is None:
            raise LineError(f"line {number}: {line[at : at + 80]!r} is no field")
        fields[_plain(found[1])] = _value(found[2], number)
        at = found.end()
        if found[3] != ",":
            break
    item: dict[str, Any] = {"name": _plain(head["name"]), "tags": tags, "fields": fields}
    rest = line[at:].strip()
    if rest:
        if not rest.lstrip("-").isdecimal():
            raise LineError(f"line {number}: {rest[:80]!r} is no time")
        item["timestamp"] = int(rest)
    return item


def _plain(text: str) -> str:
    return re.sub(r"\\([,= \\])", r"\1", text)


def _value(text: str, number: int) -> float | int | bool | str:
    if text.startswith('"'):
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    lower = text.lower()
    if lower in _TRUTH:
        return _TRUTH[lower]
    try:
        return int(text[:-1]) if lower[-1] in "iu" else float(text)
    except ValueError:
        raise LineError(f"line {number}: {text[:80]!r} is no value") from None
