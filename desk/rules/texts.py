"""What a notification says, in the crew's language: a template filled from alarms as the desk shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from desk.advice.advisor import Advice
from desk.rules.grouping import same_trouble
from desk.rules.notification import Alert, Notification
from desk.rules.recurrence import Recurrence
from desk.rules.routing import BUNDLES, OWN, Kind, Trigger
from desk.rules.scope import within
from desk.rules.views import AlarmView
from desk.settings.whole import SettingsWithDesk
from desk.texts.catalogue import Texts
from pipeline.machine import display_name
from pipeline.records import Contribution, Verdict
from pipeline.settings import SensorSettings
from pipeline.wire.units import shown_unit

#: This many sensors are named; the rest weighs little.
MOST_SENSORS = 5
#: This many alarms of a bundle are given to systems, the most urgent first; the rest is counted.
MOST_ALERTS = 200


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes messages.

    ``last`` returns what was found last on a machine, other than by this alarm; ``advise`` what to do about
    an alarm at a time, in a language.
    """

    settings: SettingsWithDesk
    zone: tzinfo
    last: Callable[[AlarmView], Verdict | None] = field(default=lambda _: None)
    advise: Callable[[AlarmView, int, str], Advice | None] = field(default=lambda *_: None)

    def write(self, trigger: Trigger, alarms: list[AlarmView], channel: str, now: int) -> Notification:
        """The notification for ``occasion`` by ``channel``; ``alarms`` are its points as they are shown."""
        crew = self.settings.notify.crews[trigger.crew]
        base = self.settings.desk.url
        single = trigger.kind not in BUNDLES
        link = f"{base}/alarms/{alarms[0].id}" if single else f"{base}/"
        shown = [self._alarm(alarm, crew.language, now, single) for alarm in alarms]
        notification = {"kind": str(trigger.kind), "bundle": not single, "alarms": shown, "link": link}
        t, words = Texts(crew.language), template()
        alerts = tuple(
            self._alert(one, trigger.kind, head, crew.language, now)
            for one, head in zip(alarms[:MOST_ALERTS], (_line(words.head(t, a)) for a in shown), strict=False)
        )
        return Notification(
            id=trigger.id(channel),
            kind=trigger.kind,
            crew=trigger.crew,
            channel=channel,
            language=crew.language,
            priority=max(alarm.priority for alarm in alarms).name.lower(),
            subject=_line(words.subject(t, notification)),
            text=str(words.body(t, notification)).strip() + _on_call(t, trigger.persons) + "\n",
            made=now,
            link=link,
            alerts=alerts,
            step=trigger.step,
            more=len(alarms) - len(alerts),
            on_call=trigger.persons,
        )

    def _alert(self, one: AlarmView, kind: Kind, head: str, language: str, now: int) -> Alert:
        shown = self._alarm(one, language, now, False)
        notification = {"kind": "alarm", "bundle": False, "alarms": [shown], "link": ""}
        return Alert(
            id=one.id,
            point=one.point,
            machine=one.machine,
            machine_class=one.machine_class,
            kind=str(one.kind),
            priority=one.priority.name.lower(),
            state=str(one.state),
            starts=one.onset,
            summary=head,
            description=str(template().body(Texts(language), notification)).strip(),
            link=f"{self.settings.desk.url}/alarms/{one.id}",
            ends=now if kind is Kind.ENDED else None,
            sensor=one.sensor or "",
            score=one.score,
            modes=one.modes,
        )

    def _alarm(self, one: AlarmView, language: str, now: int, whole: bool) -> dict[str, Any]:
        sensors = self._sensors(one.machine_class)
        last = self.last(one) if whole else None
        advice = self.advise(one, now, language)
        return {
            "own": within(one.machine, OWN),
            "machine": display_name(one.machine),
            "unit": self.settings.name_of(one.machine, language),
            "kind": str(one.kind),
            "sensor": _label(one.sensor, sensors, language) if one.sensor else "",
            "priority": one.priority.name.lower(),
            "since": self.local(one.since),
            "late": self.local(one.raised_at) if one.late else "",
            "often": one.recurrence and self._often(one.recurrence, sensors, language),
            "silent": one.code == "silence",
            "others": [
                self.settings.name_of(other.machine, language)
                for other in one.members
                if same_trouble(one, other)
            ],
            "minutes": (now - one.announced_at) // 60_000,
            "cause": _line(Texts(language).cause(one.event)),
            "contributions": [
                _contribution(c, sensors, language) for c in one.contributions[:MOST_SENSORS] if c.share > 0
            ],
            "sentence": _line(advice.sentence) if advice else "",
            "headline": _line(advice.headline) if advice else "",
            "checks": [_line(check) for check in advice.first] if advice else [],
            "safety": [_line(word) for word in advice.safety] if advice else [],
            "modes": [(likely.title(language), f"{likely.share:.0%}") for likely in advice.likely]
            if advice
            else [(mode, f"{share:.0%}") for mode, share in one.modes],
            "members": sum(not same_trouble(one, other) for other in one.members),
            "last": last
            and {
                "at": self.local(last.at),
                "kind": str(last.kind),
                "failure_mode": _line(last.failure_mode),
                "part": _line(last.part),
                "comment": _line(last.comment),
                "by": _line(last.by),
            },
        }

    def _often(
        self, found: Recurrence, sensors: Mapping[str, SensorSettings], language: str
    ) -> dict[str, str | int]:
        """How often it came since when, and how it grows; empty for the first time."""
        if found.count < 2:
            return {}
        growth = "" if found.growth is None else f"{found.growth:.1f}"
        label = _label(found.sensor, sensors, language) if found.sensor else ""
        return {"count": found.count, "since": self.local(found.since), "growth": growth, "label": label}

    def _sensors(self, machine_class: str) -> Mapping[str, SensorSettings]:
        found = self.settings.classes.get(machine_class)
        return found.sensors if found else {}

    def local(self, time: int) -> str:
        """``time`` (ms UTC) as people write it, in the desk's zone."""
        return datetime.fromtimestamp(time / 1000, self.zone).strftime("%Y-%m-%d %H:%M %Z")


def _contribution(one: Contribution, sensors: Mapping[str, SensorSettings], language: str) -> dict[str, str]:
    unit = shown_unit(sensors[one.sensor].unit) if one.sensor in sensors else ""
    return {
        "label": _label(one.sensor, sensors, language),
        "value": _number(one.value, unit),
        "expected": _number(one.expected, unit),
        "deviation": "" if one.deviation is None else f"{one.deviation:+.1f}",
        "share": f"{one.share:.0%}",
    }


def _label(sensor: str, sensors: Mapping[str, SensorSettings], language: str) -> str:
    known = sensors.get(sensor)
    return (known.label_in(language) if known else "") or sensor


def _number(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.4g} {unit}".strip()


def _on_call(t: Texts, persons: tuple[str, ...]) -> str:
    return "\n\n" + t("message.on-call", names=", ".join(persons)) if persons else ""


def _line(text: object) -> str:
    """One line: a line break in a subject could begin another header."""
    return " ".join(str(text).split())


@lru_cache(maxsize=1)
def template() -> Any:
    """The macros ``subject``, ``body`` and ``head``; each takes the `Texts` of a language first."""
    # Plain text is written, not HTML: nothing is to be escaped.
    environment = Environment(  # noqa: S701
        loader=PackageLoader("desk.rules", "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template("message.j2").module
