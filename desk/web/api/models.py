"""What the desk's API takes and returns: the source of its OpenAPI document."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, HttpUrl

from connectors.base.times import instant
from desk.advice.advisor import Advice
from desk.rules.journal import Entry
from desk.rules.kpis import Kpis
from desk.rules.on_call import Duty
from desk.rules.suppression import Window
from desk.rules.views import AlarmView
from desk.service.desk import Occurrence
from desk.store.store import LinkedOrder
from desk.texts.catalogue import ENGLISH, Texts
from desk.texts.entries import words
from pipeline.cause import Cause
from pipeline.records import AlarmKind, Verdict, VerdictKind

_T = TypeVar("_T", bound=BaseModel)
PriorityName = Literal["low", "medium", "high", "urgent"]
Machine = Annotated[
    str, Field(description="enterprise/site/area/line/machine", examples=["gwangju/ggm/body/line-2/press-07"])
]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Items(BaseModel, Generic[_T]):
    """A list of them."""

    items: list[_T]


class ContributionOut(BaseModel):
    """One sensor's part in an alarm."""

    sensor: str
    share: float = Field(description="0..1; those of one alarm sum to 1")
    value: float | None = None
    expected: float | None = None
    deviation: float | None = Field(None, description="in standard deviations of the healthy machine")


class ModeOut(BaseModel):
    """A likely failure mode."""

    mode: str
    probability: float


class WorkOrderOut(BaseModel):
    """The work order that an alarm led to."""

    number: str
    url: str = ""
    by: str
    at: datetime

    @classmethod
    def of(cls, linked: LinkedOrder) -> WorkOrderOut:
        """From the desk's own."""
        order = linked.order
        return cls(number=order.number, url=order.url, by=linked.by, at=instant(linked.at))


class TextOut(BaseModel):
    """The same words in both languages."""

    en: str
    ko: str


class AdviceOut(BaseModel):
    """What to do about an alarm, from the catalogue of failure modes."""

    sentence: TextOut = Field(description="what a floor worker is told first")
    mode: str | None = Field(None, description="the failure mode whose checks are given")
    title: TextOut | None = None
    checks: list[TextOut] = Field(default_factory=list, description="in the order to do them")
    parts: list[TextOut] = Field(default_factory=list)
    safety: list[TextOut] = Field(default_factory=list)
    skill: str = Field("", description="who does the checks")
    minutes: int = Field(0, description="for the checks")
    sources: list[str] = Field(default_factory=list)

    @classmethod
    def of(cls, en: Advice, ko: Advice) -> AdviceOut:
        """From the same advice in both languages."""

        def pairs(first: Sequence[str], second: Sequence[str]) -> list[TextOut]:
            return [TextOut(en=a, ko=b) for a, b in zip(first, second, strict=True)]

        lead = en.lead
        return cls(
            sentence=TextOut(en=en.sentence, ko=ko.sentence),
            mode=lead.mode if lead else None,
            title=TextOut(en=lead.title.of("en"), ko=lead.title.of("ko")) if lead else None,
            checks=pairs(en.checks, ko.checks),
            parts=pairs(en.parts, ko.parts),
            safety=pairs(en.safety, ko.safety),
            skill=en.skill,
            minutes=en.minutes,
            sources=list(lead.sources) if lead else [],
        )


class CauseOut(BaseModel):
    """Why, as a code with values (docs/languages.md)."""

    code: str
    values: dict[str, int | float | str] = Field(default_factory=dict)

    @classmethod
    def of(cls, one: Cause | None) -> CauseOut | None:
        """From the desk's own."""
        return cls(code=one.code, values=one.values) if one else None


class AlarmOut(BaseModel):
    """An alarm as it stands on the desk: what a work order is made from."""

    id: str
    machine: Machine
    machine_class: str
    kind: AlarmKind
    sensor: str | None = None
    priority: PriorityName
    severity: int = Field(ge=1, le=4)
    criticality: int = Field(ge=1, le=4)
    state: str = Field(description="ISA-18.2 state, as unacknowledged or shelved-timed")
    active: bool = Field(description="the condition is still there")
    waiting: bool = Field(description="somebody is asked to acknowledge it")
    onset: datetime
    raised_at: datetime
    score: float
    threshold: float
    detail: str = Field("", description="the cause in English")
    cause: CauseOut | None = Field(None, description="the cause for programs; conditions have none")
    contributions: list[ContributionOut] = Field(default_factory=list)
    likely_modes: list[ModeOut] = Field(default_factory=list)
    advice: AdviceOut | None = None
    acknowledged_by: str | None = None
    taken_by: str | None = None
    shelved_until: datetime | None = None
    closed_as: VerdictKind | None = None
    related: list[str] = Field(default_factory=list, description="ids of alarms grouped under this one")
    link: str = Field(description="the alarm's page on the desk")
    work_order: WorkOrderOut | None = None

    @classmethod
    def of(
        cls, view: AlarmView, url: str, order: LinkedOrder | None, advice: AdviceOut | None = None
    ) -> AlarmOut:
        """From the desk's own view."""
        return cls(
            id=view.id,
            machine=view.machine,
            machine_class=view.machine_class,
            kind=view.kind,
            sensor=view.sensor,
            priority=priority_name(view.priority.name),
            severity=view.severity,
            criticality=view.criticality,
            state=str(view.state),
            active=view.active,
            waiting=view.waits,
            onset=instant(view.onset),
            raised_at=instant(view.raised_at),
            score=view.score,
            threshold=view.threshold,
            detail=view.detail,
            cause=CauseOut.of(view.event.cause),
            contributions=[
                ContributionOut(
                    sensor=c.sensor, share=c.share, value=c.value, expected=c.expected, deviation=c.deviation
                )
                for c in view.contributions
            ],
            likely_modes=[ModeOut(mode=mode, probability=share) for mode, share in view.modes],
            acknowledged_by=view.acknowledged_by or None,
            taken_by=view.taken_by or None,
            shelved_until=None if view.shelved_until is None else instant(view.shelved_until),
            closed_as=VerdictKind(view.closed_as) if view.closed_as else None,
            related=[member.id for member in view.members],
            link=f"{url}/alarms/{view.id}",
            work_order=WorkOrderOut.of(order) if order else None,
            advice=advice,
        )


class VerdictOut(BaseModel):
    """What a crew found."""

    id: str
    machine: Machine
    alarm: str | None = None
    kind: VerdictKind
    failure_mode: str = ""
    part: str = ""
    sensor: str | None = None
    comment: str = ""
    start: datetime
    end: datetime
    by: str
    at: datetime

    @classmethod
    def of(cls, one: Verdict) -> VerdictOut:
        """From the desk's own."""
        return cls(
            id=one.id,
            machine=one.machine,
            alarm=one.alarm,
            kind=one.kind,
            failure_mode=one.failure_mode,
            part=one.part,
            sensor=one.sensor,
            comment=one.comment,
            start=instant(one.start),
            end=instant(one.end),
            by=one.by,
            at=instant(one.at),
        )


class OccurrenceOut(BaseModel):
    """One alarm of a machine's past."""

    id: str
    machine: Machine
    kind: AlarmKind
    sensor: str | None = None
    onset: datetime
    ended: datetime | None = None
    score: float
    verdict: VerdictOut | None = None

    @classmethod
    def of(cls, one: Occurrence) -> OccurrenceOut:
        """From the desk's own."""
        event = one.event
        return cls(
            id=event.id,
            machine=event.machine,
            kind=event.kind,
            sensor=event.sensor,
            onset=instant(event.onset),
            ended=None if one.ended is None else instant(one.ended),
            score=event.score,
            verdict=VerdictOut.of(one.verdict) if one.verdict else None,
        )


class WindowOut(BaseModel):
    """Planned work."""

    id: str
    place: str
    start: datetime
    end: datetime
    by: str
    why: str = ""

    @classmethod
    def of(cls, one: Window) -> WindowOut:
        """From the desk's own."""
        return cls(
            id=one.id, place=one.place, start=instant(one.start), end=instant(one.end), by=one.by, why=one.why
        )


class DutyOut(BaseModel):
    """Somebody on call for a place."""

    place: str
    person: str = Field(description="an account of the desk")
    start: datetime
    end: datetime
    swapped: str | None = Field(None, description="who had it before a swap")
    now: bool = Field(description="it has begun")

    @classmethod
    def of(cls, one: Duty, now: int) -> DutyOut:
        """From the desk's own."""
        return cls(
            place=one.place,
            person=one.person,
            start=instant(one.start),
            end=instant(one.end),
            swapped=one.swapped or None,
            now=one.start <= now,
        )


class EntryOut(BaseModel):
    """One entry of the journal."""

    seq: int
    at: datetime
    by: str
    action: str
    machine: str
    alarm: str | None = None
    why: str = Field("", description="what a person wrote, or the cause in English")
    cause: CauseOut | None = Field(None, description="what Yeji itself has to say")
    verdict: VerdictOut | None = None

    @classmethod
    def of(cls, one: Entry) -> EntryOut:
        """From the desk's own."""
        return cls(
            seq=one.seq,
            at=instant(one.at),
            by=one.by,
            action=str(one.action),
            machine=one.machine,
            alarm=one.alarm or None,
            why=words(Texts(ENGLISH), one),
            cause=CauseOut.of(one.cause),
            verdict=VerdictOut.of(one.verdict) if one.verdict else None,
        )


class KpisOut(BaseModel):
    """ISA-18.2's measures of a period."""

    start: datetime
    end: datetime
    alarms: int
    a_day: float
    budget: float
    peak_10_minutes: int
    flood_time: float = Field(description="share of the time")
    flood_alarms: float = Field(description="share of the alarms")
    chattering: int
    stale: int
    priorities: dict[PriorityName, int]
    acknowledge_median_s: float | None = None
    acknowledge_p90_s: float | None = None
    false_alarms: float | None = Field(None, description="share of the alarms that were judged")

    @classmethod
    def of(cls, one: Kpis) -> KpisOut:
        """From the desk's own."""
        return cls(
            start=instant(one.start),
            end=instant(one.end),
            alarms=one.alarms,
            a_day=one.a_day,
            budget=one.budget,
            peak_10_minutes=one.peak,
            flood_time=one.flood_time,
            flood_alarms=one.flood_alarms,
            chattering=one.chattering,
            stale=one.stale,
            priorities={priority_name(p.name): n for p, n in one.priorities.items()},
            acknowledge_median_s=one.ack_median,
            acknowledge_p90_s=one.ack_p90,
            false_alarms=one.false_share,
        )


class ProblemOut(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str
    status: int
    detail: str
    code: str = Field("", description="why an act is not possible, for programs")
    values: dict[str, int | float | str] = Field(default_factory=dict, description="what belongs to the code")


class WhyIn(_In):
    """A word on it."""

    why: str = Field("", max_length=500)


class CommentIn(_In):
    """A comment."""

    text: str = Field(min_length=1, max_length=2000)


class ShelveIn(_In):
    """How long to keep an alarm from the desk."""

    why: str = Field(min_length=1, max_length=500)
    until: AwareDatetime | None = Field(None, description="none = until its condition ends")


class CloseIn(_In):
    """What was found: closes an alarm, and teaches the models."""

    kind: VerdictKind
    failure_mode: str = Field("", max_length=100, description="required for a confirmed fault")
    part: str = Field("", max_length=100)
    sensor: str | None = Field(None, max_length=200, description="required for a sensor fault")
    comment: str = Field("", max_length=2000)


class WorkOrderIn(_In):
    """The work order that the CMMS made of an alarm."""

    number: str = Field(min_length=1, max_length=100)
    url: HttpUrl | None = None


class WindowIn(_In):
    """Planned work."""

    place: str = Field(min_length=1, max_length=400)
    start: AwareDatetime
    end: AwareDatetime
    why: str = Field("", max_length=500)


def priority_name(name: str) -> PriorityName:
    """A priority as the API says it."""
    names: dict[str, PriorityName] = {"LOW": "low", "MEDIUM": "medium", "HIGH": "high", "URGENT": "urgent"}
    return names[name]
