"""Which readings of a machine are taken: event time only goes forward, and not far into the future."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from streams.records import Frame, Ints, Message, Reason, Rejection
from streams.wire import reject

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
    have gone on.
    """
    time, values = frame.time, frame.values
    rejections: list[Rejection] = []
    if len(time) > 1:
        steps = np.diff(time)
        if (steps < 0).any():  # a stable sort keeps the first of equal times first
            order = np.argsort(time, kind="stable")
            time, values = time[order], values[order]
            steps = np.diff(time)
        fresh = np.concatenate(([True], steps > 0))
    else:
        fresh = np.ones(1, dtype=bool)
    if time[-1] > origin.received + future_ms:
        ahead = time > origin.received + future_ms
        rejections.append(
            _rejection(
                frame,
                origin,
                Reason.TIME_FUTURE,
                time[ahead & fresh],
                f"ahead of its arrival by up to {(int(time[-1]) - origin.received) / 1000:.0f} s; at most "
                f"{future_ms / 1000:.0f} s is taken (intake.future). Set the sender's clock.",
            )
        )
        fresh &= ~ahead
    if time[0] <= clock.last or not fresh.all():
        old = time <= clock.last
        again = (old & np.isin(time, clock.recent)) | (~fresh & (time <= origin.received + future_ms))
        late = old & ~again
        if again.any():
            rejections.append(
                _rejection(
                    frame,
                    origin,
                    Reason.DUPLICATE,
                    time[again],
                    "already taken for this machine and time. Send all sensors of one time together.",
                )
            )
        if late.any():
            rejections.append(
                _rejection(
                    frame,
                    origin,
                    Reason.LATE,
                    time[late],
                    f"older than the machine's last reading ({clock.last}); the models have gone on. "
                    "Send each machine's readings in time order.",
                )
            )
        fresh &= ~old
    if not fresh.all():
        time, values = time[fresh], values[fresh]
    if not len(time):
        return None, rejections
    clock.last = int(time[-1])
    clock.recent = np.concatenate((clock.recent, time))[-REMEMBERED:]
    return Frame(frame.machine, time, frame.sensors, values), rejections


def _rejection(frame: Frame, origin: Message, reason: Reason, times: Ints, detail: str) -> Rejection:
    first = int(times[0]) if len(times) else -1
    return reject(
        origin,
        reason,
        f"{frame.machine}: {len(times)} of {len(frame)} readings, the first at {first}: {detail}",
        machine=frame.machine,
        readings=len(times),
    )
