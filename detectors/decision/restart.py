"""After a gap in its readings a machine was off, most likely: how it starts again is not learned."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from detectors.batch import Batch, Bools, Ints
from detectors.compiled import compiled
from detectors.quality.quality import Fault, QualityTransition
from detectors.table import Column, FleetTable


class FleetRestart(FleetTable):
    """Marks the readings within ``pause`` ms of each machine's latest return from a data gap."""

    def __init__(self, pause: int) -> None:
        super().__init__({"began": Column((), -1)})
        self.pause = pause

    def after(self, batch: Batch, transitions: Iterable[QualityTransition]) -> Bools | None:
        """(n,) which readings come soon after a restart, by what quality found in ``batch``; None = none.

        At most one return a machine and block counts: the block is not learned anyway.
        """
        for transition in transitions:
            if transition.kind == Fault.GAP and transition.raised:
                self["began"][transition.row] = transition.time
        soon = np.zeros(len(batch), dtype=np.bool_)
        any_soon = _after(self["began"], batch.rows, batch.starts, batch.counts, batch.time, self.pause, soon)
        return soon if any_soon else None


@compiled
def _after(began: Ints, rows: Ints, starts: Ints, counts: Ints, time: Ints, pause: int, soon: Bools) -> bool:
    """Fill in ``soon`` (n,); whether there is any."""
    found = False
    for m in range(len(rows)):
        start = began[rows[m]]
        if start < 0:
            continue
        for i in range(starts[m], starts[m] + counts[m]):
            if start <= time[i] < start + pause:
                soon[i] = found = True
    return found
