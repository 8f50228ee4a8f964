"""What is kept of each machine's baselines: models, the rows they are fitted to, and where scoring stands."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.batch import Bools, Floats, Ints
from detectors.table import Column

Floats32 = NDArray[np.float32]

#: Baselines of a machine at most: that of its commissioning, and the latest ones that were taken beside it.
MODELS = 3
#: Where `Models` keeps the first baseline as it was when it was young.
YOUNG = MODELS
#: Rows that a baseline is fitted to; blocks whose farthest row is kept; rows kept of what stands.
ROWS, BLOCKS, CANDIDATES = 256, 64, 64
#: A sensor that was away for more readings than this is missing; until then its smoothed value stands.
PATIENCE = 5
#: Parts of a day, for what recurs at the same time of the day.
PHASES = 48

_NAN = float("nan")
_SINGLE = np.float32(0)


class Models(NamedTuple):
    """Columns that are fitted: each baseline's centre, scales and correlations, and how far health goes."""

    used: Annotated[Ints, Column((), 0)]  # baselines that are in use
    young: Annotated[Ints, Column((), 0)]  # readings that the baseline at `YOUNG` was fitted to; 0 = none
    center: Annotated[Floats, Column((MODELS + 1, "k"))]
    scale: Annotated[Floats, Column((MODELS + 1, "k"))]  # 0 = the sensor never moved: no evidence
    whitener: Annotated[Floats, Column((MODELS + 1, "k", "k"))]  # C^(−½) of the scaled sensors
    levels: Annotated[Floats, Column((MODELS + 1, 3))]  # log distance: median, 90 % quantile, and threshold


class Growth(NamedTuple):
    """Columns of the baseline that grows."""

    place: Annotated[Ints, Column((), 0)]  # which it is in `Models`; `Models.used` = it is not fitted yet
    learned: Annotated[Ints, Column((), 0)]  # readings taken into it
    since: Annotated[Ints, Column((), -1)]  # time of the first of them
    due: Annotated[Floats, Column((), 0.0)]  # with so many it is fitted again; 0 = with the first enough
    done: Annotated[Bools, Column((), False)]  # it has seen enough, and is fixed
    follow: Annotated[Floats, Column(("k",), _NAN)]  # smoothed sensors, over what is learned
    missed: Annotated[Ints, Column(("k",), 0)]  # readings learned since each was last there
    origin: Annotated[Floats, Column(("k",), _NAN)]  # rows are kept relative to this
    rows: Annotated[Floats32, Column((ROWS, "k"), _SINGLE)]  # every ``stride``-th, in order
    stored: Annotated[Ints, Column((), 0)]
    stride: Annotated[Ints, Column((), 1)]
    farthest: Annotated[Floats32, Column((BLOCKS, "k"), _SINGLE)]  # each block's row farthest out
    distance: Annotated[Floats, Column((BLOCKS,))]  # its log distance
    blocks: Annotated[Ints, Column((), 0)]  # that are complete
    length: Annotated[Ints, Column((), 4)]  # of a block
    filled: Annotated[Ints, Column((), 0)]  # readings in the block that is not complete
    accepting: Annotated[Bools, Column((), False)]  # the next that is learned is healthy by a crew's word


class Watch(NamedTuple):
    """Columns of scoring."""

    filtered: Annotated[Floats, Column(("k",), _NAN)]  # smoothed sensors
    absent: Annotated[Ints, Column(("k",), 0)]  # readings since each was last there
    began: Annotated[Ints, Column((), -1)]  # time of the first reading
    closed: Annotated[Ints, Column((), -1)]  # commissioning lasts until then; −1 = as long as it takes
    lasting: Annotated[Floats, Column((), _NAN)]  # smoothed rank, in logs over the thresholds
    over: Annotated[Ints, Column((), 0)]  # readings in a row over the threshold
    calm: Annotated[Ints, Column((), 0)]  # readings in a row well under it, in an excursion
    standing: Annotated[Ints, Column((), 0)]  # readings of the excursion; 0 = there is none
    onset: Annotated[Ints, Column((), 0)]  # its beginning
    looked: Annotated[Ints, Column((), 0)]  # when it was last asked whether it grows
    peak: Annotated[Floats, Column((), 0.0)]  # how far it went over the threshold, in logs
    lately: Annotated[Floats, Column((), 0.0)]  # how far it is over, smoothed …
    before: Annotated[Floats, Column((), 0.0)]  # … and how far it was when it was last looked at
    candidates: Annotated[Floats32, Column((CANDIDATES, "k"), _SINGLE)]  # rows of the excursion
    kept: Annotated[Ints, Column((), 0)]
    every: Annotated[Ints, Column((), 1)]
    lenience: Annotated[Floats, Column((), 0.0)]  # the threshold is raised by so much, in logs, …
    lenient: Annotated[Ints, Column((), 0)]  # … as of this time
    phases: Annotated[Floats32, Column((PHASES,), _SINGLE)]  # the same at this time of the day
    moved: Annotated[Ints, Column((), -1)]  # since when it is beside its first baseline; −1 = it is not
    seen: Annotated[Ints, Column((), -1)]  # when that was found
    home: Annotated[Ints, Column((), 0)]  # readings in a row that are near the first baseline again
    returned: Annotated[Ints, Column((), -1)]  # when it was last back; −1 = a crew has decided
