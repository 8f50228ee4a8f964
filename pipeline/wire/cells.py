"""Values with their quality, in each of the forms that a message may say it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.records import Floats
from pipeline.wire.quality import Quality, quality_of

Cell = Any
Bools = NDArray[np.bool_]

#: The end of the name of a sensor's column that tells the quality of another: `temp_quality` beside `temp`.
QUALITY_ENDINGS = ("_quality", ".quality", " quality", "_품질")


def judged_by(name: str) -> str | None:
    """The sensor that a column called ``name`` may tell the quality of; None = none.

    >>> judged_by("temp_quality"), judged_by("temp")
    ('temp', None)
    """
    for ending in QUALITY_ENDINGS:
        if name.lower().endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)]
    return None


def split_cells(
    cells: list[Cell], names: tuple[str, ...], quality: Any, single: bool
) -> tuple[list[Cell], list[list[Cell] | None] | None]:
    """Take qualities out of cells ``{"value": 60, "quality": "Good"}``, and those of the message beside them.

    ``quality``: one for all, an object by sensor, or, of a frame, lists as long as ``time`` of either.
    Returns the values, and a list of qualities a sensor (None = not said); None when nothing says any.
    """
    values: list[Cell] = []
    own: list[list[Cell] | None] = []
    for cell, name in zip(cells, names, strict=True):
        said = quality.get(name) if isinstance(quality, dict) else quality
        inside = None
        if isinstance(cell, dict) and "value" in cell:
            cell, inside = cell["value"], cell.get("quality")
        elif (
            not single
            and isinstance(cell, list)
            and any(isinstance(one, dict) and "value" in one for one in cell)
        ):
            pairs = [
                (one["value"], one.get("quality"))
                if isinstance(one, dict) and "value" in one
                else (one, None)
                for one in cell
            ]
            cell, inside = [value for value, _ in pairs], [judged for _, judged in pairs]
        values.append(cell)
        chosen = said if inside is None else inside
        count = 1 if single or not isinstance(cell, list) else len(cell)
        if chosen is None:
            own.append(None)
        elif isinstance(chosen, list):
            own.append([*chosen[:count], *[None] * (count - len(chosen))])
        else:
            own.append([chosen] * count)
    return values, own if any(one is not None for one in own) else None


def apply_quality(values: Floats, qualities: list[list[Cell] | None]) -> Bools | None:
    """Make values of bad quality missing; return which are uncertain, (n, k), None when none is.

    A quality that is not known counts as good: it says nothing of the value.
    """
    uncertain = np.zeros(values.shape, dtype=np.bool_)
    for column, cells in enumerate(qualities):
        if cells is None:
            continue
        judged = [quality_of(cell) for cell in cells]
        values[[one is Quality.BAD for one in judged], column] = np.nan
        uncertain[:, column] = [one is Quality.UNCERTAIN for one in judged]
    uncertain &= np.isfinite(values)
    return uncertain if uncertain.any() else None
