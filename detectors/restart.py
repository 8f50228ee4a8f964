"""After a gap in its readings a machine was off, most likely: how it starts again is not learned."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from detectors.batch import Batch, Bools
from detectors.quality import Fault, QualityTransition
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
        for one in transitions:
            if one.kind == Fault.GAP and one.raised:
                self["began"][one.row] = one.time
        began = self["began"][batch.row_of]
        soon: Bools = (began >= 0) & (batch.time >= began) & (batch.time < began + self.pause)
        return soon if self.pause and np.any(soon) else None
