"""Can a sensor be trusted? Stuck, missing, spiking, saturated and drifting sensors, and gaps in time.

A sensor is judged against its own history, never against fixed numbers: a constant that was always
constant is healthy, a column that is often missing is allowed to be. What is judged bad is masked for the
detectors, so that a broken sensor is not taken for a broken machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from detectors.base import State
from detectors.batch import Batch, Bools, Floats, Ints
from detectors.recurrence import last_index, latched, smoothed
from detectors.sensor_drift import SensorDrift
from detectors.table import Column, FleetTable


class Fault(StrEnum):
    """What is wrong with a sensor (with the whole machine's data for `GAP`)."""

    STUCK = "stuck"
    DROPOUT = "dropout"
    SPIKES = "spikes"
    SATURATED = "saturated"
    DRIFT = "drift"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class QualityTransition:
    """A fault of sensor column ``sensor`` begins or ends (``raised``) at reading ``index`` of the batch.

    ``sensor`` is -1 for a fault of all the machine's data (`Fault.GAP`). ``onset`` and ``time`` are event
    times (ms): when the fault began, and when it was noticed or ended.
    """

    row: int
    index: int
    sensor: int
    kind: str
    raised: bool
    onset: int
    time: int
    detail: str


@dataclass(frozen=True, slots=True)
class Checked:
    """``ok`` (n, k): which cells may be used; and the faults that began or ended, in the batch's order."""

    ok: Bools
    transitions: list[QualityTransition]


@dataclass(frozen=True, slots=True)
class _Runs:
    """How long values have stood still or been away, (n, k) each."""

    valid: Bools
    previous: Floats  # the value before this reading
    run: Ints  # readings with the latest value
    since: Ints  # event time of the first of them
    missing: Ints  # readings since the last value
    missing_since: Ints
    moving: bool = False  # nothing is missing, and every value differs from the one before


_CELL_FAULTS = (Fault.STUCK, Fault.DROPOUT, Fault.SPIKES, Fault.SATURATED, Fault.DRIFT)
_RARE = float(np.log(1e-9))  # a run this unlikely is a fault
_ODD = float(np.log(1e-4))  # a run this unlikely is masked meanwhile


class FleetQuality(FleetTable):
    """Judges every cell of machines with ``width`` sensors; see docs/quality.md.

    ``low`` and ``high`` (k,) are the ends of the sensors' measuring range, NaN = not known. In a machine's
    first ``settle`` ms no sensor is said to drift, and never one that is a ``symptom`` (k,): vibration that
    rises alone is how wear begins.
    """

    def __init__(
        self,
        width: int,
        low: Floats | None = None,
        high: Floats | None = None,
        settle: int = 0,
        symptom: Bools | None = None,
    ) -> None:
        each = (width,)
        nan = float("nan")
        super().__init__(
            {
                # where checking stands
                "last": Column(each, nan),
                "before": Column(each, nan),
                "run": Column(each, 0),
                "since": Column(each, 0),
                "missing": Column(each, 0),
                "missing_since": Column(each, 0),
                "spiking": Column(each, 0.0),
                "missed": Column(each, 0.0),
                "at_rail": Column(each, 0),
                "time": Column((), -1),
                "rested": Column(each, 0),
                "paused": Column((), 0.0),
                "faulty": Column((len(_CELL_FAULTS), width), False),
                "onset": Column((len(_CELL_FAULTS), width), 0),
                "gap": Column((), False),
                "gap_onset": Column((), 0),
                # what was learned
                "pairs": Column(each, 0.0),
                "repeats": Column(each, 0.0),
                "longest": Column(each, 0),
                "readings": Column((), 0.0),
                "absent": Column(each, 0.0),
                "longest_absence": Column(each, 0),
                "step": Column(each, 0.0),
                "lowest": Column(each, float("inf")),
                "highest": Column(each, -float("inf")),
                "pace": Column((), 0.0),
                "pace_weight": Column((), 0.0),
                "longest_dt": Column((), 0.0),
                # where learning stands
                "learned_last": Column(each, nan),
                "learned_run": Column(each, 0),
                "learned_missing": Column(each, 0),
                "learned_time": Column((), -1),
            }
        )
        self.width = width
        self.drift = SensorDrift(width, settle, symptom)
        self.low = np.full(width, -np.inf) if low is None else np.where(np.isnan(low), -np.inf, low)
        self.high = np.full(width, np.inf) if high is None else np.where(np.isnan(high), np.inf, high)

    # -- life cycle

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        super().resize(capacity)
        self.drift.resize(capacity)

    def reset(self, row: int, seed: int) -> None:
        """Know nothing of ``row``."""
        super().reset(row, seed)
        self.drift.reset(row, seed)

    def dump(self, row: int) -> State:
        """Where checking stands, and what was learned."""
        return super().dump(row) | {f"drift_{k}": v for k, v in self.drift.dump(row).items()}

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when it is of another layout."""
        super().load(row, {k: v for k, v in state.items() if not k.startswith("drift_")})
        self.drift.load(row, {k[6:]: v for k, v in state.items() if k.startswith("drift_")})

    # -- checking

    def check(self, batch: Batch) -> Checked:
        """Judge each cell of the batch, and say which faults began or ended."""
        if not len(batch):
            return Checked(np.ones((0, self.width), dtype=bool), [])
        rows, x, own = batch.row_of, batch.x, batch.rows
        runs = self._runs(batch, "last", "run", "missing")
        column_of = batch.column_of
        pairs, repeats, longest = self["pairs"][own], self["repeats"][own], self["longest"][own]
        chance = (repeats + 1.0) / (pairs + 2.0)
        known = ((pairs - repeats >= 3.0) & (pairs >= 50.0))[column_of]
        patience = self._patience(batch, runs, known)
        limit = np.maximum(30.0, np.maximum(4.0 * longest, _RARE / np.log(chance)))[column_of]
        odd = np.maximum(12.0, np.maximum(1.5 * longest, _ODD / np.log(chance)))[column_of]
        stuck = runs.valid & known & (runs.run >= limit * patience)
        doubtful = runs.valid & known & (runs.run >= odd * patience)

        absent, readings = self["absent"][own], self["readings"][own][:, None]
        away = (absent + 1.0) / (readings + 2.0)
        absence = np.maximum(5.0, np.maximum(3.0 * self["longest_absence"][own], _RARE / np.log(away)))
        was_there = (readings - absent >= 20.0)[column_of]
        missed = smoothed(batch, np.where(runs.valid, 0.0, 1.0), self["missed"][own], 1.0 / 64.0)
        often = np.maximum(0.3, 3.0 * away)[column_of]
        dropped = was_there & ((runs.missing >= absence[column_of]) | (missed > often))

        spike = self._spikes(batch, runs)
        rate = smoothed(batch, spike.astype(float), self["spiking"][batch.rows], 0.01)
        railed = runs.valid & ((x <= self.low) | (x >= self.high))
        rail_run = self._count(batch, railed, "at_rail")
        over = stuck & ((x >= self["highest"][rows]) | (x <= self["lowest"][rows]))
        trusted = runs.valid & ~doubtful & ~spike & ~railed
        drifting = self.drift.check(batch, trusted)

        before = self["faulty"][batch.rows]
        at_end = (rail_run >= 3) | over
        on = np.stack([stuck & ~over & ~railed, dropped, rate > 0.025, at_end, drifting], axis=1)
        if on.any() or before.any():
            moving = runs.valid & (runs.run < limit)
            back = runs.valid & (missed < 0.5 * often)
            off = np.stack([moving, back, rate < 0.005, moving & ~railed, ~drifting], axis=1)
            faulty = latched(batch, on, off, before)
            transitions = self._transitions(batch, runs, faulty, before)
        else:
            faulty, transitions = on, []
        untrue = faulty[:, 0] | faulty[:, 3] | faulty[:, 4]
        ok = trusted & ~untrue
        transitions += self._gaps(batch)
        transitions.sort(key=lambda t: (t.index, t.sensor))
        self._advance(batch, runs, rate, missed, rail_run, faulty)
        return Checked(ok, transitions)

    def silent(self, rows: Ints, now: int) -> Ints:
        """(m,) for how many ms nothing came of each row that is silent at ``now``; 0 = it is not.

        Silent is who let pass twenty of its usual time steps, three of its longest, and a minute.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            usual = self["pace_weight"][rows] / self["pace"][rows]
        patience = np.maximum(60_000.0, np.maximum(20.0 * usual, 3.0 * self["longest_dt"][rows]))
        waited = now - self["time"][rows]
        return np.where((self["time"][rows] >= 0) & (waited > patience), waited, 0)

    def _runs(self, batch: Batch, last: str, run: str, missing: str) -> _Runs:
        rows, x = batch.row_of, batch.x
        valid = ~np.isnan(x)
        if valid.all() and (quick := self._moving(batch, last, valid)) is not None:
            return quick
        fill = last_index(batch, valid)
        first = batch.step_of == 0
        earlier = np.where(first[:, None], -1, np.roll(fill, 1, axis=0))
        columns = np.arange(self.width)
        previous = np.where(earlier >= 0, x[earlier, columns], self[last][rows])
        changed = valid & (x != previous)
        change = last_index(batch, changed)
        so_far = np.cumsum(valid, axis=0)
        base = np.zeros_like(so_far[:1])
        at_start = np.concatenate((base, so_far))[batch.starts][batch.column_of]
        length = np.where(
            change >= 0, so_far - so_far[change, columns] + 1, self[run][rows] + so_far - at_start
        )
        since = np.where(change >= 0, batch.time[change], self["since"][rows])
        step = batch.step_of[:, None]
        away = np.where(fill >= 0, np.arange(len(batch))[:, None] - fill, self[missing][rows] + step + 1)
        next_one = np.maximum(fill + 1, batch.starts[batch.column_of][:, None])
        away_from = np.where(
            (fill >= 0) | (self[missing][rows] == 0),
            batch.time[np.minimum(next_one, len(batch) - 1)],
            self["missing_since"][rows],
        )
        return _Runs(valid, previous, length, since, away, np.where(away > 0, away_from, 0))

    def _moving(self, batch: Batch, last: str, valid: Bools) -> _Runs | None:
        """`_runs` as it is most often, and then quick: nothing missing, every value unlike the last."""
        previous = np.empty_like(batch.x)
        previous[1:] = batch.x[:-1]
        some = batch.counts > 0
        previous[batch.starts[some]] = self[last][batch.rows[some]]
        if not (batch.x != previous).all():
            return None
        none = np.zeros(valid.shape, dtype=np.int64)
        since = np.broadcast_to(batch.time[:, None], valid.shape)
        return _Runs(valid, previous, np.ones_like(none), since, none, none, moving=True)

    def _patience(self, batch: Batch, runs: _Runs, known: Bools) -> Floats:
        """(n, k) how much longer than usual to wait: a machine at rest stands still as a whole, or at 0."""
        still = known & (runs.run >= 12)
        if not still.any():
            return np.where(batch.x == 0.0, 10.0, 1.0)
        alive = known.sum(axis=1)
        resting = (alive >= 2) & (still.sum(axis=1) == alive)
        return np.where(resting[:, None] | (batch.x == 0.0), 10.0, 1.0)

    def _spikes(self, batch: Batch, runs: _Runs) -> Bools:
        """A value far out, a far step from both of the values before it.

        If it is the machine that jumped, the next value is near this one, and is not masked.
        """
        rows, x = batch.row_of, batch.x
        highest, lowest = self["highest"][rows], self["lowest"][rows]
        spread = highest - lowest
        with np.errstate(invalid="ignore"):
            outside: Bools = (x > highest + spread) | (x < lowest - spread)
        if not outside.any():
            return outside
        columns = np.arange(self.width)
        fill = last_index(batch, runs.valid)
        first = batch.step_of[:, None] == 0
        one = np.where(first, -1, np.roll(fill, 1, axis=0))
        two = np.where((one >= 0) & (batch.step_of[:, None] > 0), _before(fill, one), -1)
        inside = batch.starts[batch.column_of][:, None]
        value2 = np.where(
            two >= inside,
            x[two, columns],
            np.where(one >= inside, self["last"][rows], self["before"][rows]),
        )
        far = np.maximum(4.0 * self["step"][rows], spread)
        with np.errstate(invalid="ignore"):
            jump = (np.abs(x - runs.previous) > far) & ~(np.abs(x - value2) <= far)
        enough = (self["pairs"][rows] >= 100.0) & (self["step"][rows] > 0.0)
        # a machine's own shock is felt by its other sensors too; one sensor alone has no witness
        elsewhere = runs.valid & ~outside
        witnesses = elsewhere.sum(axis=1, keepdims=True)
        found: Bools = runs.valid & enough & outside & jump & (2 * witnesses >= max(2, self.width))
        return found

    def _count(self, batch: Batch, true: Bools, name: str) -> Ints:
        """(n, k) how many readings in a row ``true`` has held."""
        if not (true.any() or self[name][batch.rows].any()):
            return np.zeros(true.shape, dtype=np.int64)
        index = np.arange(len(batch))[:, None]
        broken = last_index(batch, ~true)
        return np.where(broken >= 0, index - broken, self[name][batch.row_of] + batch.step_of[:, None] + 1)

    def _transitions(
        self, batch: Batch, runs: _Runs, faulty: Bools, before: Bools
    ) -> list[QualityTransition]:
        first = (batch.step_of == 0)[:, None, None]
        was = np.where(first, before[batch.column_of], np.roll(faulty, 1, axis=0))
        found = []
        for index, kind, sensor in np.argwhere(faulty != was).tolist():
            row, time = int(batch.row_of[index]), int(batch.time[index])
            raised = bool(faulty[index, kind, sensor])
            if raised:
                onset = {
                    Fault.STUCK: int(runs.since[index, sensor]),
                    Fault.DROPOUT: int(runs.missing_since[index, sensor]),
                }.get(_CELL_FAULTS[kind], time)
                self["onset"][row, kind, sensor] = onset
            else:
                onset = int(self["onset"][row, kind, sensor])
                if _CELL_FAULTS[kind] is Fault.STUCK:
                    at_once = batch.step_of[index] == 0
                    ended = self["run"][row, sensor] if at_once else runs.run[index - 1, sensor]
                    self["rested"][row, sensor] = max(int(self["rested"][row, sensor]), int(ended))
            detail = self._detail(row, index, sensor, _CELL_FAULTS[kind], batch, runs) if raised else ""
            found.append(
                QualityTransition(row, index, sensor, str(_CELL_FAULTS[kind]), raised, onset, time, detail)
            )
        return found

    def _detail(self, row: int, index: int, sensor: int, kind: Fault, batch: Batch, runs: _Runs) -> str:
        value = batch.x[index, sensor]
        if kind is Fault.STUCK or (kind is Fault.SATURATED and runs.run[index, sensor] > 3):
            end = "" if kind is Fault.STUCK else ", at the end of its range"
            return (
                f"{value:g} for {runs.run[index, sensor]} readings{end}; "
                f"at most {self['longest'][row, sensor]} in its history"
            )
        if kind is Fault.DROPOUT:
            return (
                f"no value for {runs.missing[index, sensor]} readings; "
                f"at most {self['longest_absence'][row, sensor]} in its history"
            )
        if kind is Fault.DRIFT:
            return f"{value:g} is not what the other sensors foretell, while they agree"
        if kind is Fault.SPIKES:
            return (
                f"repeated spikes, the latest {value:g}; "
                f"usual are {self['lowest'][row, sensor]:g} to {self['highest'][row, sensor]:g}"
            )
        return f"{value:g} is at the end of what it can measure"

    def _gaps(self, batch: Batch) -> list[QualityTransition]:
        earlier = np.where(batch.step_of == 0, self["time"][batch.row_of], np.roll(batch.time, 1))
        dt = batch.time - earlier
        with np.errstate(invalid="ignore", divide="ignore"):
            usual = (self["pace_weight"][batch.rows] / self["pace"][batch.rows])[batch.column_of]
            gap = (dt > 10.0 * usual) & (dt > 3 * self["longest_dt"][batch.row_of]) & (earlier >= 0)
        was = np.where(batch.step_of == 0, self["gap"][batch.row_of], np.roll(gap, 1))
        found = []
        for index in np.flatnonzero(gap | was).tolist():
            row, time = int(batch.row_of[index]), int(batch.time[index])
            kind = str(Fault.GAP)
            if was[index]:
                found.append(
                    QualityTransition(row, index, -1, kind, False, int(self["gap_onset"][row]), time, "")
                )
            if gap[index]:
                self["gap_onset"][row] = onset = int(earlier[index])
                self["paused"][row] = max(float(self["paused"][row]), float(dt[index]))
                detail = f"nothing for {dt[index] / 1000:g} s; usual is {usual[index] / 1000:g} s"
                found.append(QualityTransition(row, index, -1, kind, True, onset, time, detail))
        some = batch.counts > 0
        self["gap"][batch.rows[some]] = gap[_last(batch)]
        return found

    def _advance(
        self, batch: Batch, runs: _Runs, rate: Floats, missed: Floats, rail_run: Ints, faulty: Bools
    ) -> None:
        rows, last = batch.rows[batch.counts > 0], _last(batch)
        fill = last_index(batch, runs.valid)[last]
        columns = np.arange(self.width)
        two = _before_flat(last_index(batch, runs.valid), fill, batch)
        some = fill >= 0
        older = np.where(two >= 0, batch.x[two, columns], self["last"][rows])
        self["before"][rows] = np.where(some, older, self["before"][rows])
        self["last"][rows] = np.where(some, batch.x[fill, columns], self["last"][rows])
        self["run"][rows] = runs.run[last]
        self["since"][rows] = runs.since[last]
        self["missing"][rows] = runs.missing[last]
        self["missing_since"][rows] = runs.missing_since[last]
        self["spiking"][rows] = rate[last]
        self["missed"][rows] = missed[last]
        self["at_rail"][rows] = rail_run[last]
        self["time"][rows] = batch.time[last]
        self["faulty"][rows] = faulty[last]

    # -- learning

    def learn(self, batch: Batch) -> None:
        """Learn what is usual of each sensor: rests, absences, steps and range, and the time step."""
        if not len(batch):
            return
        rows, last, x = batch.rows[batch.counts > 0], _last(batch), batch.x
        runs = self._runs(batch, "learned_last", "learned_run", "learned_missing")
        repeat = runs.valid & (x == runs.previous)
        pair = runs.valid & ~np.isnan(runs.previous)
        starts = batch.starts[batch.counts > 0]
        self["pairs"][rows] += np.add.reduceat(pair, starts, axis=0, dtype=float)
        self["readings"][rows] += batch.counts[batch.counts > 0]
        if runs.moving:
            self["longest"][rows] = np.maximum(self["longest"][rows], 1)
        else:
            self["repeats"][rows] += np.add.reduceat(repeat, starts, axis=0, dtype=float)
            self["longest"][rows] = np.maximum(self["longest"][rows], np.maximum.reduceat(runs.run, starts))
            self["absent"][rows] += np.add.reduceat(~runs.valid, starts, axis=0, dtype=float)
            self["longest_absence"][rows] = np.maximum(
                self["longest_absence"][rows], np.maximum.reduceat(runs.missing, starts)
            )
        step = np.where(pair, np.abs(x - runs.previous), 0.0)
        self["step"][rows] = np.maximum(self["step"][rows], np.maximum.reduceat(step, starts))
        low = high = x
        if not runs.moving:
            low, high = np.where(runs.valid, x, np.inf), np.where(runs.valid, x, -np.inf)
        self["lowest"][rows] = np.minimum(self["lowest"][rows], np.minimum.reduceat(low, starts))
        self["highest"][rows] = np.maximum(self["highest"][rows], np.maximum.reduceat(high, starts))
        self.drift.learn(batch)
        self._learn_time(batch, rows, starts)
        self._learn_rests(rows)
        fill = last_index(batch, runs.valid)[last]
        columns = np.arange(self.width)
        self["learned_last"][rows] = np.where(fill >= 0, x[fill, columns], self["learned_last"][rows])
        self["learned_run"][rows] = runs.run[last]
        self["learned_missing"][rows] = runs.missing[last]
        self["learned_time"][rows] = batch.time[last]

    def _learn_time(self, batch: Batch, rows: Ints, starts: Ints) -> None:
        """The usual step of time is the harmonic mean: stretches that were not learned weigh nothing."""
        at_start = batch.step_of == 0
        earlier = np.where(at_start, self["learned_time"][batch.row_of], np.roll(batch.time, 1))
        known = (earlier >= 0) & (batch.time > earlier)
        dt = np.where(known, batch.time - earlier, 1).astype(float)
        means = []
        for name, values in (("pace", 1.0 / dt), ("pace_weight", np.ones(len(dt)))):
            mean = smoothed(batch, np.where(known, values, np.nan), self[name][batch.rows], 1.0 / 64.0)
            self[name][rows] = mean[_last(batch)]
            means.append(mean)
        with np.errstate(invalid="ignore", divide="ignore"):
            inside = np.where(known & (dt <= 10.0 * means[1] / means[0]), dt, 0.0)
        self["longest_dt"][rows] = np.maximum(self["longest_dt"][rows], np.maximum.reduceat(inside, starts))

    def _learn_rests(self, rows: Ints) -> None:
        """A rest or a pause that comes back a third time is how this machine is run, and no fault."""
        rested, longest = self["rested"][rows], self["longest"][rows]
        self["longest"][rows] = np.where(
            rested > 0, np.maximum(longest, (longest + rested // 3) // 2), longest
        )
        self["rested"][rows] = 0
        paused, most = self["paused"][rows], self["longest_dt"][rows]
        self["longest_dt"][rows] = np.where(paused > 0, np.maximum(most, (most + paused / 2.5) / 2.0), most)
        self["paused"][rows] = 0.0


def _last(batch: Batch) -> Ints:
    """Index of the last reading of each machine that has any."""
    some = batch.counts > 0
    found: Ints = (batch.starts + batch.counts - 1)[some]
    return found


def _before(fill: Ints, at: Ints) -> Ints:
    """The index that ``fill`` has one reading before ``at`` (n, k)."""
    columns = np.arange(fill.shape[1])
    found: Ints = np.where(at > 0, fill[np.maximum(at - 1, 0), columns], -1)
    return found


def _before_flat(fill: Ints, at: Ints, batch: Batch) -> Ints:
    """As `_before` for the machines' last readings, kept within each machine; -1 = none."""
    starts = batch.starts[batch.counts > 0][:, None]
    return np.where(at > starts, _before(fill, at), -1)
