"""Cut a machine's history into lives by what crews found: what remaining life is learned from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from detectors.remaining_life.run_features import Run
from pipeline.records import Floats, Ints, Verdict, VerdictKind

_HOUR = 3_600_000.0


def lives_of(
    time: Ints, x: Floats, verdicts: Iterable[Verdict], *, new_at: int | None = None, least: int = 20
) -> list[Run]:
    """The machine's runs to failure, with age in hours: time (n,) ms rising, x (n, k).

    A confirmed fault ends a life at the end of its span, as a failure; the next begins there, after the
    repair. Planned work ends one too, but not as a failure: that life teaches nothing of how lives end, and
    is left out. Other verdicts are about the alarm or a sensor, and end nothing. The first life begins at
    ``new_at``, or with the first reading. Lives of fewer than ``least`` readings are left out.
    """
    ends = sorted(
        {
            (verdict.end, verdict.kind is VerdictKind.FAULT)
            for verdict in verdicts
            if verdict.kind in (VerdictKind.FAULT, VerdictKind.PLANNED_WORK)
        }
    )
    runs: list[Run] = []
    start = new_at if new_at is not None else int(time[0]) if len(time) else 0
    for end, failed in ends:
        inside = (time >= start) & (time <= end)
        if failed and inside.sum() >= least:
            age = (np.append(time[inside][:-1], max(end, int(time[inside][-1]))) - start) / _HOUR
            if (np.diff(age) > 0).all():
                runs.append(Run(age, np.ascontiguousarray(x[inside])))
        start = max(start, end + 1)
    return runs
