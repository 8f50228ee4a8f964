"""The models as they were before a crew's word was learned, so that another word can take it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from detectors.base import FleetState
from detectors.base import State as Saved


@dataclass(frozen=True, slots=True)
class _Before:
    """Models as they were before readings of ``start`` .. ``end`` (ms UTC) were learned on a crew's word."""

    start: int
    end: int
    models: dict[str, Saved]


class FleetUndo(FleetState):
    """Keeps, for each machine, the models before the latest lesson; only machines with one take room."""

    def __init__(self) -> None:
        self._rows: dict[int, _Before] = {}

    def keep(self, row: int, start: int, end: int, models: Mapping[str, FleetState]) -> None:
        """Remember ``models`` of ``row`` before it learns readings of ``start`` .. ``end``."""
        self._rows[row] = _Before(start, end, {name: one.dump(row) for name, one in models.items()})

    def revert(self, row: int, start: int, end: int, models: Mapping[str, FleetState]) -> bool:
        """Put ``models`` back when the lesson overlaps ``start`` .. ``end``; whether it did."""
        before = self._rows.get(row)
        if before is None or before.end < start or before.start > end:
            return False
        for name, one in models.items():
            one.load(row, before.models[name])
        del self._rows[row]
        return True

    def resize(self, capacity: int) -> None:
        """Rows take room only when there is something to keep."""

    def reset(self, row: int, seed: int) -> None:
        """Forget ``row``."""
        self._rows.pop(row, None)

    def dump(self, row: int) -> Saved:
        """What is kept of ``row``; nothing for most machines."""
        before = self._rows.get(row)
        if before is None:
            return {}
        return {
            "span": np.array([before.start, before.end]),
            **{
                f"{name}/{part}": array.copy()
                for name, saved in before.models.items()
                for part, array in saved.items()
            },
        }

    def load(self, row: int, state: Saved) -> None:
        """Take up what `dump` gave."""
        self._rows.pop(row, None)
        if not state:
            return
        models: dict[str, Saved] = {}
        for key, array in state.items():
            name, _, part = key.partition("/")
            if part:
                models.setdefault(name, {})[part] = array.copy()
        start, end = state["span"].tolist()
        self._rows[row] = _Before(start, end, models)
