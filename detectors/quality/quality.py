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
from detectors.quality.check import judge
from detectors.quality.learn import learn
from detectors.quality.pace import silent
from detectors.quality.sensor_drift import SensorDrift
from detectors.quality.signals import Signals, levels_of, totals_of
from detectors.quality.state import DRIFT, DROPOUT, FROZEN, GAP, SATURATED, SEVERAL, SPIKES, STUCK, Sensors
from detectors.table import FleetTable, KernelTable


class Fault(StrEnum):
    """What is wrong with a sensor (with the whole machine's data for `GAP` and `FROZEN`)."""

    STUCK = "stuck"
    DROPOUT = "dropout"
    SPIKES = "spikes"
    SATURATED = "saturated"
    DRIFT = "drift"
    GAP = "gap"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityTransition:
    """A fault of sensor column ``sensor`` begins or ends (``raised``) at reading ``index`` of the batch.

    ``sensor`` is -1 for a fault of all the machine's data (`Fault.GAP`, `Fault.FROZEN`). ``onset`` and
    ``time`` are event times (ms): when the fault began, and when it was noticed or ended. ``code`` is the
    kind, with a variant after a dot, and ``values`` what belongs to it, by name; a fault that ends has none.
    """

    row: int
    index: int
    sensor: int
    kind: str
    raised: bool
    onset: int
    time: int
    code: str
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class Checked:
    """``ok`` (n, k): which cells may be used; and the faults that began or ended, in the batch's order."""

    ok: Bools
    transitions: list[QualityTransition]


_KINDS = tuple(Fault)  # the kernels' faults are places in it


class FleetQuality(KernelTable[Sensors]):
    """Judges every cell of machines with ``width`` sensors; see docs/quality.md.

    ``low`` and ``high`` (k,) are the ends of the sensors' measuring range, NaN = not known. In a machine's
    first ``settle`` ms no sensor is said to drift, and never one that is a ``symptom`` (k,), nor to have
    repeated spikes: vibration that rises alone is how wear begins.
    """

    def __init__(
        self,
        width: int,
        low: Floats | None = None,
        high: Floats | None = None,
        settle: int = 0,
        symptom: Bools | None = None,
    ) -> None:
        super().__init__(Sensors, width=width)
        self.width = width
        self.signals = KernelTable(Signals, width=width)
        self.drift = SensorDrift(width, settle, symptom)
        self._symptom = np.zeros(width, dtype=bool) if symptom is None else symptom
        self.low = np.full(width, -np.inf) if low is None else np.where(np.isnan(low), -np.inf, low)
        self.high = np.full(width, np.inf) if high is None else np.where(np.isnan(high), np.inf, high)

    # -- life cycle

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        super().resize(capacity)
        self.signals.resize(capacity)
        self.drift.resize(capacity)

    def reset(self, row: int, seed: int) -> None:
        """Know nothing of ``row``."""
        super().reset(row, seed)
        self.signals.reset(row, seed)
        self.drift.reset(row, seed)

    def dump(self, row: int) -> State:
        """Where checking stands, and what was learned."""
        saved = super().dump(row)
        for name, part in self._parts.items():
            saved |= {f"{name}_{kind}": values for kind, values in part.dump(row).items()}
        return saved

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when it is of another layout."""
        own = dict(state)
        for name, part in self._parts.items():
            prefix = f"{name}_"
            its = {kind: own.pop(kind) for kind in state if kind.startswith(prefix)}
            if its or part is not self.signals:
                part.load(row, {kind.removeprefix(prefix): values for kind, values in its.items()})
            else:  # saved by a Yeji that did not know of signals
                part.reset(row, 0)
        super().load(row, own)

    @property
    def _parts(self) -> dict[str, FleetTable]:
        return {"drift": self.drift, "signals": self.signals}

    # -- checking

    def check(self, batch: Batch) -> Checked:
        """Judge each cell of the batch, and say which faults began or ended."""
        x = np.ascontiguousarray(batch.x)
        trusted, ok = np.empty(x.shape, dtype=bool), np.empty(x.shape, dtype=bool)
        readings = (batch.rows, batch.counts, batch.time, x)
        told = judge(
            self.columns,
            self.signals.columns,
            self.low,
            self.high,
            self._symptom,
            *readings,
            trusted,
            ok,
        )
        drifts = self.drift.check(self._levels(batch), trusted, ok)
        if not (told or drifts):
            return Checked(ok, [])
        found = [self._transition(batch, *one) for one in told]
        for index, sensor, begins in drifts:
            place = int(batch.row_of[index]), DRIFT, sensor
            self["faulty"][place] = begins
            if begins:
                self["onset"][place] = batch.time[index]
            onset = int(self["onset"][place])
            found.append(self._transition(batch, index, sensor, DRIFT, begins, onset, 0))
        found.sort(key=lambda t: (t.index, t.sensor))
        return Checked(ok, found)

    def _transition(
        self, batch: Batch, index: int, sensor: int, kind: int, begins: int, onset: int, length: int
    ) -> QualityTransition:
        row, time = int(batch.row_of[index]), int(batch.time[index])
        code = name = str(_KINDS[kind])
        values: dict[str, float] = {}
        several = sensor == SEVERAL
        sensor = -1 if several else sensor
        if begins:
            variant, values = self._cause(row, sensor, kind, float(batch.x[index, sensor]), length)
            variant = "part" if several else variant
            code = f"{name}.{variant}" if variant else name
        return QualityTransition(
            row=row,
            index=index,
            sensor=sensor,
            kind=name,
            raised=bool(begins),
            onset=onset,
            time=time,
            code=code,
            values=values,
        )

    def _cause(
        self, row: int, sensor: int, kind: int, value: float, length: int
    ) -> tuple[str, dict[str, float]]:
        """The variant and the values of a fault of ``length`` readings (of a gap: ms) that begins."""
        if kind == GAP:
            usual = float(self["pace_weight"][row] / self["pace"][row])
            return "", {"seconds": length / 1000, "usual": usual / 1000}
        if kind == STUCK or (kind == SATURATED and length > 3):
            most = int(self["longest"][row, sensor])
            return "" if kind == STUCK else "run", {"value": value, "readings": length, "most": most}
        if kind == FROZEN:
            return "", {"readings": length}
        if kind == DROPOUT and value == value:  # not NaN: a code that stands for no value
            return "code", {"value": value, "readings": length}
        if kind == DROPOUT:
            return "", {"readings": length, "most": int(self["longest_absence"][row, sensor])}
        if kind == SPIKES:
            low, high = float(self["lowest"][row, sensor]), float(self["highest"][row, sensor])
            return "", {"value": value, "low": low, "high": high}
        return "", {"value": value}

    def learn(self, batch: Batch) -> None:
        """Learn what is usual of each sensor: rests, absences, steps and range, and the time step."""
        learn(self.columns, batch.rows, batch.counts, batch.time, np.ascontiguousarray(batch.x))
        self.drift.learn(self._levels(batch))

    def levels_of(self, batch: Batch) -> Batch:
        """A machine's first readings without codes for missing values and totals, which are no levels."""
        x = levels_of(self.signals.columns, batch.rows, batch.counts, np.ascontiguousarray(batch.x))
        return Batch(batch.rows, batch.counts, batch.time, x)

    def totals(self, rows: Ints) -> Bools:
        """(m, k) which sensors of ``rows`` only grow, or are angles, and are left out of the models."""
        return totals_of(self.signals.columns, rows)

    def _levels(self, batch: Batch) -> Batch:
        """The batch with totals held still, so that they say nothing of how sensors go together."""
        totals = self.totals(batch.rows)
        if not (self.drift.active and totals.any()):
            return batch
        held = np.nan_to_num(self.drift["origin"][batch.row_of])
        x = np.where(totals[batch.column_of], held, batch.x)
        return Batch(batch.rows, batch.counts, batch.time, x)

    def silent(self, rows: Ints, now: int) -> Ints:
        """(m,) for how many ms nothing came of each row that is silent at ``now`` (ms); 0 = it is not."""
        return silent(self.columns, rows, now)
