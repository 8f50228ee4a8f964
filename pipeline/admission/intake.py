"""Which readings of a machine are taken: event time only goes forward, and not far into the future."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from detectors.batch import Bools
from pipeline.records import Frame, Ints, Message, Reason, Rejection
from pipeline.wire.readings import encode_frame, reject

#: How many of a machine's latest times are kept to tell a duplicate from a late reading.
REMEMBERED = 128


@dataclass(slots=True)
class Clock:
    """Where one machine's event time stands."""

    last: int = -1
    recent: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))


def admit(
    frame: Frame, clock: Clock, origin: Message, future_ms: int
) -> tuple[Frame | None, list[Rejection]]:
    """Put the readings in time order and leave out duplicate, late and future ones.

    Moves ``clock`` on. ``origin`` is the message that the frame came in; its time of receipt says what
    the future is. A reading as old as one that was already taken cannot be scored any more: the models
    have gone on. Each reading is either in the frame that is given, or counted in one rejection.
    """
    time, values = frame.time, frame.values
    if not len(time):
        return None, []
    latest = origin.received + future_ms
    steps = np.diff(time)
    if (steps < 0).any():  # a stable sort keeps the first of equal times first
        order = np.argsort(time, kind="stable")
        time, values = time[order], values[order]
        steps = np.diff(time)
    rejections: list[Rejection] = []
    if time[0] <= clock.last or time[-1] > latest or not steps.all():
        ahead, again, late = _unfit(time, steps, clock, latest)
        given = Frame(frame.machine, time, frame.sensors, values)
        told: tuple[tuple[Reason, Bools, Callable[[], str]], ...] = (
            (Reason.TIME_FUTURE, ahead, lambda: _ahead_of(time, origin, future_ms)),
            (Reason.DUPLICATE, again, lambda: _AGAIN),
            (Reason.LATE, late, lambda: _LATE.format(clock.last)),
        )
        for reason, these, why in told:
            if these.any():
                rejections.append(_rejection(given, origin, reason, these, why()))
        fresh = ~(ahead | again | late)
        time, values = time[fresh], values[fresh]
    if not len(time):
        return None, rejections
    clock.last = int(time[-1])
    clock.recent = np.concatenate((clock.recent, time))[-REMEMBERED:]
    return Frame(frame.machine, time, frame.sensors, values), rejections


_AGAIN = "already taken for this machine and time. Send all sensors of one time together."
_LATE = (
    "older than the machine's last reading ({}); the models have gone on. Send each machine's readings in "
    "time order."
)


def _ahead_of(time: Ints, origin: Message, future_ms: int) -> str:
    return (
        f"ahead of its arrival by up to {(int(time[-1]) - origin.received) / 1000:.0f} s; at most "
        f"{future_ms / 1000:.0f} s is taken (intake.future). Set the sender's clock."
    )


def _unfit(time: Ints, steps: Ints, clock: Clock, latest: int) -> tuple[Bools, Bools, Bools]:
    """Which sorted times lie in the future, were there before, come too late: no time is in two of them."""
    ahead = time > latest
    old = ~ahead & (time <= clock.last)
    repeated = np.concatenate(([False], steps == 0))
    again = ~ahead & (repeated | (old & np.isin(time, clock.recent)))
    return ahead, again, old & ~again


def _rejection(frame: Frame, origin: Message, reason: Reason, these: Bools, detail: str) -> Rejection:
    """``original`` is the message; without one (a source parsed the readings itself), just these readings."""
    count, first = int(these.sum()), int(frame.time[these][0])
    told = reject(
        origin,
        reason,
        f"{frame.machine}: {count} of {len(frame)} readings, the first at {first}: {detail}",
        machine=frame.machine,
        readings=count,
    )
    if origin.value:
        return told
    left_out = Frame(frame.machine, frame.time[these], frame.sensors, frame.values[these])
    return replace(told, original=encode_frame(left_out))
