"""The way of a reading: decode ▶ admit ▶ collect or monitor ▶ results. Knows no transport and no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from detectors.batch import Batch, Bools
from detectors.quality.quality import QualityTransition
from pipeline.admission.admission import Admission, Arrival, Item
from pipeline.admission.registry import Machine, Registry, WarmUp
from pipeline.admission.rows import stacked
from pipeline.condition import Change
from pipeline.events import (
    condition_event,
    limit_code,
    limit_event,
    moved_event,
    quality_event,
    silence_event,
    tells_of_silence,
)
from pipeline.layout import Layout, align, strangers, union
from pipeline.monitor import Monitor
from pipeline.records import (
    AlarmEvent,
    AlarmKind,
    Floats,
    Frame,
    Ints,
    Prognosis,
    Results,
    Scored,
    State,
    Verdict,
)
from pipeline.settings import PipelineSettings
from pipeline.snapshots.saving import restored, saved
from pipeline.snapshots.snapshot import pack, unpack
from pipeline.spreading.prior import Prior, short, warm


@dataclass(frozen=True, slots=True)
class _Run:
    """Readings of one machine for its monitor: ``x`` (n, k) in the model's columns.

    ``extra`` holds the same readings with the sensors that the model does not know yet.
    """

    machine: Machine
    time: Ints
    x: Floats
    extra: Frame | None = None
    uncertain: Bools | None = None


class Pipeline:
    """All machines that one process watches.

    The same messages in the same order give the same results, however they are split into calls of
    `process`. Nothing here touches the outside world.
    """

    def __init__(self, settings: PipelineSettings) -> None:
        self.settings = settings
        self._registry = Registry()
        self._admission = Admission(settings, self._registry)
        self._monitors: dict[tuple[str, str, Layout], list[Monitor]] = {}
        self._priors: dict[str, Prior] = {}
        #: Machines whose snapshot no longer fits the settings, and why: they learn again.
        self.relearning: dict[str, str] = {}
        #: Machines that were taken up under settings that may not know their open alarms any more.
        self._taken_up: set[str] = set()

    @property
    def newest(self) -> int:
        """The newest event time of any machine (ms UTC); -1 = none yet."""
        return self._admission.newest

    # -- readings

    def process(self, items: Sequence[Item]) -> Results:
        """Take ``items`` in order. Bad input becomes rejections; it never raises."""
        results = Results()
        self._end_obsolete(results)
        touched: dict[str, Machine] = {}
        for item in items:
            arrival = self._admission.admit(item, results)
            if arrival is None:
                continue
            machine = arrival.machine
            touched[machine.name] = machine
            if arrival.history is not None or arrival.complement is not None:
                # with the models as they stand there, wherever the batch began
                self._go_on([touched.pop(machine.name)], results)
                self._take_late(arrival, results)
        self._go_on(touched.values(), results)
        return self._sorted(results)

    def finish(self) -> Results:
        """The input has ended: what still waits for stragglers goes on."""
        results = Results()
        self._go_on(self._admission.flush(results), results)
        return self._sorted(results)

    def let_go(self, now: int) -> Results:
        """Let go on what has waited long enough, by the clock, at ``now`` (ms UTC).

        Of machines from which nothing comes, no reading can tell. To be asked every second or so, when
        nothing that has arrived waits to be worked on.
        """
        results = Results()
        self._end_obsolete(results)
        self._go_on(self._admission.flush_quiet(now, results), results)
        return self._sorted(results)

    @property
    def waits(self) -> bool:
        """Whether any reading waits for stragglers."""
        return any(machine.order.waits for machine in self._registry)

    @staticmethod
    def _sorted(results: Results) -> Results:
        results.alarms.sort(key=lambda alarm: (alarm.time, alarm.machine, alarm.id))
        return results

    def _go_on(self, machines: Iterable[Machine], results: Results) -> None:
        """Let the rows of ``machines`` go on that nothing can come before any more."""
        work: dict[str, deque[Frame]] = {}
        for machine in machines:
            released = machine.order.release(self._admission.timing)
            if released:
                work[machine.name] = deque(released)
        while work:
            self._pass(work, results)

    def _take_late(self, arrival: Arrival, results: Results) -> None:
        """Store what came too late for the models, scored with the models as they stand."""
        machine = arrival.machine
        for frame, scores in ((arrival.history, True), (arrival.complement, False)):
            if frame is None:
                continue
            n, k = frame.values.shape
            late = Scored(
                machine=machine.name,
                machine_class=machine.machine_class,
                time=frame.time,
                sensors=frame.sensors,
                values=frame.values,
                score=np.full(n, np.nan),
                health=np.full(n, np.nan),
                state=np.full(n, State.LEARNING, dtype=np.uint8),
                contributions=np.zeros((n, k)),
            )
            if not scores:
                results.complements.append(late)
                continue
            if machine.monitor is not None:
                layout = machine.monitor.sensors
                x = align(frame.values, frame.sensors, layout)
                rows, counts = np.array([machine.row]), np.array([n], dtype=np.int64)
                found = machine.monitor.look_back(Batch(rows, counts, frame.time, x))
                shares = np.nan_to_num(align(found.contributions, layout, frame.sensors))
                late = replace(late, score=found.score, state=found.state, contributions=shares)
            results.history.append(late)

    # -- one pass: a stretch of each machine's readings that one model can take

    def _pass(self, work: dict[str, deque[Frame]], results: Results) -> None:
        runs: dict[int, list[_Run]] = {}
        ready: list[Machine] = []
        for name in list(work):
            machine, queue = self._registry[name], work[name]
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
        warmup = self.settings.classes[machine.machine_class].warmup_for(len(machine.warmup.layout))
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
                    machine=machine.name,
                    machine_class=machine.machine_class,
                    time=frame.time,
                    sensors=frame.sensors,
                    values=frame.values,
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
                one = taken[0]
                x = align(one.values, one.sensors, layout)
                return _Run(machine, one.time, x, uncertain=_uncertain(one, layout))
            if taken:
                time = np.concatenate([frame.time for frame in taken])
                x = np.concatenate([align(frame.values, frame.sensors, layout) for frame in taken])
                return _Run(machine, time, x, uncertain=_uncertain(stacked(taken), layout))
            machine.warmup = WarmUp()  # a sensor has appeared: a model that knows it warms up beside this one
        frame = _cut(queue, self._room(machine))
        wide = union(layout, frame.sensors)
        extra = Frame(frame.machine, frame.time, wide, align(frame.values, frame.sensors, wide))
        x = align(frame.values, frame.sensors, layout)
        return _Run(machine, frame.time, x, extra, _uncertain(frame, layout))

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
        uncertain = None
        if any(run.uncertain is not None for run in group):
            uncertain = np.concatenate(
                [
                    np.zeros(run.x.shape, dtype=np.bool_) if run.uncertain is None else run.uncertain
                    for run in group
                ]
            )
        found = monitor.process(batch, uncertain)
        ready: list[Machine] = []
        start = 0
        for run in group:
            stop = start + len(run.time)
            scored = Scored(
                machine=run.machine.name,
                machine_class=run.machine.machine_class,
                time=run.time,
                sensors=monitor.sensors,
                values=run.x,
                score=found.score[start:stop],
                health=found.health[start:stop],
                state=found.state[start:stop],
                contributions=found.contributions[start:stop],
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
            by_row[row].record(self._condition(by_row[row], monitor, change, time), results)
        for row, move in found.moves:
            machine, threshold = by_row[row], monitor.settings.alarm.threshold
            event = moved_event(machine.name, machine.machine_class, monitor.sensors, move, threshold)
            machine.record(event, results)
        for transition in found.quality:
            _record_quality(by_row[transition.row], monitor, transition, results)
        for crossing in found.limits:
            machine = by_row[crossing.row]
            event = limit_event(machine.name, machine.machine_class, monitor.sensors, crossing)
            machine.record(event, results)
        for prognosis in found.prognoses:
            machine = by_row[prognosis.row]
            results.prognoses.append(
                Prognosis(
                    machine.name,
                    machine.machine_class,
                    prognosis.time,
                    prognosis.health,
                    prognosis.threshold,
                    prognosis.remaining,
                    prognosis.low,
                    prognosis.high,
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
                machine.clear(event, time, results)

    def silent(self, now: int) -> Results:
        """Alarms of machines from which nothing has come for long, at ``now`` (ms UTC); each once.

        The one thing that no reading can tell, so that the runner asks for it (`streams.embedded.silence`).
        """
        results = Results()
        watched: dict[int, list[Machine]] = {}
        for machine in self._registry:
            if machine.monitor is not None:
                watched.setdefault(id(machine.monitor), []).append(machine)
        for group in watched.values():
            monitor = group[0].monitor
            assert monitor is not None  # noqa: S101 - only such are in a group
            waited = monitor.quality.silent(np.array([m.row for m in group], dtype=np.int64), now)
            for at in np.flatnonzero(waited).tolist():
                one = group[at]
                event = silence_event(one.name, one.machine_class, one.order.last, int(waited[at]))
                if event.id not in one.open:
                    one.record(event, results)
                    self._registry.touch(one.name)
        return results

    # -- other settings

    def reconfigure(self) -> None:
        """Go on by what stands in the settings now: classes, machines, limits.

        Machines keep their models, unless those do not fit any more (`relearning` says which and why). Alarms
        whose limit is gone are cleared with the next results.
        """
        self._admission.reconfigure()
        self._monitors = {}
        changed: list[Machine] = []
        for machine in self._registry:
            machine_class = self._admission.class_of(machine.name)
            monitor = machine.monitor
            if machine_class != machine.machine_class:
                machine.machine_class = machine_class
                self._registry.touch(machine.name)
            elif monitor is None or monitor.settings == self.settings.class_for(machine.name, machine_class):
                if monitor is not None:
                    alike = self._monitors.setdefault(self._key(machine, monitor.sensors), [])
                    alike += [monitor] if monitor not in alike else []
                continue
            if monitor is not None:
                changed.append(machine)
        for machine in changed:
            self._change_over(machine)

    def _change_over(self, machine: Machine) -> None:
        """Let the machine's model go on in a monitor of the settings as they are now."""
        old = machine.monitor
        assert old is not None  # noqa: S101 - only machines that have one are changed over
        stages = old.dump(machine.row)
        old.release(machine.row)
        machine.monitor = None
        self._registry.touch(machine.name)
        self._taken_up.add(machine.name)
        self.relearning.pop(machine.name, None)
        monitor = self._monitor(machine.name, machine.machine_class, old.sensors)
        try:
            if monitor.units != old.units:
                raise ValueError("its values come in other units now")
            machine.row = monitor.adopt_saved(machine.name, stages)
            machine.monitor = monitor
        except (KeyError, ValueError) as error:
            machine.warmup = WarmUp()
            self.relearning[machine.name] = f"{type(error).__name__}: {error}"

    def _end_obsolete(self, results: Results) -> None:
        """Clear the alarms that the settings took away while nobody could tell: of limits, or of a model."""
        names, self._taken_up = sorted(self._taken_up), set()
        for name in names:
            machine = self._registry.get(name)
            if machine is None:
                continue
            standing: set[tuple[str, str]] | None = None
            if machine.monitor is not None:
                raised = machine.monitor.limits.raised(machine.row)
                standing = {(machine.monitor.sensors[one.sensor], limit_code(one.name)) for one in raised}
            for event in list(machine.open.values()):
                of_limit = event.kind is AlarmKind.LIMIT
                if standing is None or (of_limit and (event.sensor, event.code) not in standing):
                    ended = max(event.time, machine.order.last)
                    machine.clear(event, ended, results)
                    self._registry.touch(name)

    # -- models

    def _monitor(self, machine: str, machine_class: str, layout: Layout) -> Monitor:
        """One with room for ``machine``. They are bounded, so that a growing fleet is never copied whole.

        Machines of a class share monitors, but for those with sensors of their own.
        """
        monitors = self._monitors.setdefault((machine_class, self._own(machine), layout), [])
        for monitor in monitors:
            if monitor.room:
                return monitor
        monitors.append(Monitor(self.settings.class_for(machine, machine_class), layout))
        return monitors[-1]

    def _key(self, machine: Machine, layout: Layout) -> tuple[str, str, Layout]:
        return machine.machine_class, self._own(machine.name), layout

    def _own(self, machine: str) -> str:
        """What is otherwise with ``machine`` than with its class, as a key; "" = nothing."""
        own = self.settings.machines.get(machine)
        return own.model_dump_json(include={"sensors"}) if own is not None and own.sensors else ""

    def _begin(self, ready: Iterable[Machine], results: Results) -> None:
        """Give each machine whose warm-up is complete a model that knows the sensors seen in it."""
        groups: dict[tuple[str, str, Layout], list[tuple[Machine, Ints, Floats]]] = {}
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
                groups.setdefault(self._key(machine, layout), []).append((machine, time, x))
        for (machine_class, _, layout), waiting in groups.items():
            while waiting:
                monitor = self._monitor(waiting[0][0].name, machine_class, layout)
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
            _record_quality(by_row[transition.row], monitor, transition, results)

    def _warm_start(self, machine: Machine, results: Results) -> bool:
        """Begin with the reference of its class's prior that fits; False = none does."""
        prior = self._priors[machine.machine_class]
        assert machine.warmup is not None  # noqa: S101
        layout, x = machine.warmup.seen()
        if set(layout) != set(prior.sensors):
            return False
        time = machine.warmup.time
        x = align(x, layout, prior.sensors)
        monitor = self._monitor(machine.name, machine.machine_class, prior.sensors)
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
            _record_quality(machine, monitor, transition, results)
        return True

    def _move(self, machine: Machine, monitor: Monitor, row: int, time: int, results: Results) -> None:
        """Let ``monitor`` watch ``machine`` from now on; health and prognosis go along."""
        old, old_row = machine.monitor, machine.row
        machine.monitor, machine.row = monitor, row
        waiting, machine.verdicts = machine.verdicts, ()
        for verdict in waiting:
            monitor.apply(row, verdict)
        if old is None:
            return
        for name in ("health", "prognosis"):
            monitor.stages[name].load(row, old.stages[name].dump(old_row))
        old.release(old_row)
        for event in list(machine.open.values()):
            machine.clear(event, time, results)

    # -- machines that are gone, renamed, or whose topic was made again

    def retire(self, machine: str, time: int) -> Results:
        """Let go of a machine for good at ``time`` (ms UTC): its open alarms are cleared."""
        results = Results()
        known = self._registry.get(machine)
        if known is not None:
            for event in list(known.open.values()):
                known.clear(event, max(time, event.time), results)
            self.forget(machine)
        return results

    def long_gone(self, now: int) -> list[str]:
        """Machines without a reading for ``intake.retire`` days at ``now`` (ms UTC)."""
        oldest = now - round(self.settings.intake.retire * 86_400_000)
        return sorted(one.name for one in self._registry if 0 <= one.order.last < oldest)

    def adopt_saved(self, data: bytes, machine: str, partition: int | None = None) -> bool:
        """Let ``machine`` go on with a state from another place; False when it has a model already.

        The state may be of another name, whose alarms do not come along. The machine's own place in its
        topic stays; ``partition`` is where its messages come from. Raises `SnapshotError`.
        """
        here = self._registry.get(machine)
        if here is not None and here.monitor is not None:
            return False
        known = -1 if here is None else here.partition
        place = known if partition is None else partition
        applied = -1 if here is None or known != place else here.applied
        state = unpack(data)
        if state.machine != machine:
            state = replace(state, machine=machine, open=())
        self.restore(pack(state))
        self.rewind(machine, applied, place)
        self._registry.touch(machine)
        return True

    def rewind(self, machine: str, applied: int = -1, partition: int = -1) -> None:
        """The machine's last message is ``applied`` from now on: its topic begins again, or is another."""
        known = self._registry[machine]
        known.applied, known.partition = applied, partition

    # -- what was learned elsewhere

    def adopt(self, prior: Prior) -> None:
        """Let new machines of a class begin with what machines elsewhere have learned (docs/feedback.md)."""
        self._priors[prior.machine_class] = prior

    def watched(self, machine_class: str) -> list[Machine]:
        """The machines of a class."""
        return [one for one in self._registry if one.machine_class == machine_class]

    # -- what crews say

    def feedback(self, verdict: Verdict) -> bool:
        """Let a machine's model learn from a crew's verdict (docs/feedback.md).

        In its first warm-up a machine keeps it until there is a model. False when there is nothing to learn:
        the machine is not watched here, or the verdict was taken before.
        """
        machine = self._registry.get(verdict.machine)
        if machine is None:
            return False
        if machine.monitor is None:
            taken = machine.keep(verdict)
        else:
            taken = machine.monitor.apply(machine.row, verdict)
        if taken:
            self._registry.touch(machine.name)
        return taken

    # -- snapshots

    @property
    def machines(self) -> int:
        """How many machines are watched."""
        return len(self._registry)

    def machine(self, name: str) -> Machine:
        """What is known of a machine. Raises KeyError for one that is not watched."""
        return self._registry[name]

    def names(self) -> list[str]:
        """The machines that are watched."""
        return [machine.name for machine in self._registry]

    def offset_of(self, machine: str) -> int:
        """The offset of the last message that went into the machine's state; -1 = none."""
        known = self._registry.get(machine)
        return -1 if known is None else known.applied

    def partition_of(self, machine: str) -> int:
        """The partition that the machine's messages come from; -1 = none yet."""
        known = self._registry.get(machine)
        return -1 if known is None else known.partition

    def changed(self) -> list[str]:
        """Machines that changed since their last `dump`."""
        return self._registry.changed()

    def dump(self, machine: str) -> bytes:
        """The machine's whole state. Raises KeyError for one that is not here."""
        self._registry.settle(machine)
        return saved(self._registry[machine])

    def restore(self, data: bytes) -> str:
        """Take up a machine's state where `dump` left it; give its name.

        Raises `SnapshotError` when the bytes cannot be read. When they can but no longer fit the settings
        (other detectors, another class), the machine keeps its place in the topic and learns again: see
        `relearning`.
        """
        snapshot = unpack(data)
        self.forget(snapshot.machine)
        self.relearning.pop(snapshot.machine, None)
        machine, trouble = restored(snapshot, self.settings, self._monitor)
        if trouble:
            self.relearning[machine.name] = trouble
        self._registry.add(machine)
        if machine.open:
            self._taken_up.add(machine.name)
        return machine.name

    def forget(self, machine: str) -> None:
        """Let go of a machine that another worker watches now."""
        known = self._registry.remove(machine)
        if known is not None and known.monitor is not None:
            known.monitor.release(known.row)


def _record_quality(
    machine: Machine, monitor: Monitor, transition: QualityTransition, results: Results
) -> None:
    """Record that a sensor of ``machine`` can no longer be trusted, or can be again."""
    event = quality_event(machine.name, machine.machine_class, monitor.sensors, transition)
    machine.record(event, results)


def _cut(queue: deque[Frame], most: int) -> Frame:
    """Take at most ``most`` readings off the front of the queue."""
    frame = queue[0]
    if len(frame) <= most:
        return queue.popleft()
    queue[0] = frame.rows(slice(most, None))
    return frame.rows(slice(0, most))


def _uncertain(frame: Frame, layout: Layout) -> Bools | None:
    """Which cells of ``layout`` (n, k) are uncertain; None = none is."""
    if frame.uncertain is None:
        return None
    return np.asarray(align(frame.uncertain.astype(np.float64), frame.sensors, layout) == 1.0)


def _first_stranger(frame: Frame, layout: Layout) -> int | None:
    """The first reading with a value of a sensor that ``layout`` lacks."""
    new = strangers(frame.sensors, layout)
    if not new:
        return None
    there = np.isfinite(frame.values[:, list(new)]).any(axis=1)
    return int(np.argmax(there)) if there.any() else None
