"""What a floor worker is told of an alarm: one sentence with the value, the usual one and since when."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from desk.advice.catalogue import Language, Text

#: key → the words around what was measured; `{sensor}` and the like are filled in by `fill`.
FRAMES: dict[str, Text] = {
    "drive-end": Text(" at the drive end", "구동측 "),
    "non-drive-end": Text(" at the non-drive end", "반구동측 "),
    "up": Text("{sensor} is higher than usual", "{sensor} 값이 평소보다 높습니다"),
    "down": Text("{sensor} is lower than usual", "{sensor} 값이 평소보다 낮습니다"),
    "strange": Text("The machine behaves unlike its healthy self", "설비가 평소와 다르게 움직입니다"),
    "zone-c": Text(
        "{sensor} is in zone C of ISO 20816-3 (not for long running)",
        "{sensor} 값이 ISO 20816-3 C 구역입니다 (장기 운전 불가)",
    ),
    "zone-d": Text(
        "{sensor} is in zone D of ISO 20816-3 (it can damage the machine)",
        "{sensor} 값이 ISO 20816-3 D 구역입니다 (설비 손상 우려)",
    ),
    "warn": Text("{sensor} is over its warning limit", "{sensor} 값이 경고 한계를 넘었습니다"),
    "trip": Text(
        "{sensor} is over its trip limit (stop and look)",
        "{sensor} 값이 정지 한계를 넘었습니다 (정지 후 확인)",
    ),
    "low-warn": Text("{sensor} is under its low warning limit", "{sensor} 값이 하한 경고보다 낮습니다"),
    "low-trip": Text(
        "{sensor} is under its low trip limit (stop and look)",
        "{sensor} 값이 하한 정지보다 낮습니다 (정지 후 확인)",
    ),
    "sensor": Text("{sensor} cannot be trusted", "{sensor} 센서를 믿을 수 없습니다"),
    "probably": Text("{head} (probably)", "{head} (추정)"),
    "usual": Text("usual {value}", "평소 {value}"),
    "limit": Text("limit {value}", "한계 {value}"),
    "for": Text("for {duration}", "{duration}째"),
    "rising": Text("rising for {duration}", "{duration}째 상승"),
    "falling": Text("falling for {duration}", "{duration}째 하강"),
    "lasted": Text("lasted {duration}", "{duration} 지속"),
    "min": Text("{n} min", "{n}분"),
    "h": Text("{n} h", "{n}시간"),
    "d": Text("{n} days", "{n}일"),
}


@dataclass(frozen=True, slots=True)
class Course:
    """How long an alarm has lasted (ms), whether it still does, and where its value goes ("" = not known)."""

    lasted: int
    active: bool = True
    trend: str = ""


def fill(key: str, language: Language, **values: object) -> str:
    """A frame in ``language``."""
    return FRAMES[key].of(language).format(**values)


def duration(ms: int, language: Language) -> str:
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


def course_words(course: Course, language: Language) -> str:
    """Since when, and where it goes; "" for what is over and lasted nobody knows how long."""
    if not course.active and not course.lasted:
        return ""
    key = "rising" if course.trend == "up" else "falling" if course.trend == "down" else "for"
    return fill(key if course.active else "lasted", language, duration=duration(course.lasted, language))


def joined_words(head: str, *details: str) -> str:
    """``head``, a colon and what is known besides."""
    known = [one for one in details if one]
    return f"{head}: {', '.join(known)}" if known else head


def begin_large(text: str) -> str:
    """With a large first letter: names of sensors are written small in the settings."""
    return text[:1].upper() + text[1:]
