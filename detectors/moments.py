"""Mean and standard deviation of each sensor over a machine's last full window: what was usual."""

from __future__ import annotations

import numpy as np

from detectors.base import FleetState, State, grown
from detectors.batch import Batch, Floats, Ints
from detectors.sums import add_in_order

# What is kept of each sensor: the running window's sums about a centre, and the last full window's.
CENTRE, COUNT, SUM, SQUARE, END = range(5)
_NOTHING = np.array([np.nan, 0.0, 0.0, 0.0] * 2)[:, None]


class FleetMoments(FleetState):
    """Sums over the running window, and those of the last one; the caller says when a window ends.

    Sums are taken about the last window's mean, which keeps them exact where a sensor's level is large and
    its movement small.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.held = np.zeros((0, 2 * END, width))

    def learn(self, batch: Batch) -> None:
        """Add the batch's readings to their machines' running windows."""
        rows = batch.rows
        held = self.held[rows, :END]
        if np.isnan(held[:, CENTRE]).any():
            unknown = np.isnan(held[:, CENTRE]).any(axis=1)
            self._find_centre(batch.select(unknown[batch.column_of]))
            held = self.held[rows, :END]
        off = batch.x - (held[:, CENTRE] if batch.single else held[batch.column_of, CENTRE])
        missing = np.isnan(off)
        if missing.any():
            off[missing] = 0.0
            held[:, COUNT] = add_in_order(batch, held[:, COUNT], (~missing).astype(np.float64))
        else:
            held[:, COUNT] += batch.counts[:, None]
        held[:, SUM] = add_in_order(batch, held[:, SUM], off)
        held[:, SQUARE] = add_in_order(batch, held[:, SQUARE], off * off)
        self.held[rows, :END] = held

    def learn_one(self, row: int, x: Floats) -> None:
        """As `learn`, for one reading ``x`` (k,) of one machine, none of it missing; quicker."""
        held = self.held[row]
        off = x - held[CENTRE]
        if off[0] != off[0] or not held[COUNT].all():
            unknown = np.isnan(held[CENTRE])
            held[CENTRE][unknown] = x[unknown]
            off = x - held[CENTRE]
        held[COUNT] += 1.0
        held[SUM] += off
        held[SQUARE] += off * off

    def _find_centre(self, batch: Batch) -> None:
        """Sensors seen for the first time are summed about their first value."""
        for rows, at in batch.steps():
            centre = self.held[rows, CENTRE]
            self.held[rows, CENTRE] = np.where(np.isnan(centre), batch.x[at], centre)

    def turn(self, rows: Ints) -> None:
        """The running window of ``rows`` has ended; of a sensor without a value in it the one before stays."""
        held = self.held[rows]
        count = held[:, COUNT]
        seen = count > 0
        held[:, END:] = np.where(seen[:, None], held[:, :END], held[:, END:])
        held[:, CENTRE] += held[:, SUM] / np.maximum(count, 1.0)
        held[:, COUNT:END] = 0.0
        self.held[rows] = held

    def compare(self, row_of: Ints, x: Floats) -> tuple[Floats, Floats]:
        """The mean of each reading's sensors (n, k), and how many standard deviations off ``x`` (n, k) is.

        Both are NaN before the first window has ended; the latter also where a sensor did not move.
        """
        centre, count, total, square = (self.held[row_of, END + i] for i in range(END))
        with np.errstate(invalid="ignore", divide="ignore"):
            off = total / count
            deviation = np.sqrt(np.maximum(square / count - off * off, 0.0))
            mean = centre + off
            return mean, np.where(deviation > 0, (x - mean) / deviation, np.nan)

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self.held = grown(self.held, capacity)

    def reset(self, row: int, seed: int) -> None:
        """Forget ``row``."""
        self.held[row] = _NOTHING

    def dump(self, row: int) -> State:
        """Sums of the running window and the last."""
        return {"held": self.held[row].copy()}

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when the sensors are others."""
        if state["held"].shape != self.held[row].shape:
            raise ValueError(f"saved moments are {state['held'].shape}, here they are {self.held[row].shape}")
        self.held[row] = state["held"]
