"""The API's calls for the rationalisation list (ISA-18.2), and what they take and return."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from connectors.base.times import instant
from desk.rules.rationalisation import Rationalisation
from desk.web.api.calls import By, There, named
from desk.web.api.guarded import ForEngineers, Guarded
from desk.web.api.models import Items, PriorityName, priority_name
from pipeline.priority import Priority

read = APIRouter(route_class=Guarded)
engineers = APIRouter(route_class=ForEngineers)
ROUTERS = (read, engineers)

_Kind = Literal["", "condition", "quality", "limit", "moved"]


class RationalisationIn(BaseModel):
    """What is agreed on for some alarm points; "" stands for any."""

    model_config = ConfigDict(extra="forbid")

    place: str = Field(min_length=1, max_length=400, description="a machine, or what its name begins with")
    machine_class: str = Field("", max_length=200)
    kind: _Kind = ""
    sensor: str = Field("", max_length=200)
    code: str = Field("", max_length=100, description="a limit or trouble, as trip")
    cause: str = Field(min_length=1, max_length=1000, pattern=r"\S")
    consequence: str = Field(min_length=1, max_length=1000, pattern=r"\S")
    response: str = Field(min_length=1, max_length=1000, pattern=r"\S")
    minutes: float = Field(gt=0, le=100_000, allow_inf_nan=False, description="time to respond")
    priority: PriorityName = "medium"


class RationalisationOut(BaseModel):
    """An entry of the list."""

    id: str
    place: str
    machine_class: str
    kind: str
    sensor: str
    code: str
    cause: str
    consequence: str
    response: str
    minutes: float
    priority: PriorityName
    changed_by: str
    changed_at: datetime
    approved_by: str | None = None
    approved_at: datetime | None = None

    @classmethod
    def of(cls, one: Rationalisation) -> RationalisationOut:
        """From the desk's own."""
        return cls(
            id=one.id,
            place=one.place,
            machine_class=one.machine_class,
            kind=one.kind,
            sensor=one.sensor,
            code=one.code,
            cause=one.cause,
            consequence=one.consequence,
            response=one.response,
            minutes=one.minutes,
            priority=priority_name(one.priority.name),
            changed_by=one.changed_by,
            changed_at=instant(one.changed_at),
            approved_by=one.approved_by or None,
            approved_at=None if one.approved_at is None else instant(one.approved_at),
        )


@read.get("/rationalisation", **named("listRationalisation"))
def listed(by: By, there: There) -> Items[RationalisationOut]:
    """What was agreed on for alarms of the caller's places."""
    return Items(items=[RationalisationOut.of(one) for one in there.records.all(by.scope)])


@engineers.put("/rationalisation", **named("putRationalisation"))
def put(by: By, there: There, given: RationalisationIn) -> RationalisationOut:
    """Agree on cause, consequence, response, time and priority, in place of what was for the same points."""
    priority = Priority[given.priority.upper()]
    wanted = Rationalisation(id="", priority=priority, **given.model_dump(exclude={"priority"}))
    return RationalisationOut.of(there.records.put(by.scope, wanted, by=by.by))


@engineers.post("/rationalisation/{id}/approve", **named("approveRationalisation"))
def approve(id: str, by: By, there: There) -> RationalisationOut:
    """It holds as it stands."""
    return RationalisationOut.of(there.records.approve(by.scope, id, by=by.by))
