"""Whether a file's rows are in order of time; those of a file that is not are put in order in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from connectors.csv.layout import Layout
from connectors.csv.lines import Line, blocks, opened
from connectors.csv.table import Table, read_table
from pipeline.admission.rows import in_order, stacked
from pipeline.records import Frame

#: A file is looked into at so many places, at so many bytes each.
_PLACES, _BYTES = 64, 1 << 14
#: A larger file that is not in order has to be sorted by who has it.
MOST_BYTES = 1 << 30
#: Rows that are put in order are given out in frames of so many.
_AT_ONCE = 20_000


def goes_back(path: Path, layout: Layout, encoding: str, codec: str) -> bool:
    """Whether a machine's times go back anywhere among the places that are looked at.

    A long file's are looked at for all its tags together, for they are gathered into one reading a time.
    """
    if not layout.time:
        return False
    newest: dict[str, int] = {}
    for lines in _places(path, encoding, layout.skip):
        table = read_table(lines, layout, codec)
        for machine, time in _by_machine(table):
            if len(time) and int(time[0]) < newest.get(machine, -(1 << 62)):
                return True
            if len(time):
                newest[machine] = max(newest.get(machine, -(1 << 62)), int(time.min()))
    return False


def _by_machine(table: Table) -> Iterator[tuple[str, np.ndarray]]:
    if table.machine is None:
        yield "", table.time
        return
    own = np.array(table.machine)
    for machine in dict.fromkeys(table.machine):
        yield machine, table.time[own == machine]


def _places(path: Path, encoding: str, skip: int) -> Iterator[list[Line]]:
    """Some lines from each place; a stream that cannot be entered anywhere is read to its end."""
    size = path.stat().st_size
    with opened(path, encoding) as stream:
        if path.suffix == ".gz" or encoding.startswith("utf-16") or size < 4 * _PLACES * _BYTES:
            for number, lines in enumerate(blocks(stream, _BYTES)):
                yield lines[skip if number == 0 else 0 :]
            return
        for place in range(_PLACES):
            at = place * (size - _BYTES) // (_PLACES - 1)
            stream.seek(at)
            parts = stream.read(_BYTES).split(b"\n")
            first = skip if place == 0 else 1  # the first is not whole
            yield [Line(0, part.rstrip(b"\r")) for part in parts[first:-1] if part.strip()]


def sorted_frames(frames: Iterable[Frame]) -> Iterator[Frame]:
    """All readings of each machine by time, in frames that are not too long."""
    machines: dict[str, list[Frame]] = {}
    for frame in frames:
        machines.setdefault(frame.machine, []).append(frame)
    for parts in machines.values():
        whole = in_order(stacked(parts))
        parts.clear()
        for start in range(0, len(whole), _AT_ONCE):
            yield whole.rows(slice(start, start + _AT_ONCE))
