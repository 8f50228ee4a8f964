"""Single values of many machines and sensors, gathered into frames."""

from __future__ import annotations

import numpy as np

from pipeline.records import Frame


class _Columns:
    __slots__ = ("column", "doubt", "sensors", "time", "value")

    def __init__(self) -> None:
        self.sensors: dict[str, int] = {}
        self.time: list[int] = []
        self.column: list[int] = []
        self.value: list[float] = []
        self.doubt: list[int] = []


class Samples:
    """Gathers values; `frames` brings one frame a machine.

    Values of one machine and time are one row; the last of several of one sensor and time counts. NaN = the
    source says that there is no value.

    >>> gathered = Samples()
    >>> gathered.add("a/b/c/d/e", "t", 5, 20.0); gathered.add("a/b/c/d/e", "p", 5, 1.0, uncertain=True)
    >>> (frame,) = gathered.frames()
    >>> frame.time.tolist(), frame.sensors, frame.values.tolist(), frame.uncertain.tolist()
    ([5], ('t', 'p'), [[20.0, 1.0]], [[False, True]])
    """

    def __init__(self) -> None:
        self._machines: dict[str, _Columns] = {}

    def add(self, machine: str, sensor: str, time: int, value: float, *, uncertain: bool = False) -> None:
        """Add one value; ``time`` in ms UTC."""
        found = self._machines.get(machine)
        if found is None:
            found = self._machines[machine] = _Columns()
        column = found.sensors.get(sensor)
        if column is None:
            column = found.sensors[sensor] = len(found.sensors)
        if uncertain:
            found.doubt.append(len(found.time))
        found.time.append(time)
        found.column.append(column)
        found.value.append(value)

    def __bool__(self) -> bool:
        return bool(self._machines)

    def frames(self) -> list[Frame]:
        """What was gathered, rows in order of time; begins again."""
        machines, self._machines = self._machines, {}
        return [_frame(machine, columns) for machine, columns in machines.items()]


def _frame(machine: str, columns: _Columns) -> Frame:
    time, row = np.unique(np.array(columns.time, dtype=np.int64), return_inverse=True)
    column = np.array(columns.column)
    # Of several values for one cell the last: numpy leaves open which one an assignment keeps.
    cell = row * len(columns.sensors) + column
    _, first_from_end = np.unique(cell[::-1], return_index=True)
    last = len(cell) - 1 - first_from_end
    values = np.full((len(time), len(columns.sensors)), np.nan)
    values[row[last], column[last]] = np.array(columns.value)[last]
    uncertain = None
    if columns.doubt:
        doubtful = np.zeros(len(cell), dtype=np.bool_)
        doubtful[columns.doubt] = True
        uncertain = np.zeros(values.shape, dtype=np.bool_)
        uncertain[row[last], column[last]] = doubtful[last]
        uncertain &= ~np.isnan(values)
    return Frame(machine, time, tuple(columns.sensors), values, uncertain)
