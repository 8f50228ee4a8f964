"""What a floor worker is told of an alarm: one sentence with the value, the usual one and since when."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from desk.texts.catalogue import ENGLISH, Texts


@dataclass(frozen=True, slots=True)
class Course:
    """How long an alarm has lasted (ms), whether it still does, and where its value goes ("" = not known)."""

    lasted: int
    active: bool = True
    trend: str = ""


def fill(key: str, language: str, **values: object) -> str:
    """Words of the catalogue of texts, ``say.KEY``, with what was measured."""
    return Texts(language)(f"say.{key}", **values)


def knows(key: str) -> bool:
    """Whether there are such words.

    >>> knows("zone-c"), knows("gap")
    (True, False)
    """
    return f"say.{key}" in Texts(ENGLISH)


def duration(ms: int, language: str) -> str:
    """A length of time in one unit, as people say it.

    >>> duration(14 * 3_600_000, "en"), duration(35 * 60_000, "ko"), duration(80 * 3_600_000, "en")
    ('14 h', '35분', '3 days')
    """
    minutes = max(1, round(ms / 60_000))
    if minutes < 90:
        return fill("min", language, n=minutes)
    hours = round(minutes / 60)
    return fill("h", language, n=hours) if hours < 48 else fill("d", language, n=hours // 24)


def measured(value: float | None, unit: str = "") -> str:
    """A value with its unit, three digits that mean something; "" for none.

    >>> measured(3.8123, "mm/s"), measured(1480.2), measured(float("nan"))
    ('3.81 mm/s', '1480', '')
    """
    if value is None or isnan(value):
        return ""
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".strip()


def course_words(course: Course, language: str) -> str:
    """Since when, and where it goes; "" for what is over and lasted nobody knows how long."""
    if not course.active and not course.lasted:
        return ""
    key = "rising" if course.trend == "up" else "falling" if course.trend == "down" else "for"
    return fill(key if course.active else "lasted", language, duration=duration(course.lasted, language))


def joined_words(head: str, *details: str) -> str:
    """``head``, a colon and what is known besides."""
    known = [detail for detail in details if detail]
    return f"{head}: {', '.join(known)}" if known else head


def begin_large(text: str) -> str:
    """With a large first letter: names of sensors are written small in the settings."""
    return text[:1].upper() + text[1:]
