"""Advice on an alarm: the sentence that leads, checks in order, parts, safety, and what else it may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from desk.advice.catalogue import SENSOR, Catalogue, Mode, catalogue_for, home_of, modes_of
from desk.advice.likelihood import evidence, shares
from desk.advice.quantity import place_of, quantity_of
from desk.advice.sentence import (
    Course,
    begin_large,
    course_words,
    fill,
    joined_words,
    knows,
    measured,
)
from desk.rules.modes import worth_naming
from pipeline.records import AlarmEvent, AlarmKind, Contribution
from pipeline.settings import PipelineSettings, SensorSettings
from pipeline.wire.units import shown_unit

#: From these probabilities on the sentence says what it is, or probably is; below, only what is seen.
SURE, PROBABLE = 0.6, 0.4
#: Causes that ask for the same checks as another.
SILENT = {"silence": "gap", "silent": "gap"}
#: This many checks are shown before the rest.
FIRST = 3


@dataclass(frozen=True, slots=True)
class Likely:
    """A failure mode that it may be; ``mode`` is None when crews named one that no catalogue has."""

    key: str
    share: float
    mode: Mode | None

    def title(self, language: str) -> str:
        """What it is called."""
        return self.mode.title.of(language) if self.mode else self.key


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about one alarm, in one language.

    ``headline`` is the sentence without how long it has lasted; ``lead`` is the mode whose checks are
    given, ``catalogue`` the one that it stands in.
    """

    catalogue: str
    sentence: str
    headline: str
    lead: Mode | None
    likely: tuple[Likely, ...]
    checks: tuple[str, ...]
    parts: tuple[str, ...]
    safety: tuple[str, ...]
    spectrum: str
    skill: str
    minutes: int

    @property
    def first(self) -> tuple[str, ...]:
        """The checks to begin with."""
        return self.checks[:FIRST]

    @property
    def rest(self) -> tuple[str, ...]:
        """The checks after those."""
        return self.checks[FIRST:]


class Advisor:
    """Advises. ``catalogues`` returns those that hold for a machine, as its plant has changed them."""

    def __init__(
        self, settings: PipelineSettings, catalogues: Callable[[str], Mapping[str, Catalogue]]
    ) -> None:
        self.settings, self.catalogues = settings, catalogues

    def likely(self, event: AlarmEvent) -> dict[str, float]:
        """The probability of each mode of the machine's catalogue; empty when nothing speaks for any."""
        modes = self._modes(event)[1]
        if event.kind is AlarmKind.QUALITY:
            return {}
        known = self._sensors(event.machine_class)
        moved = evidence(event, lambda sensor: self._quantity(event.machine_class, sensor))
        measured_here = {self._quantity(event.machine_class, name) for name in known} - {""}
        if event.kind is AlarmKind.LIMIT:  # it speaks of one sensor alone
            measured_here = set()
        return shares(modes.values(), moved, measured_here)

    def advise(
        self,
        event: AlarmEvent,
        likely: Sequence[tuple[str, float]],
        course: Course,
        language: str,
    ) -> Advice:
        """What to do about ``event``; ``likely`` are the modes that were named when it was raised."""
        catalogue, modes = self._modes(event)
        if event.kind is AlarmKind.QUALITY:
            lead = modes.get(SILENT.get(event.code, event.code))
            named: tuple[Likely, ...] = ()
        else:
            found = list(likely) or worth_naming(self.likely(event))
            named = tuple(Likely(key, share, modes.get(key)) for key, share in found)
            lead = next((one.mode for one in named if one.mode is not None), None)
        share = named[0].share if named and named[0].mode is lead else 0.0
        return Advice(
            catalogue=home_of(lead.mode, catalogue, self.catalogues(event.machine)) if lead else "",
            sentence=self._sentence(event, lead, share, course, language),
            headline=self._sentence(event, lead, share, Course(0, active=False), language),
            lead=lead,
            likely=named,
            checks=tuple(check.of(language) for check in lead.checks) if lead else (),
            parts=tuple(part.of(language) for part in lead.parts) if lead else (),
            safety=tuple(one.of(language) for one in lead.safety) if lead else (),
            spectrum=lead.spectrum.of(language) if lead else "",
            skill=lead.skill if lead else "",
            minutes=lead.minutes if lead else 0,
        )

    def titles(self, machine_class: str, machine: str, language: str) -> dict[str, str]:
        """What each failure mode of a machine is called, by key."""
        return {key: mode.title.of(language) for key, mode in self.modes(machine_class, machine).items()}

    def modes(self, machine_class: str, machine: str) -> dict[str, Mode]:
        """The failure modes of a machine, by key."""
        known = self.catalogues(machine)
        return modes_of(catalogue_for(machine_class, machine, known), known)

    # -- inside

    def _modes(self, event: AlarmEvent) -> tuple[Catalogue, dict[str, Mode]]:
        known = self.catalogues(event.machine)
        if event.kind is AlarmKind.QUALITY:
            return known[SENSOR], modes_of(known[SENSOR], known)
        catalogue = catalogue_for(event.machine_class, event.machine, known)
        return catalogue, modes_of(catalogue, known)

    def _sensors(self, machine_class: str) -> Mapping[str, SensorSettings]:
        found = self.settings.classes.get(machine_class)
        return found.sensors if found else {}

    def _quantity(self, machine_class: str, sensor: str) -> str:
        known = self._sensors(machine_class).get(sensor)
        labels = (known.label, known.label_ko) if known else ()
        return quantity_of(sensor, labels, known.unit if known else "")

    def _label(self, machine_class: str, sensor: str, language: str) -> str:
        known = self._sensors(machine_class).get(sensor)
        return (known.label_in(language) if known else "") or sensor

    def _unit(self, machine_class: str, sensor: str) -> str:
        known = self._sensors(machine_class).get(sensor)
        return shown_unit(known.unit) if known else ""

    def _sentence(
        self, event: AlarmEvent, lead: Mode | None, share: float, course: Course, language: str
    ) -> str:
        if event.kind is AlarmKind.QUALITY:
            return self._of_sensor(event, lead, course, language)
        if event.kind is AlarmKind.LIMIT:
            return self._of_limit(event, course, language)
        main = _leading(event)
        where = self._where(event, language)
        said = lead is not None and share >= PROBABLE
        if lead is not None and said:
            head = lead.sentence.of(language).replace("{where}", where).strip()
            head = head if share >= SURE else fill("probably", language, head=head)
        else:
            head = self._seen(event, main, language)
        if main is None:
            return joined_words(begin_large(head), course_words(course, language))
        label, unit = (
            self._label(event.machine_class, main.sensor, language),
            self._unit(event.machine_class, main.sensor),
        )
        value, usual = measured(main.value, unit), measured(main.expected)
        named = f"{label} {value}" if value and said else value
        return joined_words(
            begin_large(head),
            named,
            fill("usual", language, value=usual) if usual else "",
            course_words(course, language),
        )

    def _seen(self, event: AlarmEvent, main: Contribution | None, language: str) -> str:
        if main is None or not main.deviation:
            return fill("strange", language)
        label = self._label(event.machine_class, main.sensor, language)
        return fill("up" if main.deviation > 0 else "down", language, sensor=label)

    def _of_limit(self, event: AlarmEvent, course: Course, language: str) -> str:
        value, limit = event.value, event.limit
        sensor = event.sensor or ""
        label, unit = (
            self._label(event.machine_class, sensor, language),
            self._unit(event.machine_class, sensor),
        )
        head = fill(event.code if knows(event.code) else "strange", language, sensor=label)
        return joined_words(
            begin_large(head),
            measured(value, unit),
            fill("limit", language, value=measured(limit)) if limit is not None else "",
            course_words(course, language),
        )

    def _of_sensor(self, event: AlarmEvent, lead: Mode | None, course: Course, language: str) -> str:
        label = self._label(event.machine_class, event.sensor, language) if event.sensor else ""
        if lead is not None:
            head = lead.sentence.of(language).replace("{where}", "")
        else:
            head = fill("sensor", language, sensor=label or self.settings.name_of(event.machine, language))
            label = ""
        return joined_words(begin_large(head), label, course_words(replace(course, trend=""), language))

    def _where(self, event: AlarmEvent, language: str) -> str:
        for contribution in event.contributions[:1]:
            known = self._sensors(event.machine_class).get(contribution.sensor)
            place = place_of(contribution.sensor, (known.label, known.label_ko) if known else ())
            if place:
                return fill(place, language)
        return ""


def _leading(event: AlarmEvent) -> Contribution | None:
    """The sensor to tell of: the one with the largest share that has a value."""
    ordered = sorted(event.contributions, key=lambda one: -one.share)
    return next((one for one in ordered if one.value is not None), ordered[0] if ordered else None)
