"""The way of a reading: decode ▶ admit ▶ collect or monitor ▶ results. Knows no transport and no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from detectors.batch import Batch
from streams.condition import Change
from streams.events import condition_event, limit_event, quality_event, silence_event, tells_of_silence
from streams.intake import Clock, admit
from streams.layout import Layout, align, strangers, union
from streams.monitor import Monitor
from streams.prior import Prior, short, warm
from streams.records import (
    AlarmEvent,
    AlarmPhase,
    Floats,
    Frame,
    Ints,
    Message,
    Prognosis,
    Reason,
    Rejection,
    Results,
    Scored,
    State,
    Verdict,
)
from streams.roster import Machine, WarmUp
from streams.settings import Settings
from streams.snapshot import Snapshot, SnapshotError, WaitingReadings, pack, unpack
from streams.wire import Limits, decode, encode_frame, reject

Item = Message | Frame | Rejection

#: Stands for the message of readings that a source parsed itself: it has no bytes, and came just in time.
_NO_MESSAGE = Message(b"", received=1 << 62)


@dataclass(frozen=True, slots=True)
class _Run:
    """Readings of one machine for its monitor: ``x`` (n, k) in the model's columns.

    ``extra`` holds the same readings with the sensors that the model does not know yet.
    """

    machine: Machine
    time: Ints
    x: Floats
    extra: Frame | None = None


class Pipeline:
    """All machines that one process watches.

    The same messages in the same order give the same results, however they are split into calls of
    `process`. Nothing here touches the outside world.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._limits = Limits(
            settings.kafka.max_message_bytes, settings.intake.max_sensors, settings.intake.max_readings
        )
        self._future = round(settings.intake.future * 1000)
        self._machines: dict[str, Machine] = {}
        self._monitors: dict[tuple[str, Layout], list[Monitor]] = {}
        self._changed: set[str] = set()
        self._priors: dict[str, Prior] = {}
        #: The newest event time of any machine (ms UTC); -1 = none yet.
        self.newest = -1
        #: Machines whose snapshot no longer fits the settings, and why: they learn anew.
        self.relearning: dict[str, str] = {}

    # -- readings

    def process(self, items: Sequence[Item]) -> Results:
        """Take ``items`` in order. Bad input becomes rejections; it never raises."""
        results = Results()
        work: dict[str, deque[Frame]] = {}
        for item in items:
            frame = self._take(item, results)
            if frame is not None:
                work.setdefault(frame.machine, deque()).append(frame)
        self._changed.update(work)
        while work:
            self._pass(work, results)
        results.alarms.sort(key=lambda alarm: (alarm.time, alarm.machine, alarm.id))
        return results

    def _take(self, item: Item, results: Results) -> Frame | None:
        """What is admitted of one item."""
        if isinstance(item, Rejection):
            results.rejections.append(item)
            return None
        if isinstance(item, Message):
            origin = item
            decoded, rejections = decode(item, self._limits)
            results.rejections += rejections
            if decoded is None:
                return None
            frame = decoded
        else:
            origin, frame = _NO_MESSAGE, item
        machine = self._machines.get(frame.machine) or self._newcomer(frame, origin, results)
        if machine is None:
            return None
        if origin.offset >= 0:
            if origin.offset <= machine.applied and origin.partition == machine.partition:
                return None  # its effect is in the snapshot that this machine was restored from
            machine.applied, machine.partition = origin.offset, origin.partition
            self._changed.add(machine.name)
        admitted, rejections = admit(frame, machine.clock, origin, self._future)
        self.newest = max(self.newest, machine.clock.last)
        if rejections:
            results.rejections += [self._located(one, frame, origin) for one in rejections]
        if admitted is not None:
            admitted = self._within_limits(machine, admitted, origin, results)
        return admitted

    def _newcomer(self, frame: Frame, origin: Message, results: Results) -> Machine | None:
        machine_class = self.settings.class_of(frame.machine)
        if machine_class is None:
            if self.settings.intake.machines == "listed":
                unknown = reject(
                    origin,
                    Reason.MACHINE_UNKNOWN,
                    f"{frame.machine} matches no class's pattern, and intake.machines is 'listed'. "
                    "Add it to a class's `match`, or correct the sender's name.",
                    machine=frame.machine,
                    readings=len(frame),
                )
                results.rejections.append(self._located(unknown, frame, origin))
                return None
            machine_class = next(reversed(self.settings.classes))
        machine = Machine(frame.machine, machine_class)
        self._machines[frame.machine] = machine
        return machine

    def _within_limits(
        self, machine: Machine, frame: Frame, origin: Message, results: Results
    ) -> Frame | None:
        """Without the sensors that would make the machine's model too wide."""
        known = machine.known
        new = strangers(frame.sensors, known)
        if not new:
            return frame
        if len(known) + len(new) <= self.settings.intake.max_sensors:
            machine.known = union(known, frame.sensors)
            return frame
        many = reject(
            origin,
            Reason.TOO_MANY_SENSORS,
            f"{frame.machine}: {len(new)} new sensors, the first {frame.sensors[new[0]]!r}, beside "
            f"{len(known)} known ones; at most {self.settings.intake.max_sensors} a machine "
            "(intake.max_sensors).",
            machine=frame.machine,
            sensor=frame.sensors[new[0]],
            readings=len(frame),
        )
        results.rejections.append(self._located(many, frame, origin))
        kept = tuple(name for name in frame.sensors if name in set(known))
        if not kept:
            return None
        return Frame(frame.machine, frame.time, kept, align(frame.values, frame.sensors, kept))

    @staticmethod
    def _located(rejection: Rejection, frame: Frame, origin: Message) -> Rejection:
        """A frame that a source parsed has no message: its own bytes are the original."""
        if origin is not _NO_MESSAGE:
            return rejection
        original = rejection.original or encode_frame(frame)
        return replace(rejection, original=original, received=int(frame.time[-1]))

    # -- one pass: a stretch of each machine's readings that one model can take

    def _pass(self, work: dict[str, deque[Frame]], results: Results) -> None:
        runs: dict[int, list[_Run]] = {}
        ready: list[Machine] = []
        for name in list(work):
            machine, queue = self._machines[name], work[name]
            if machine.monitor is None:
                if self._collect(machine, queue, results):
                    ready.append(machine)
            else:
                runs.setdefault(id(machine.monitor), []).append(
                    self._next_run(machine, machine.monitor, queue)
                )
            if not queue:
                del work[name]
        for group in runs.values():
            monitor = group[0].machine.monitor
            assert monitor is not None  # noqa: S101 - only machines that have one are run
            ready += self._run(monitor, group, results)
        self._begin(ready, results)

    def _room(self, machine: Machine) -> int:
        """How many readings the running warm-up still wants."""
        assert machine.warmup is not None  # noqa: S101
        warmup = self.settings.classes[machine.machine_class].learning.warmup
        if self._tries(machine):
            warmup = short(warmup)
        return max(0, warmup - len(machine.warmup))

    def _tries(self, machine: Machine) -> bool:
        """Whether the machine is to begin with what its class learned elsewhere."""
        return machine.monitor is None and not machine.cold and machine.machine_class in self._priors

    def _collect(self, machine: Machine, queue: deque[Frame], results: Results) -> bool:
        """Collect readings for the first warm-up; whether it is complete."""
        assert machine.warmup is not None  # noqa: S101
        room = self._room(machine)
        while queue and room:
            frame = _cut(queue, room)
            machine.warmup.add(frame.time, frame.sensors, frame.values)
            room -= len(frame)
            n, k = frame.values.shape
            results.scored.append(
                Scored(
                    machine.name,
                    machine.machine_class,
                    frame.time,
                    frame.sensors,
                    frame.values,
                    score=np.full(n, np.nan),
                    health=np.full(n, np.nan),
                    state=np.full(n, State.LEARNING, dtype=np.uint8),
                    contributions=np.zeros((n, k)),
                )
            )
        return room == 0

    def _next_run(self, machine: Machine, monitor: Monitor, queue: deque[Frame]) -> _Run:
        layout = monitor.sensors
        if machine.warmup is None:
            taken: list[Frame] = []
            while queue:
                new = _first_stranger(queue[0], layout)
                if new is None:
                    taken.append(queue.popleft())
                    continue
                if new:
                    taken.append(_cut(queue, new))
                break
            if len(taken) == 1:
                return _Run(machine, taken[0].time, align(taken[0].values, taken[0].sensors, layout))
            if taken:
                time = np.concatenate([frame.time for frame in taken])
                x = np.concatenate([align(frame.values, frame.sensors, layout) for frame in taken])
                return _Run(machine, time, x)
            machine.warmup = WarmUp()  # a sensor has appeared: a model that knows it warms up beside this one
        frame = _cut(queue, self._room(machine))
        wide = union(layout, frame.sensors)
        extra = Frame(frame.machine, frame.time, wide, align(frame.values, frame.sensors, wide))
        return _Run(machine, frame.time, align(frame.values, frame.sensors, layout), extra)

    def _run(self, monitor: Monitor, group: list[_Run], results: Results) -> list[Machine]:
        """Let the monitor see the readings of its machines; give the machines whose warm-up is complete."""
        if len(group) == 1:
            time, x = group[0].time, group[0].x
        else:
            time = np.concatenate([run.time for run in group])
            x = np.concatenate([run.x for run in group])
        counts = np.array([len(run.time) for run in group], dtype=np.int64)
        rows = np.array([run.machine.row for run in group], dtype=np.int64)
        batch = Batch(rows, counts, time, x)
        found = monitor.process(batch)
        ready: list[Machine] = []
        start = 0
        for run in group:
            stop = start + len(run.time)
            scored = Scored(
                run.machine.name,
                run.machine.machine_class,
                run.time,
                monitor.sensors,
                run.x,
                found.score[start:stop],
                found.health[start:stop],
                found.state[start:stop],
                found.contributions[start:stop],
            )
            start = stop
            if run.machine.open:
                self._heard(run.machine, int(run.time[0]), results)
            if run.extra is not None and run.machine.warmup is not None:
                scored = replace(
                    scored,
                    sensors=run.extra.sensors,
                    values=run.extra.values,
                    contributions=np.nan_to_num(
                        align(scored.contributions, monitor.sensors, run.extra.sensors)
                    ),
                )
                normal = scored.state == State.NORMAL
                run.machine.warmup.add(run.time[normal], run.extra.sensors, run.extra.values[normal])
                if self._room(run.machine) == 0:
                    ready.append(run.machine)
            results.scored.append(scored)
        by_row = {run.machine.row: run.machine for run in group}
        for row, change in found.changes:
            self._emit(by_row[row], self._condition(by_row[row], monitor, change, time), results)
        for transition in found.quality:
            machine = by_row[transition.row]
            event = quality_event(machine.name, machine.machine_class, monitor.sensors, transition)
            self._emit(machine, event, results)
        for crossing in found.limits:
            machine = by_row[crossing.row]
            event = limit_event(machine.name, machine.machine_class, monitor.sensors, crossing)
            self._emit(machine, event, results)
        for one in found.prognoses:
            machine = by_row[one.row]
            results.prognoses.append(
                Prognosis(
                    machine.name,
                    machine.machine_class,
                    one.time,
                    one.health,
                    one.threshold,
                    one.remaining,
                    one.low,
                    one.high,
                )
            )
        return ready

    @staticmethod
    def _condition(machine: Machine, monitor: Monitor, change: Change, time: Ints) -> AlarmEvent:
        return condition_event(
            machine.name,
            machine.machine_class,
            monitor.sensors,
            change,
            int(time[change.index]),
            monitor.settings.alarm.threshold,
        )

    def _heard(self, machine: Machine, time: int, results: Results) -> None:
        """A machine that was silent speaks again."""
        for event in list(machine.open.values()):
            if tells_of_silence(event):
                self._emit(machine, replace(event, phase=AlarmPhase.CLEARED, time=time), results)

    def silent(self, now: int) -> Results:
        """Alarms of machines from which nothing has come for long, at ``now`` (ms UTC); each once.

        The one thing that no reading can tell, so that the runner asks for it (`streams.silence`).
        """
        results = Results()
        watched: dict[int, list[Machine]] = {}
        for machine in self._machines.values():
            if machine.monitor is not None:
                watched.setdefault(id(machine.monitor), []).append(machine)
        for group in watched.values():
            monitor = group[0].monitor
            assert monitor is not None  # noqa: S101 - only such are in a group
            waited = monitor.quality.silent(np.array([m.row for m in group], dtype=np.int64), now)
            for at in np.flatnonzero(waited).tolist():
                one = group[at]
                event = silence_event(one.name, one.machine_class, one.clock.last, int(waited[at]))
                if event.id not in one.open:
                    self._emit(one, event, results)
                    self._changed.add(one.name)
        return results

    @staticmethod
    def _emit(machine: Machine, event: AlarmEvent, results: Results) -> None:
        if event.phase is AlarmPhase.RAISED:
            machine.open[event.id] = event
        else:
            machine.open.pop(event.id, None)
        results.alarms.append(event)

    # -- models

    def _monitor(self, machine_class: str, layout: Layout) -> Monitor:
        """One with room for a machine. They are bounded, so that a growing fleet is never copied whole."""
        monitors = self._monitors.setdefault((machine_class, layout), [])
        for monitor in monitors:
            if monitor.room:
                return monitor
        monitors.append(Monitor(self.settings.classes[machine_class], layout))
        return monitors[-1]

    def _begin(self, ready: Iterable[Machine], results: Results) -> None:
        """Give each machine whose warm-up is complete a model that knows the sensors seen in it."""
        groups: dict[tuple[str, Layout], list[tuple[Machine, Ints, Floats]]] = {}
        for machine in ready:
            assert machine.warmup is not None  # noqa: S101
            if self._tries(machine) and not self._warm_start(machine, results):
                machine.cold = True  # it goes on collecting
            if machine.warmup is None or self._room(machine):
                continue
            layout, x = machine.warmup.seen()
            time, machine.warmup = machine.warmup.time, None
            if machine.monitor is None and not layout:
                machine.warmup = WarmUp()  # nothing was measured yet
            elif machine.monitor is None or not set(layout) <= set(machine.layout):
                groups.setdefault((machine.machine_class, layout), []).append((machine, time, x))
        for (machine_class, layout), waiting in groups.items():
            while waiting:
                monitor = self._monitor(machine_class, layout)
                group, waiting = waiting[: monitor.room], waiting[monitor.room :]
                self._place(monitor, group, results)

    def _place(self, monitor: Monitor, group: list[tuple[Machine, Ints, Floats]], results: Results) -> None:
        """Let ``monitor`` begin with machines and their first readings."""
        rows = [monitor.place(machine.name) for machine, _, _ in group]
        transitions = monitor.begin(
            Batch(
                np.array(rows, dtype=np.int64),
                np.array([len(time) for _, time, _ in group], dtype=np.int64),
                np.concatenate([time for _, time, _ in group]),
                np.concatenate([x for _, _, x in group]),
            )
        )
        for (machine, time, _), row in zip(group, rows, strict=True):
            self._move(machine, monitor, row, int(time[-1]), results)
        by_row = {machine.row: machine for machine, _, _ in group}
        for transition in transitions:
            machine = by_row[transition.row]
            event = quality_event(machine.name, machine.machine_class, monitor.sensors, transition)
            self._emit(machine, event, results)

    def _warm_start(self, machine: Machine, results: Results) -> bool:
        """Begin with the reference of its class's prior that fits; False = none does."""
        prior = self._priors[machine.machine_class]
        assert machine.warmup is not None  # noqa: S101
        layout, x = machine.warmup.seen()
        if set(layout) != set(prior.sensors):
            return False
        time = machine.warmup.time
        x = align(x, layout, prior.sensors)
        monitor = self._monitor(machine.machine_class, prior.sensors)
        if tuple(detector.kind for detector in monitor.detectors) != prior.detectors:
            return False
        row = monitor.place(machine.name)
        batch = Batch(np.array([row], dtype=np.int64), np.array([len(time)], dtype=np.int64), time, x)
        if not warm(prior, monitor.detectors, monitor.calibrators, monitor.weights, row, batch):
            monitor.release(row)
            return False
        machine.warmup = None
        transitions = monitor.begin(batch)
        self._move(machine, monitor, row, int(time[-1]), results)
        for transition in transitions:
            event = quality_event(machine.name, machine.machine_class, monitor.sensors, transition)
            self._emit(machine, event, results)
        return True

    def _move(self, machine: Machine, monitor: Monitor, row: int, time: int, results: Results) -> None:
        """Let ``monitor`` watch ``machine`` from now on; health and prognosis go along."""
        old, old_row = machine.monitor, machine.row
        machine.monitor, machine.row = monitor, row
        waiting, machine.verdicts = machine.verdicts, ()
        for verdict in waiting:
            monitor.take(row, verdict)
        if old is None:
            return
        for name in ("health", "prognosis"):
            monitor.stages[name].load(row, old.stages[name].dump(old_row))
        old.release(old_row)
        for event in list(machine.open.values()):
            ended = replace(
                event, phase=AlarmPhase.CLEARED, time=time, detail=f"{event.detail} (watched anew)"
            )
            self._emit(machine, ended, results)

    # -- what was learned elsewhere

    def adopt(self, prior: Prior) -> None:
        """Let new machines of a class begin with what machines elsewhere have learned (docs/feedback.md)."""
        self._priors[prior.machine_class] = prior

    def watched(self, machine_class: str) -> list[Machine]:
        """The machines of a class."""
        return [one for one in self._machines.values() if one.machine_class == machine_class]

    # -- what crews say

    def feedback(self, verdict: Verdict) -> bool:
        """Let a machine's model learn from a crew's verdict (docs/feedback.md).

        In its first warm-up a machine keeps it until there is a model. False when there is nothing to learn:
        the machine is not watched here, or the verdict was taken before.
        """
        machine = self._machines.get(verdict.machine)
        if machine is None:
            return False
        if machine.monitor is None:
            taken = machine.keep(verdict)
        else:
            taken = machine.monitor.take(machine.row, verdict)
        if taken:
            self._changed.add(machine.name)
        return taken

    # -- snapshots

    @property
    def machines(self) -> int:
        """How many machines are watched."""
        return len(self._machines)

    def names(self) -> list[str]:
        """The machines that are watched."""
        return list(self._machines)

    def offset_of(self, machine: str) -> int:
        """The offset of the last message that went into the machine's state; -1 = none."""
        known = self._machines.get(machine)
        return -1 if known is None else known.applied

    def partition_of(self, machine: str) -> int:
        """The partition that the machine's messages come from; -1 = none yet."""
        known = self._machines.get(machine)
        return -1 if known is None or known.applied < 0 else known.partition

    def changed(self) -> list[str]:
        """Machines that changed since their last `dump`."""
        return sorted(self._changed)

    def dump(self, machine: str) -> bytes:
        """The machine's whole state. Raises KeyError for one that is not here."""
        known = self._machines[machine]
        waiting = known.warmup
        snapshot = Snapshot(
            machine=known.name,
            machine_class=known.machine_class,
            partition=known.partition,
            offset=known.applied,
            last=known.clock.last,
            recent=known.clock.recent,
            layout=known.layout,
            stages={} if known.monitor is None else known.monitor.dump(known.row),
            warmup=None if waiting is None else WaitingReadings(waiting.layout, waiting.time, waiting.x),
            open=tuple(known.open.values()),
            verdicts=known.verdicts,
        )
        self._changed.discard(machine)
        return pack(snapshot)

    def restore(self, data: bytes) -> str:
        """Take up a machine's state where `dump` left it; give its name.

        Raises `SnapshotError` when the bytes cannot be read. When they can but no longer fit the settings
        (other detectors, another class), the machine keeps its place in the topic and learns anew: see
        `relearning`.
        """
        saved = unpack(data)
        machine_class = self.settings.class_of(saved.machine) or next(reversed(self.settings.classes))
        machine = Machine(saved.machine, machine_class, Clock(saved.last, saved.recent), saved.offset)
        machine.partition = saved.partition
        self.forget(saved.machine)
        self.relearning.pop(saved.machine, None)
        if saved.warmup is None:
            machine.warmup = None
        else:
            machine.warmup = WarmUp(saved.warmup.layout, saved.warmup.time, saved.warmup.x)
        machine.known = union(saved.layout, machine.warmup.layout if machine.warmup else ())
        machine.open = {event.id: event for event in saved.open}
        machine.verdicts = saved.verdicts
        if saved.layout:
            monitor = self._monitor(machine_class, saved.layout)
            row = monitor.place(saved.machine)
            try:
                if machine_class != saved.machine_class:
                    raise ValueError(f"its class was {saved.machine_class!r} and is {machine_class!r} now")
                monitor.load(row, saved.stages)
                machine.monitor, machine.row = monitor, row
            except (KeyError, ValueError) as error:
                monitor.release(row)
                machine.warmup = WarmUp()  # its open alarms are cleared when the new model begins
                self.relearning[saved.machine] = f"{type(error).__name__}: {error}"
        elif machine.warmup is None:
            raise SnapshotError(f"{saved.machine}: the snapshot holds neither a model nor a warm-up.")
        self._machines[saved.machine] = machine
        return saved.machine

    def forget(self, machine: str) -> None:
        """Let go of a machine that another worker watches now."""
        known = self._machines.pop(machine, None)
        self._changed.discard(machine)
        if known is not None and known.monitor is not None:
            known.monitor.release(known.row)


def _cut(queue: deque[Frame], most: int) -> Frame:
    """Take at most ``most`` readings off the front of the queue."""
    frame = queue[0]
    if len(frame) <= most:
        return queue.popleft()
    queue[0] = Frame(frame.machine, frame.time[most:], frame.sensors, frame.values[most:])
    return Frame(frame.machine, frame.time[:most], frame.sensors, frame.values[:most])


def _first_stranger(frame: Frame, layout: Layout) -> int | None:
    """The first reading with a value of a sensor that ``layout`` lacks."""
    new = strangers(frame.sensors, layout)
    if not new:
        return None
    there = np.isfinite(frame.values[:, list(new)]).any(axis=1)
    return int(np.argmax(there)) if there.any() else None
