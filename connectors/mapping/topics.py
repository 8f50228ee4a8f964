"""What the levels of a topic say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


class TopicPattern:
    """A pattern as ``plant/{line}/{machine}/+/{sensor}``: names in braces, ``+`` any level, ``#`` any end.

    >>> TopicPattern("plant/{line}/+/#").match(["plant", "l2", "x", "y"])
    {'line': 'l2'}
    """

    def __init__(self, pattern: str) -> None:
        self._levels = pattern.split("/")

    def match(self, topic: Sequence[str]) -> dict[str, str] | None:
        """The named levels; None = the topic does not fit."""
        levels = self._levels
        if levels[-1] == "#":
            levels = levels[:-1]
            if len(topic) < len(levels):
                return None
        elif len(topic) != len(levels):
            return None
        named: dict[str, str] = {}
        for wanted, there in zip(levels, topic, strict=False):
            name = re.fullmatch(r"\{(\w+)\}", wanted)
            if name is not None:
                named[name[1]] = there
            elif wanted not in ("+", there):
                return None
        return named


@dataclass(frozen=True, slots=True)
class HistorianTopic:
    """What a topic of the United Manufacturing Hub says: the machine's levels, and the tag, "" = none."""

    levels: list[str]
    tag: str


def historian(topic: Sequence[str]) -> HistorianTopic | None:
    """Read ``umh/v1/enterprise/site/area/line/cell/_historian/group/tag``; None = it is no such topic.

    >>> historian("umh/v1/acme/gwangju/body/l2/p7/_historian/axis/x".split("/")).tag
    'axis.x'
    """
    if len(topic) < 4 or topic[0] != "umh" or topic[1] != "v1":
        return None
    contract = next((at for at, level in enumerate(topic) if level.startswith("_")), None)
    if contract is None or contract < 3:
        return None
    return HistorianTopic(list(topic[2:contract]), ".".join(topic[contract + 1 :]))
