"""The records that travel between modules. Arrays inside; a batch of readings is never a list of objects."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray

from pipeline.cause import Cause
from pipeline.priority import Priority, priority_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Namespace of every id that Yeji derives; changing it would write each result a second time.
ID_NAMESPACE = uuid.UUID("6f0c5b0e-3f0b-5d0e-9a51-79656a690001")


@dataclass(frozen=True, slots=True)
class Message:
    """Bytes as some transport delivered them, and where they came from.

    ``received`` is the transport's own time stamp (ms UTC), kept with the message, so that a replay
    judges "far in the future" as the first pass did.
    """

    value: bytes
    received: int
    key: bytes | None = None
    topic: str = ""
    partition: int = 0
    offset: int = -1


@dataclass(frozen=True, slots=True)
class Frame:
    """Readings of one machine in columns.

    ``time`` (n,) ms since 1970 UTC; ``values`` (n, k) in the order of ``sensors``; NaN = missing.
    ``uncertain`` (n, k): values of uncertain quality, which are scored and not learned; None = none is.
    """

    machine: str
    time: Ints
    sensors: tuple[str, ...]
    values: Floats
    uncertain: NDArray[np.bool_] | None = None

    def rows(self, which: slice | Ints | NDArray[np.bool_]) -> Frame:
        """Only ``which`` readings."""
        uncertain = None if self.uncertain is None else self.uncertain[which]
        return Frame(self.machine, self.time[which], self.sensors, self.values[which], uncertain)

    def columns(self, which: Sequence[int]) -> Frame:
        """Only the sensors in ``which`` columns."""
        uncertain = None if self.uncertain is None else self.uncertain[:, which]
        names = tuple(self.sensors[column] for column in which)
        return Frame(self.machine, self.time, names, self.values[:, which], uncertain)

    def __len__(self) -> int:
        return int(self.time.shape[0])


class Reason(StrEnum):
    """Why something was rejected. The value is what stands in `telemetry.rejected`."""

    NOT_JSON = "not-json"
    WRONG_TYPE = "wrong-type"
    TOO_LARGE = "too-large"
    MACHINE_MISSING = "machine-missing"
    MACHINE_INVALID = "machine-invalid"
    MACHINE_UNKNOWN = "machine-unknown"
    TOO_MANY_MACHINES = "too-many-machines"
    KEY_MISMATCH = "key-mismatch"
    TIME_MISSING = "time-missing"
    TIME_INVALID = "time-invalid"
    TIME_FUTURE = "time-in-the-future"
    SENSORS_MISSING = "sensors-missing"
    SENSOR_NAME = "sensor-name-invalid"
    TOO_MANY_SENSORS = "too-many-sensors"
    LENGTHS = "unequal-lengths"
    VALUE_TYPE = "value-not-a-number"
    INFINITE = "infinite"
    DUPLICATE = "duplicate"
    CSV_ROW = "csv-row"
    SPOOL_FULL = "spool-full"
    NOT_PROTOBUF = "not-protobuf"
    NOT_AVRO = "not-avro"
    ALIAS_UNKNOWN = "alias-unknown"
    BATCH = "batch-undecodable"
    INTERNAL = "internal-error"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Input that was not taken, whole or in part, with the original bytes.

    ``detail`` says what was wrong and what to do. When only some readings of a frame or some values
    were left out, ``readings`` says how many, and the rest of the message was used.
    """

    reason: Reason
    detail: str
    original: bytes
    received: int
    machine: str | None = None
    sensor: str | None = None
    readings: int = 0
    topic: str = ""
    partition: int = 0
    offset: int = -1


class State(IntEnum):
    """State detection (ISO 13374 block SD) of one reading."""

    LEARNING = 0  # the model cannot say yet
    NORMAL = 1
    SUSPECT = 2  # over the threshold, not yet long enough for an alarm
    ALARM = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What the pipeline found for n readings of one machine.

    ``score`` (n,) 0..1, calibrated; NaN while learning. ``health`` (n,) 0..100. ``state`` (n,) of `State`.
    ``contributions`` (n, k): each sensor's share of the score, rows sum to 1 (or all 0).
    """

    machine: str
    machine_class: str
    time: Ints
    sensors: tuple[str, ...]
    values: Floats
    score: Floats
    health: Floats
    state: NDArray[np.uint8]
    contributions: Floats

    def __len__(self) -> int:
        return int(self.time.shape[0])


class AlarmKind(StrEnum):
    """What an alarm is about; a sensor fault is never reported as a machine fault."""

    CONDITION = "condition"  # the machine behaves unlike its healthy self
    QUALITY = "quality"  # a sensor cannot be trusted
    LIMIT = "limit"  # a fixed limit was crossed (for example an ISO 20816-3 zone)
    MOVED = "moved"  # what is normal has moved and stays there: nobody has said yet whether that is right


class AlarmPhase(StrEnum):
    """The condition behind an alarm begins or ends. What people do with it is the desk's business."""

    RAISED = "raised"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class Contribution:
    """One sensor's part in an alarm: its share of the score (0..1) and how far off it was.

    ``expected`` and ``deviation`` (in standard deviations of the healthy machine, signed) are None
    when the model cannot say.
    """

    sensor: str
    share: float
    value: float | None
    expected: float | None
    deviation: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmEvent:
    """One alarm's condition begins (`RAISED`) or ends (`CLEARED`); both carry the same ``id``.

    ``onset`` is the event time of the first reading of the episode, ``time`` that of this event,
    ``score`` the highest score of the episode so far, ``threshold`` the score that raises an alarm.
    ``severity`` 1 .. 4 is how far off it is, ``criticality`` 1 .. 4 what the machine's class is worth
    (`ClassSettings.criticality`); people are told `priority`, which follows from both. Quality and limit
    alarms have a ``cause`` (``trip``, ``zone-d``, ``stuck``, ``silence`` …) with its values; ``detail`` is
    the same in English.
    """

    id: str
    machine: str
    machine_class: str
    kind: AlarmKind
    phase: AlarmPhase
    onset: int
    time: int
    score: float
    threshold: float
    severity: int
    contributions: tuple[Contribution, ...] = ()
    sensor: str | None = None
    detail: str = ""
    cause: Cause | None = None
    criticality: int = 2

    def __post_init__(self) -> None:
        if self.cause is not None and not self.detail:
            object.__setattr__(self, "detail", str(self.cause))

    @property
    def priority(self) -> Priority:
        """How soon it wants somebody, as raised; what comes back and grows is higher on the desk."""
        return priority_of(self.severity, self.criticality)

    @property
    def code(self) -> str:
        """What it is about (`Cause.kind`); "" for a condition."""
        return self.cause.kind if self.cause else ""

    @property
    def value(self) -> float | None:
        """What crossed a limit, in the sensor's unit."""
        return self._number("value")

    @property
    def limit(self) -> float | None:
        """The limit that was crossed."""
        return self._number("limit")

    def _number(self, name: str) -> float | None:
        found = self.cause.values.get(name) if self.cause else None
        return None if found is None or isinstance(found, str) else float(found)


@dataclass(frozen=True, slots=True)
class Prognosis:
    """Prognostic assessment (ISO 13381-1): when health is expected to reach its threshold.

    ``remaining`` and its 90 % interval ``low`` .. ``high`` in hours from ``time`` (event time, ms UTC);
    None = not within the horizon.
    """

    machine: str
    machine_class: str
    time: int
    health: float
    threshold: float
    remaining: float | None
    low: float | None
    high: float | None


@dataclass(slots=True)
class Results:
    """Everything that one batch gave.

    ``history``: readings that came too late for the models, scored with the models as they stood.
    ``complements``: values that came too late for readings that were scored without them; only these values
    are to be stored.
    """

    scored: list[Scored] = field(default_factory=list)
    alarms: list[AlarmEvent] = field(default_factory=list)
    prognoses: list[Prognosis] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    history: list[Scored] = field(default_factory=list)
    complements: list[Scored] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything."""
        late = self.history or self.complements
        return bool(self.scored or late or self.alarms or self.prognoses or self.rejections)

    def extend(self, more: Results) -> None:
        """Add what came after."""
        self.scored += more.scored
        self.history += more.history
        self.complements += more.complements
        self.alarms += more.alarms
        self.prognoses += more.prognoses
        self.rejections += more.rejections

    @property
    def readings(self) -> int:
        """How many readings were scored."""
        return sum(len(s) for s in self.scored)


def alarm_id(machine: str, kind: AlarmKind, subject: str, onset: int) -> str:
    """The id of an alarm: the same machine, cause and onset always give the same one.

    >>> alarm_id("a/b/c/d/e", AlarmKind.CONDITION, "", 0) == alarm_id("a/b/c/d/e", AlarmKind.CONDITION, "", 0)
    True
    """
    return str(uuid.uuid5(ID_NAMESPACE, f"{machine}\n{kind}\n{subject}\n{onset}"))


class VerdictKind(StrEnum):
    """What a crew found when it went to look."""

    FAULT = "fault-confirmed"
    FALSE_ALARM = "false-alarm"
    PLANNED_WORK = "planned-work"
    SENSOR_FAULT = "sensor-fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A crew's word on an alarm, or on a stretch of a machine's time: what the models learn from.

    ``start`` .. ``end`` is the event time (ms UTC) that it speaks of; ``at`` is when it was given, ``by`` is
    who gave it. ``alarm`` is None when nobody was alarmed. ``sensor`` is the faulty one of a sensor fault.
    """

    id: str
    machine: str
    machine_class: str
    kind: VerdictKind
    start: int
    end: int
    at: int
    by: str
    alarm: str | None = None
    failure_mode: str = ""
    part: str = ""
    sensor: str | None = None
    comment: str = ""
