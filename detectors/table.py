"""Columns with a row a machine: the state of a stage, and its life cycle, in one place."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from detectors.base import FleetState, State, grown

_Columns = TypeVar("_Columns")


@dataclass(frozen=True, slots=True)
class Column:
    """A value of ``shape`` a machine, that starts as ``fill``; the fill's type is the column's.

    A length in ``shape`` may be a name, whose number the table is made with.
    """

    shape: tuple[int | str, ...] = ()
    fill: float | int | bool | np.float32 = 0.0

    @property
    def dtype(self) -> type[np.generic]:
        """float64, int64, bool, or float32 where many values are kept."""
        kinds: dict[type, type[np.generic]] = {
            bool: np.bool_,
            int: np.int64,
            float: np.float64,
            np.float32: np.float32,
        }
        return kinds[type(self.fill)]


def _kind(values: NDArray[Any]) -> str:
    """The name of a type in dumps: ``f``, ``i``, ``b``, and ``f4`` for float32."""
    return "f4" if values.dtype == np.float32 else values.dtype.kind


class FleetTable(FleetState):
    """A `FleetState` whose state is named columns; a subclass reads and writes ``self[name]``.

    >>> table = FleetTable({"seen": Column((), 0), "mean": Column((2,), float("nan"))})
    >>> table.resize(4)
    >>> table["mean"].shape
    (4, 2)
    """

    loads_whole: ClassVar[bool] = True

    def __init__(self, columns: dict[str, Column], **lengths: int) -> None:
        self._columns = columns
        self._data: dict[str, NDArray[Any]] = {}
        #: Where `dump` puts each column: name, kind of type, from, to, shape.
        self._places: list[tuple[str, str, int, int, tuple[int, ...]]] = []
        self._sizes: dict[str, int] = {}
        for name, column in columns.items():
            shape = tuple(lengths[one] if isinstance(one, str) else one for one in column.shape)
            self._data[name] = values = np.zeros((0, *shape), dtype=column.dtype)
            kind = _kind(values)
            start = self._sizes.get(kind, 0)
            self._sizes[kind] = stop = start + math.prod(shape)
            self._places.append((name, kind, start, stop, shape))

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
            parts.setdefault(_kind(values), []).append(np.ravel(values[row]))
        return {kind: np.concatenate(arrays) for kind, arrays in parts.items()}

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when it is of another layout."""
        given = {kind: array.shape for kind, array in state.items()}
        if given != {kind: (size,) for kind, size in self._sizes.items()}:
            raise ValueError(f"{type(self).__name__}: saved state has {given}, this one needs {self._sizes}")
        for name, kind, start, stop, shape in self._places:
            saved = state[kind][start:stop] if shape else state[kind][start]
            self._data[name][row] = saved.reshape(shape) if len(shape) > 1 else saved


class KernelTable(FleetTable, Generic[_Columns]):
    """A `FleetTable` that kernels take as one argument: ``columns``, a NamedTuple of the arrays.

    What the columns are is said once, by the NamedTuple; it must be a
    module's, so that compiled kernels find it again:

        class Means(NamedTuple):
            seen: Annotated[Ints, Column((), 0)]
            mean: Annotated[Floats, Column(("width",), float("nan"))]

    >>> from typing import Annotated, NamedTuple
    >>> from detectors.batch import Floats, Ints
    >>> fields = [("seen", Annotated[Ints, Column((), 0)]), ("mean", Annotated[Floats, Column(("width",))])]
    >>> Means = NamedTuple("Means", fields)  # the same, as a doctest has no module
    >>> table = KernelTable(Means, width=2)
    >>> table.resize(4)
    >>> table.columns.mean.shape, table.columns.seen is table["seen"]
    ((4, 2), True)

    ``columns`` is made again by `resize`; nobody may keep it beyond. A kernel takes the arrays that it needs
    out of it before its loops (``mean = of.mean``): within, each look-up counts references, and costs 100 ns.
    """

    columns: _Columns

    def __init__(self, columns: Callable[..., _Columns], **lengths: int) -> None:
        hints = get_type_hints(columns, include_extras=True)
        super().__init__({name: hint.__metadata__[0] for name, hint in hints.items()}, **lengths)
        self._make = columns
        self.columns = columns(**self._data)

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        super().resize(capacity)
        self.columns = self._make(**self._data)
