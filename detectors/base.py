"""What a detector of a fleet must do. A detector holds the models of all machines of one layout as arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.batch import Batch, Floats, Ints

State = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Evidence:
    """Why readings were scored as they were; a row a reading, k sensors.

    ``contributions`` (a, k) each sensor's part of the raw score, ≥ 0 (0 where missing)
    ``expected``      (a, k) the value that the model would have thought normal; NaN = does not say
    ``deviation``     (a, k) how far off the value is, in the model's own standard deviations, signed
    """

    contributions: Floats
    expected: Floats
    deviation: Floats


@dataclass(frozen=True)
class RawScores:
    """What a detector says of a batch of n readings with k sensors.

    ``raw`` (n,): larger = less like the past; any scale; NaN = cannot say (yet). The rest is `Evidence`
    of every reading, (n, k).

    ``decisive`` (n,), of a detector that is calibrated by itself: as ``raw``, of what is odd even beside all
    that was taken for usual since; alarms and health go by it. None = by ``raw``.
    """

    raw: Floats
    contributions: Floats
    expected: Floats
    deviation: Floats
    decisive: Floats | None = None

    def evidence(self, at: Ints) -> Evidence:
        """The evidence of the readings ``at`` (a,)."""
        return Evidence(self.contributions[at], self.expected[at], self.deviation[at])


@dataclass(frozen=True)
class DeferredScores:
    """As `RawScores`, for detectors whose evidence costs more than the score.

    ``explain`` gives the evidence of the readings asked for; it must be asked before the detector's next
    `score` or `learn`. Evidence is wanted of few readings only: those that may be alarmed.
    """

    raw: Floats
    explain: Callable[[Ints], Evidence]
    decisive: Floats | None = None

    def evidence(self, at: Ints) -> Evidence:
        """The evidence of the readings ``at`` (a,)."""
        return self.explain(at)


class FleetState(ABC):
    """Something kept for every machine of one layout, as arrays with a row a machine.

    Every stage of the monitor (quality, detector, calibration, health, prognosis) is one. The results
    of a stage must not depend on how readings are split into batches, to the last bit: keep to
    element-wise arithmetic (no BLAS, whose sums depend on the shape).
    """

    #: Whether `load` leaves nothing of what a row held before, so that the row need not be fresh.
    loads_whole: ClassVar[bool] = False

    @abstractmethod
    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` rows; rows that exist keep their state."""

    @abstractmethod
    def reset(self, row: int, seed: int) -> None:
        """Start ``row`` afresh. ``seed`` comes from the machine's name, so arrival order is no matter."""

    @abstractmethod
    def dump(self, row: int) -> State:
        """Everything that ``row`` needs to go on elsewhere; arrays own their memory."""

    @abstractmethod
    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave. Raises ValueError when it does not fit this object."""


class FleetDetector(FleetState):
    """Models of many machines that have the same ``width`` sensors.

    Scoring and learning are separate calls so that the caller decides what is healthy enough to
    learn. ``score`` is called once for every reading, in order; ``learn`` later, for the readings
    believed healthy, in order.
    """

    kind: ClassVar[str]
    #: Whether the raw score is calibrated already: −ln of the share of healthy readings that score higher.
    calibrated: ClassVar[bool] = False
    #: Whether `shared` returns anything: models, or a part of them, without a single reading and its time.
    exportable: ClassVar[bool] = False
    #: Readings that a machine has to give before the first score is worth something.
    warmup: ClassVar[int] = 300

    def __init__(self, width: int) -> None:
        self.width = width

    @abstractmethod
    def score(self, batch: Batch) -> RawScores | DeferredScores:
        """Score each reading with the models as they stand. May advance filters, never the models."""

    @abstractmethod
    def learn(self, batch: Batch) -> None:
        """Learn each reading, in order."""

    def shared(self, row: int) -> State | None:
        """What `load` takes up of ``row`` at another site: no single reading and no time.

        Empty: nothing has been learned that could be shared. None: this kind's models may hold readings,
        which stay where they are. All that `dump` returns, unless a kind says otherwise.
        """
        return self.dump(row) if self.exportable else None

    def accept(self, row: int) -> None:
        """A crew's word: what the machine of ``row`` does now is healthy, though it was never seen before."""

    def reject(self, row: int, since: int) -> None:
        """A crew's word: what the machine of ``row`` did from ``since`` (ms UTC) on was a fault."""

    def moved(self, rows: Ints) -> tuple[Ints, Ints, Ints] | None:
        """(m,) since when what is normal of ``rows`` has moved, and when that was seen; −1 = it has not.

        Third, when that last ended; −1 = a crew has decided. None: a detector that cannot tell.
        """
        return None

    def movement(self, row: int) -> tuple[Floats, Evidence]:
        """What is normal of ``row`` now, (k,), and its evidence beside what was normal first, (k,) each."""
        raise NotImplementedError

    def settle(self, row: int) -> None:
        """A crew's word: what has become normal of ``row`` is so, whatever it was first."""


def grown(array: NDArray[Any], capacity: int, fill: float | int | np.float32 = 0) -> NDArray[Any]:
    """``array`` with its first axis enlarged to ``capacity``; new rows hold ``fill``.

    >>> grown(np.ones(1), 3).tolist()
    [1.0, 0.0, 0.0]
    """
    if capacity <= len(array):
        return array
    shape = (capacity, *array.shape[1:])
    # Zeros come straight from the system and take no memory until they are used.
    out = np.full(shape, fill, dtype=array.dtype) if fill else np.zeros(shape, dtype=array.dtype)
    out[: len(array)] = array
    return out
