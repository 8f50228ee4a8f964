"""Work orders as the desk's API takes and returns them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, HttpUrl

from connectors.base.times import instant
from desk.rules.work_orders import OrderState, Part, WorkOrder
from desk.web.api.models import CloseIn, Machine, PriorityName, priority_name

_Person = Annotated[str, Field(max_length=100, description="who, as the maintenance system calls them")]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PartOut(BaseModel):
    """A spare part that the work took."""

    name: str
    quantity: float = 1.0


class OrderOut(BaseModel):
    """A work order of the desk."""

    id: str
    number: int = Field(description="counts the orders of the machine's site")
    machine: Machine
    title: str
    state: OrderState
    priority: PriorityName
    alarm: str | None = Field(None, description="the alarm that it comes of")
    assignee: str = ""
    due: datetime | None = None
    instructions: str = ""
    requested_by: str
    requested_at: datetime
    started_at: datetime | None = None
    done_by: str | None = None
    done_at: datetime | None = None
    report: str = ""
    verdict: str | None = Field(None, description="what was found, as the models were told")
    parts: list[PartOut] = Field(default_factory=list)
    downtime_minutes: float | None = Field(None, description="for how long the machine stood")
    signed_by: str | None = None
    signed_at: datetime | None = None
    external: str = Field("", description="its number in the maintenance system")
    url: str = Field("", description="its address there")
    overdue: bool
    link: str = Field(description="its page on the desk")

    @classmethod
    def of(cls, one: WorkOrder, url: str, now: int) -> OrderOut:
        """From the desk's own."""
        return cls(
            id=one.id,
            number=one.number,
            machine=one.machine,
            title=one.title,
            state=one.state,
            priority=priority_name(one.priority.name),
            alarm=one.alarm or None,
            assignee=one.assignee,
            due=_moment(one.due),
            instructions=one.instructions,
            requested_by=one.requested_by,
            requested_at=instant(one.requested_at),
            started_at=_moment(one.started_at),
            done_by=one.done_by or None,
            done_at=_moment(one.done_at),
            report=one.report,
            verdict=one.verdict or None,
            parts=[PartOut(name=part.name, quantity=part.quantity) for part in one.parts],
            downtime_minutes=one.downtime,
            signed_by=one.signed_by or None,
            signed_at=_moment(one.signed_at),
            external=one.external,
            url=one.url,
            overdue=one.overdue(now),
            link=f"{url}/orders/{one.id}",
        )


class OrdersOut(BaseModel):
    """One page of the list."""

    items: list[OrderOut]
    total: int = Field(description="orders of the choice, over all pages")
    pages: int


class PlanIn(_In):
    """Who does it, until when, and how; what is left out stays as it is."""

    assignee: str | None = Field(None, max_length=100)
    due: AwareDatetime | None = None
    priority: PriorityName | None = None
    instructions: str | None = Field(None, max_length=4000)


class OrderIn(PlanIn):
    """A new work order: on a machine, or on that of an alarm."""

    title: str = Field(min_length=1, max_length=200, pattern=r"\S")
    machine: str = Field("", max_length=400, description="required where no alarm is named")
    alarm: str = Field("", max_length=100)


class PersonIn(_In):
    """Who does it."""

    person: _Person = ""


class PartIn(_In):
    """A spare part that the work took."""

    name: str = Field(min_length=1, max_length=200)
    quantity: float = Field(1.0, gt=0, le=100_000, allow_inf_nan=False)

    def part(self) -> Part:
        """As the desk keeps it."""
        return Part(self.name, self.quantity)


class DoneIn(PersonIn):
    """What was done. ``finding`` closes the alarm, and the models learn from it."""

    report: str = Field("", max_length=4000)
    parts: list[PartIn] = Field(default_factory=list, max_length=100)
    downtime_minutes: float | None = Field(None, ge=0, le=1_000_000, allow_inf_nan=False)
    finding: CloseIn | None = Field(None, description="required for an alarm that nobody judged")


class SignIn(PersonIn):
    """Who signs: somebody else than who did it."""

    why: str = Field("", max_length=500)


class ReasonIn(_In):
    """Why."""

    why: str = Field(min_length=1, max_length=500, pattern=r"\S")


class LinkIn(_In):
    """The order's number and address in the maintenance system."""

    number: str = Field(min_length=1, max_length=100)
    url: HttpUrl | None = None


def _moment(time: int | None) -> datetime | None:
    return None if time is None else instant(time)
