"""How good a value is, as OPC and those after it say it: good, uncertain or bad."""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class Quality(IntEnum):
    """The quality of a value. The numbers are those of OPC DA."""

    BAD = 0  # no value: what stands there is missing
    UNCERTAIN = 64  # a value that is shown and scored, and not learned from
    GOOD = 192


_WORDS = {
    **dict.fromkeys(("good", "ok", "true", "valid", "normal", "g", "정상", "양호"), Quality.GOOD),
    **dict.fromkeys(
        ("uncertain", "doubtful", "questionable", "suspect", "estimated", "substituted", "u", "의심"),
        Quality.UNCERTAIN,
    ),
    **dict.fromkeys(
        ("bad", "false", "invalid", "error", "fault", "stale", "failed", "b", "불량", "오류"), Quality.BAD
    ),
}


def quality_of(value: Any) -> Quality | None:
    """What ``value`` says of a measured value; None = it is no quality that is known.

    Words (``Good``, ``Uncertain - Substitute``, ``BadSensorFailure``); numbers of OPC DA (192 and more good,
    64 to 127 uncertain, 0 to 63 bad), of OPC UA (the upper two bits of 32), and of Sparkplug B (192, 500 =
    stale); true and false.

    >>> [quality_of(one) for one in (192, "Bad", 0x40000000, None)]
    [<Quality.GOOD: 192>, <Quality.BAD: 0>, <Quality.UNCERTAIN: 64>, None]
    """
    if value is True:
        return Quality.GOOD
    if value is False:
        return Quality.BAD
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        return _of_number(value)
    if isinstance(value, str):
        return _of_word(value.strip().lower())
    return None


def _of_number(value: int) -> Quality | None:
    if value >= 1 << 30:  # an OPC UA StatusCode
        severity = value >> 30
        return Quality.UNCERTAIN if severity == 1 else Quality.BAD
    if value == 500:  # Sparkplug B: stale
        return Quality.BAD
    if not 0 <= value <= 255:
        return None
    return (Quality.BAD, Quality.UNCERTAIN, None, Quality.GOOD)[value >> 6]


def _of_word(word: str) -> Quality | None:
    found = _WORDS.get(word)
    if found is not None:
        return found
    if word.lstrip("-").isdecimal():
        return _of_number(int(word))
    if word.startswith("0x"):
        try:
            return _of_number(int(word, 16))
        except ValueError:
            return None
    for beginning, quality in (
        ("good", Quality.GOOD),
        ("uncertain", Quality.UNCERTAIN),
        ("bad", Quality.BAD),
    ):
        if word.startswith(beginning):
            return quality
    return None
