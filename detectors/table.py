"""Columns with a row a machine: the state of a stage, and its life cycle, in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.base import FleetState, State, grown


@dataclass(frozen=True, slots=True)
class Column:
    """A value of ``shape`` a machine, that starts as ``fill``; the fill's type is the column's."""

    shape: tuple[int, ...] = ()
    fill: float | int | bool = 0.0

    @property
    def dtype(self) -> type[np.generic]:
        """float64, int64 or bool."""
        kinds: dict[type, type[np.generic]] = {bool: np.bool_, int: np.int64, float: np.float64}
        return kinds[type(self.fill)]


class FleetTable(FleetState):
    """A `FleetState` whose state is named columns; a subclass reads and writes ``self[name]``.

    >>> table = FleetTable({"seen": Column((), 0), "mean": Column((2,), float("nan"))})
    >>> table.resize(4)
    >>> table["mean"].shape
    (4, 2)
    """

    def __init__(self, columns: dict[str, Column]) -> None:
        self._columns = columns
        self._data: dict[str, NDArray[Any]] = {
            name: np.zeros((0, *column.shape), dtype=column.dtype) for name, column in columns.items()
        }

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._data[name]

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        for name, column in self._columns.items():
            self._data[name] = grown(self._data[name], capacity, fill=column.fill)

    def reset(self, row: int, seed: int) -> None:
        """Fill ``row`` with what every column starts as."""
        for name, column in self._columns.items():
            self._data[name][row] = column.fill

    def dump(self, row: int) -> State:
        """The row's columns, joined by type: few arrays travel better than many."""
        parts: dict[str, list[NDArray[Any]]] = {}
        for values in self._data.values():
            parts.setdefault(values.dtype.kind, []).append(np.ravel(values[row]))
        return {kind: np.concatenate(arrays) for kind, arrays in parts.items()}

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when it is of another layout."""
        sizes: dict[str, int] = {}
        for name, column in self._columns.items():
            kind = self._data[name].dtype.kind
            sizes[kind] = sizes.get(kind, 0) + math.prod(column.shape)
        given = {kind: array.shape for kind, array in state.items()}
        if given != {kind: (size,) for kind, size in sizes.items()}:
            raise ValueError(f"{type(self).__name__}: saved state has {given}, this one needs {sizes}")
        at = dict.fromkeys(sizes, 0)
        for name, column in self._columns.items():
            values = self._data[name]
            kind, size = values.dtype.kind, math.prod(column.shape)
            values[row] = state[kind][at[kind] : at[kind] + size].reshape(column.shape)
            at[kind] += size
