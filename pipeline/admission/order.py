"""One machine's event time: rows wait for stragglers until its watermark (docs/order-and-late-data.md).

Everything here follows from the messages alone, one after the other: the same messages give the same rows
in the same order, however they are split into batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from detectors.batch import Bools
from pipeline.admission.grid import Grid
from pipeline.admission.rows import in_order, merged, stacked
from pipeline.layout import Layout, align, union
from pipeline.records import Frame, Ints, Reason

#: How many of a machine's latest times are kept to tell a duplicate from a late reading.
REMEMBERED = 128
#: A time further ahead of the machine's others than so many usual steps, and a minute, may be a wrong clock.
_STEPS, _MINUTE = 10, 60_000
#: A step forward is believed once rows so far apart (ms) say so, or so many of them in a row.
_APART, _IN_A_ROW = 1000, 3
#: Nor are many in a row when the last is so many times further off than all the others.
_FAR = 100
#: It is not believed any more after so many readings that go on from before.
_CONTRADICTED = 3
#: Beyond its wait, nothing is expected any more of a machine that has been quiet for so long (ms).
_QUIET = 1000
#: A message that came at no known time.
NO_ARRIVAL = 1 << 62


def _no_times() -> Ints:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Timing:
    """What the settings say, in ms. ``grid``: rows so close are joined; None = learned."""

    wait: int
    future: int
    grid: int | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows that were not taken, and why; ``detail`` says what to do."""

    reason: Reason
    rows: Frame
    detail: str


@dataclass(slots=True)
class Taken:
    """What became of a message's rows, beside those that wait.

    ``history``: rows that came after the machine's watermark had passed them. ``complement``: values that
    came so for rows that were scored without them.
    """

    left_out: list[LeftOut] = field(default_factory=list)
    history: Frame | None = None
    complement: Frame | None = None


@dataclass(slots=True)
class Recent:
    """Which sensors the machine's latest rows had: ``time`` (r,), ``there`` (r, k) in ``layout``'s order."""

    layout: Layout = ()
    time: Ints = field(default_factory=_no_times)
    there: Bools = field(default_factory=lambda: np.empty((0, 0), dtype=np.bool_))

    def add(self, frame: Frame) -> None:
        """Remember the latest of ``frame``; rows that are no newer than others were remembered before."""
        if len(self.time):
            frame = frame.rows(slice(int(np.searchsorted(frame.time, self.time[-1], side="right")), None))
        frame = frame.rows(slice(-REMEMBERED, None))
        self._widen(frame.sensors)
        there = np.isfinite(align(frame.values, frame.sensors, self.layout))
        self.time = np.concatenate((self.time, frame.time))[-REMEMBERED:]
        self.there = np.concatenate((self.there, there))[-REMEMBERED:]

    def known(self, frame: Frame) -> tuple[Bools, Bools]:
        """Which of the frame's rows (n,) are of times that are remembered, and which of these are repeated.

        A value for such a time that was not there before is remembered.
        """
        self._widen(frame.sensors)
        values = align(frame.values, frame.sensors, self.layout)
        at = np.searchsorted(self.time, frame.time)
        old = np.zeros(len(frame), dtype=np.bool_)
        old[at < len(self.time)] = self.time[at[at < len(self.time)]] == frame.time[at < len(self.time)]
        again = np.zeros(len(frame), dtype=np.bool_)
        for row in np.flatnonzero(old).tolist():
            there = np.isfinite(values[row])
            again[row] = bool((there & self.there[at[row]]).any()) or not there.any()
            if not again[row]:
                self.there[at[row]] |= there
        return old, again

    def _widen(self, sensors: Layout) -> None:
        if set(sensors) <= set(self.layout):
            return
        wider = union(self.layout, sensors)
        self.there = align(self.there.astype(np.float64), self.layout, wider) == 1.0
        self.layout = wider


@dataclass(slots=True)
class EventOrder:
    """Where one machine's event time stands, and the rows that wait.

    ``top``: the newest time that is believed; ``watermark``: what is not newer comes too late; ``last``: the
    newest row that went on to the models; each -1 = none. ``pace``: ms between readings, 0 = not known.
    ``arrived``: when the latest message came, -1 = not known.

    ``waiting``: frames in order of time. ``held``: rows whose times are so far ahead that others must confirm
    them; ``held_alone``: times of those that came since the last row that was not; ``contradicted``: rows
    since then that were not. ``first_layout``: the first message's sensors; ``mixed``: others had others.
    """

    last: int = -1
    watermark: int = -1
    top: int = -1
    pace: float = 0.0
    arrived: int = -1
    waiting: list[Frame] = field(default_factory=list)
    held: Frame | None = None
    held_alone: list[int] = field(default_factory=list)
    contradicted: int = 0
    recent: Recent = field(default_factory=Recent)
    grid: Grid = field(default_factory=Grid)
    first_layout: frozenset[str] | None = None
    mixed: bool = False
    _released: list[Frame] = field(default_factory=list)

    @property
    def waits(self) -> bool:
        """Whether a row waits."""
        return bool(self.waiting) or self.held is not None

    # -- messages

    def arrange(self, frame: Frame, received: int, timing: Timing) -> Taken:
        """Take the rows of a message that came at ``received`` (ms UTC; `NO_ARRIVAL` = not known)."""
        taken = Taken()
        if received != NO_ARRIVAL:
            if self.arrived >= 0 and received - self.arrived >= timing.wait + _QUIET:
                taken.left_out += self.flush(received, timing)
            self.arrived = received
            ahead = frame.time > received + timing.future
            if ahead.any():
                taken.left_out.append(_ahead(frame.rows(ahead), received, timing))
                frame = frame.rows(~ahead)
        if not len(frame):
            return taken
        self._notice_layout(frame.sensors, timing)
        frame = in_order(frame)
        beyond = self._first_beyond(frame.time)
        if beyond:
            self._accept(frame if beyond == len(frame) else frame.rows(slice(0, beyond)), timing, taken)
        if self.held is not None or beyond < len(frame):
            self._hold(frame.rows(slice(beyond, None)), timing, taken)
        return taken

    def _notice_layout(self, sensors: Layout, timing: Timing) -> None:
        if self.mixed:
            return
        if self.first_layout is None:
            self.first_layout = frozenset(sensors)
        elif len(sensors) != len(self.first_layout) or self.first_layout != frozenset(sensors):
            self._released += self._ready(timing, ended=False)  # as it is without a grid
            self.mixed = True

    def _first_beyond(self, time: Ints) -> int:
        """The first of sorted times that may be a wrong clock's; as many as there are = none."""
        if self.top < 0:
            return 0
        most = self._most_ahead
        if time[-1] - self.top <= most:
            return len(time)
        before = np.maximum(np.concatenate(([self.top], time[:-1])), self.top)
        far = time - before > most
        return int(np.argmax(far)) if far.any() else len(time)

    @property
    def _most_ahead(self) -> int:
        return max(_MINUTE, round(_STEPS * self.pace))

    def _accept(self, frame: Frame, timing: Timing, taken: Taken) -> None:
        """Take rows in order whose times are believed."""
        late = int(np.searchsorted(frame.time, self.watermark, side="right"))
        if late:
            self._released += self._ready(timing, ended=False)  # what the late ones are compared with
            self._late(frame.rows(slice(0, late)), taken)
            if late == len(frame):
                return
            frame = frame.rows(slice(late, None))
        self._wait(frame, taken)
        newest = int(frame.time[-1])
        if newest > self.top:
            new = 1 if len(frame) == 1 else _different(frame.time[frame.time > self.top])
            if self.top >= 0:
                self._learn_pace((newest - self.top) / new)
            elif new > 1:
                self._learn_pace((newest - int(frame.time[0])) / (new - 1))
            self.contradicted += new
            self.held_alone.clear()
            self.top = newest
            self.watermark = max(self.watermark, newest - timing.wait)

    def _learn_pace(self, step: float) -> None:
        if step <= 0:
            return
        # one long pause must not make the next one usual
        self.pace += (min(step, 8.0 * self.pace) - self.pace) / 8.0 if self.pace else step

    def _wait(self, frame: Frame, taken: Taken) -> None:
        """Lay rows among those that wait."""
        waiting = self.waiting
        follows = not waiting or frame.time[0] > waiting[-1].time[-1]
        if follows and (len(frame) == 1 or bool((frame.time[1:] > frame.time[:-1]).all())):
            waiting.append(frame)
            return
        overlapping = [frame]
        while waiting and waiting[-1].time[-1] >= frame.time[0]:
            overlapping.insert(0, waiting.pop())
        rows, repeated = merged(overlapping)
        waiting.append(rows)
        _note_repeated(frame, repeated, taken)

    def _late(self, frame: Frame, taken: Taken) -> None:
        whole = frame
        frame, repeated = merged([whole])
        _note_repeated(whole, repeated, taken)
        known, again = self.recent.known(frame)
        if again.any():
            taken.left_out.append(LeftOut(Reason.DUPLICATE, frame.rows(again), _AGAIN))
        if (known & ~again).any():
            taken.complement = _with(taken.complement, frame.rows(known & ~again))
        if not known.all():
            taken.history = _with(taken.history, frame.rows(~known))

    # -- steps of the clock

    def _hold(self, frame: Frame, timing: Timing, taken: Taken) -> None:
        """Hold rows that may be a wrong clock's, and see what is to be believed now."""
        if len(frame):
            self.held, repeated = merged([frame] if self.held is None else [self.held, frame])
            _note_repeated(frame, repeated, taken)
            self.held_alone += frame.time.tolist()
            self.contradicted = 0
        while self.held is not None:
            count = self._believed(self.held.time)
            if not count:
                break
            self._accept_held(count, timing, taken)
        if self.held is not None and self.contradicted >= _CONTRADICTED:
            taken.left_out.append(self._disbelieve())

    def _believed(self, time: Ints) -> int:
        """How many of the held times, the earliest first, are to be believed."""
        most = self._most_ahead
        if self.top >= 0 and time[0] - self.top <= most:
            return int(np.searchsorted(time, self.top + most, side="right"))
        start, steps = 0, np.diff(time)
        for end in [*np.flatnonzero(steps > most).tolist(), len(time) - 1]:
            if time[end] - time[start] >= _APART:  # others say the same: time has moved on
                return end + 1
            start = end + 1
        if _spaced(self.held_alone) < _IN_A_ROW:
            return 0
        return len(time) - int(len(steps) > 1 and steps[-1] > _FAR * steps[:-1].max())

    def _accept_held(self, count: int, timing: Timing, taken: Taken) -> None:
        assert self.held is not None  # noqa: S101 - only then something is believed
        rows, rest = self.held.rows(slice(0, count)), self.held.rows(slice(count, None))
        self.held = rest if len(rest) else None
        self._accept(rows, timing, taken)
        self.contradicted = 0

    def _disbelieve(self) -> LeftOut:
        assert self.held is not None  # noqa: S101 - asked before
        rows, self.held = self.held, None
        self.held_alone.clear()
        ahead = (int(rows.time[0]) - self.top) / 1000
        return LeftOut(Reason.TIME_FUTURE, rows, _ALONE.format(ahead))

    # -- what goes on

    def flush(self, now: int | None, timing: Timing) -> list[LeftOut]:
        """Let everything go on that waits: nothing came for long at ``now`` (ms UTC; None = the input ended).

        Rows that are held go on where ``now`` confirms them. Returns what is not believed.
        """
        taken = Taken()
        if self.held is not None:
            if self.top < 0 and now is None:
                believed = len(self.held)
            else:
                latest = self.top if now is None else now + timing.wait
                believed = int(np.searchsorted(self.held.time, latest, side="right"))
            if believed:
                self._accept_held(believed, timing, taken)
            if self.held is not None and now is None:
                taken.left_out.append(self._disbelieve())
        self.watermark = max(self.watermark, self.top)
        self._released += self._ready(timing, ended=True)
        return taken.left_out

    def release(self, timing: Timing) -> list[Frame]:
        """The rows, in order, that nothing can come before any more."""
        out = self._released + self._ready(timing, ended=False)
        self._released = []
        return out

    def _ready(self, timing: Timing, *, ended: bool) -> list[Frame]:
        ready: list[Frame] = []
        if len(self.waiting) > 1:
            self.waiting = _runs(self.waiting)
        while self.waiting and self.waiting[0].time[0] <= self.watermark:
            frame = self.waiting.pop(0)
            count = int(np.searchsorted(frame.time, self.watermark, side="right"))
            if count < len(frame):
                self.waiting.insert(0, frame.rows(slice(count, None)))
                frame = frame.rows(slice(0, count))
            self.recent.add(frame)
            ready.append(frame)
        if ready and (self.mixed or timing.grid):
            done, rest = self.grid.join(
                stacked(ready), None if ended else self.watermark, timing.wait, timing.grid
            )
            if rest is not None:
                self.waiting.insert(0, rest)
            ready = [] if done is None else [done]
        if ready:
            self.last = int(ready[-1].time[-1])
        return ready


_AGAIN = "already taken for this machine and time. Send all sensors of one time together."
_ALONE = (
    "ahead of the machine's other readings by {:.0f} s, and no other reading was near it: a jump of the "
    "sender's clock. The others went on without it."
)


def _ahead(rows: Frame, received: int, timing: Timing) -> LeftOut:
    return LeftOut(
        Reason.TIME_FUTURE,
        rows,
        f"ahead of its arrival by up to {(int(rows.time.max()) - received) / 1000:.0f} s; at most "
        f"{timing.future / 1000:.0f} s is taken (intake.future). Set the sender's clock.",
    )


def _different(times: Ints) -> int:
    """How many different ones there are of sorted times.

    >>> _different(np.array([1, 1, 2]))
    2
    """
    return int(np.count_nonzero(times[1:] != times[:-1])) + 1


def _runs(frames: list[Frame]) -> list[Frame]:
    """The frames with neighbours of the same sensors laid together: single readings come by the thousand."""
    out: list[list[Frame]] = []
    for frame in frames:
        if out and out[-1][0].sensors == frame.sensors:
            out[-1].append(frame)
        else:
            out.append([frame])
    return [stacked(run) for run in out]


def _note_repeated(frame: Frame, repeated: Bools, taken: Taken) -> None:
    """``repeated``: of the rows that were merged, of which those of ``frame`` are the last."""
    repeated = repeated[len(repeated) - len(frame) :]
    if repeated.any():
        taken.left_out.append(LeftOut(Reason.DUPLICATE, frame.rows(repeated), _AGAIN))


def _with(frame: Frame | None, more: Frame) -> Frame:
    return more if frame is None else merged([frame, more])[0]


def _spaced(times: Sequence[int]) -> int:
    """How many of ``times`` are at least `_APART` from each other.

    >>> _spaced([0, 400, 1000, 5000])
    3
    """
    count, latest = 0, None
    for time in sorted(times):
        if latest is None or time - latest >= _APART:
            count, latest = count + 1, time
    return count
