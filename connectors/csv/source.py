"""CSV files as a source: a file or a folder of them, wide or long, of any size."""

from __future__ import annotations

import codecs
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from connectors.base.contract import Source
from connectors.csv.layout import CsvOptions, Layout, LayoutError, find_layout
from connectors.csv.lines import Line, blocks, count_lines, guess_encoding, opened
from connectors.csv.order import MOST_BYTES, goes_back, sorted_frames
from connectors.csv.table import Table, read_table
from connectors.csv.tags import TagRows
from pipeline.machine import LEVELS, parse_machine
from pipeline.records import Frame, Reason, Rejection

SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")
#: A file is understood by so many of its lines.
_SAMPLE = 500
AS_FOUND = CsvOptions()


class CsvError(Exception):
    """No file can be read as readings; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A file that was understood. ``lines`` is how many it has, ``received`` its time of change (ms).

    ``unsorted``: its times go back and forth, so that it is read whole before a reading is given out.
    """

    path: Path
    layout: Layout
    encoding: str
    lines: int
    received: int
    unsorted: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """How it is read, in words."""
        count = len(self.layout.sensors)
        what = "one value a row" if self.layout.long else f"{count} sensor{'s' if count != 1 else ''}"
        machine = "" if self.layout.machine is None else f", machine from {self._name(self.layout.machine)!r}"
        time = "" if not self.layout.time else f" in {' '.join(map(repr, map(self._name, self.layout.time)))}"
        order = ("its times go back and forth: it is put in order first",) if self.unsorted else ()
        return (f"{what}{machine}, times{time}: {self.layout.times.title}", *self.layout.notes, *order)

    def _name(self, column: int) -> str:
        return self.layout.header[column]


class CsvSource(Source):
    """The readings of ``path``, a file or a folder (searched all through), as `CsvOptions` say.

    Rows that cannot be read become rejections with the row's own bytes; so do files, in a folder. The
    readings of a file come in its order; a machine whose readings are in several files gets the file
    that begins earlier first. Nothing is kept of earlier runs: the same files give the same items.

    Raises CsvError when there is nothing to read.
    """

    def __init__(self, path: Path, options: CsvOptions = AS_FOUND) -> None:
        self.path, self.options = path, options
        if options.under is not None and len(options.under.strip("/").split("/")) != len(LEVELS) - 1:
            raise CsvError(f"--under {options.under!r} must be four levels: {'/'.join(LEVELS[:-1])}")
        self._closed = threading.Event()
        self.files: list[CsvFile] = []
        self.unread: list[Rejection] = []
        found = _files(path)
        for one in found:
            try:
                self.files.append(understand(one, options))
            except LayoutError as error:
                if len(found) == 1:
                    raise CsvError(f"{one}: {error}.") from error
                self.unread.append(_unread(one, str(error)))
        if not self.files:
            reasons = "; ".join(sorted({rejection.detail for rejection in self.unread})[:3])
            raise CsvError(f"None of the {len(found)} files in {path} can be read: {reasons}")
        if options.machine is not None or any(file.layout.machine is not None for file in self.files):
            self.files.sort(key=_first_time)
        self._check_names()
        rows = [file.lines - file.layout.skip for file in self.files]
        self.total = None if any(file.layout.long for file in self.files) else sum(rows)

    def _check_names(self) -> None:
        """Two files must not be the same machine by accident."""
        known: dict[str, Path] = {}
        for file in self.files:
            if self.options.machine is None and file.layout.machine is None:
                name = MachineNames(file, self.options).of(None)
                if (other := known.setdefault(name, file.path)) != file.path:
                    raise CsvError(
                        f"{other} and {file.path} would both be machine {name}. Replay them apart, or give "
                        "--machine if they are of one machine."
                    )

    def __iter__(self) -> Iterator[Frame | Rejection]:
        yield from self.unread
        for file in self.files:
            yield from self._file(file)

    def _file(self, file: CsvFile) -> Iterator[Frame | Rejection]:
        if not file.unsorted:
            yield from self._rows(file)
            return
        frames: list[Frame] = []
        for item in self._rows(file):
            if isinstance(item, Rejection):
                yield item
            else:
                frames.append(item)
        yield from sorted_frames(frames)

    def _rows(self, file: CsvFile) -> Iterator[Frame | Rejection]:
        # Times go on within a file: each reading of it begins again.
        layout = replace(file.layout, times=file.layout.times.fresh())
        file = replace(file, layout=layout)
        names = MachineNames(file, self.options)
        tags = TagRows(layout, self.options.align, whole=file.unsorted) if layout.long else None
        with opened(file.path, file.encoding) as stream:
            skip = layout.skip
            for lines in blocks(stream):
                if self._closed.is_set():
                    return
                table = read_table(lines[skip:], layout, _codec(file.encoding))
                skip = max(0, skip - len(lines))
                yield from _rejections(table, file)
                yield from tags.add(table, names) if tags is not None else _wide(table, file, names)
        if tags is not None:
            yield from tags.rest(names)

    def close(self) -> None:
        """End after the block that is being read."""
        self._closed.set()


def _codec(encoding: str) -> str:
    """The encoding of the bytes that `opened` returns."""
    return "utf-8" if encoding.startswith("utf") else encoding


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise CsvError(f"{path} is no file and no folder. Correct the path.")
    found = [p for p in path.rglob("*") if p.is_file() and p.name.lower().endswith(SUFFIXES)]
    if not found:
        raise CsvError(f"{path} holds no file that ends in {', '.join(SUFFIXES)}.")
    return sorted(found, key=_natural)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """An order in which 2.csv comes before 10.csv."""
    parts = re.split(r"(\d+)", str(path))
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


def understand(path: Path, options: CsvOptions) -> CsvFile:
    """Look into a file. Raises `LayoutError`, also when it cannot be opened."""
    try:
        with opened(path, options.encoding or "") as stream:
            head = stream.read(1 << 16)
        encoding = codecs.lookup(options.encoding).name if options.encoding else guess_encoding(head)
        sample: list[Line] = []
        with opened(path, encoding) as stream:
            for lines in blocks(stream, 1 << 16):
                sample += lines
                if len(sample) > _SAMPLE:
                    break
        text = [
            line.raw.decode(_codec(encoding), "replace")
            for line in sample[: _SAMPLE + 1]
            if not line.too_long
        ]
        layout = find_layout(text, options)
        unsorted = goes_back(path, replace(layout, times=layout.times.fresh()), encoding, _codec(encoding))
        if unsorted and path.stat().st_size > MOST_BYTES:
            raise LayoutError(
                f"its times go back and forth, and it is too large to be put in order here "
                f"({path.stat().st_size >> 20} MB, at most {MOST_BYTES >> 20}): sort it by its time, or cut "
                "it into a file a machine or tag"
            )
        changed = path.stat().st_mtime_ns // 1_000_000
        return CsvFile(path, layout, encoding, count_lines(path), changed, unsorted)
    except OSError as error:
        raise LayoutError(f"it cannot be read: {error}") from error
    except LookupError as error:
        raise LayoutError(f"{error}: give another --encoding") from error


def _unread(path: Path, why: str) -> Rejection:
    try:
        with path.open("rb") as stream:
            head = stream.read(4096)
        received = path.stat().st_mtime_ns // 1_000_000
    except OSError:
        head, received = b"", 0
    return Rejection(Reason.CSV_ROW, f"{path}: {why}.", head, received, topic=str(path), offset=0)


def _first_time(file: CsvFile) -> tuple[int, str]:
    with opened(file.path, file.encoding) as stream:
        for lines in blocks(stream, 1 << 16):
            rows = lines[file.layout.skip :][:20]
            times = file.layout.times.fresh()
            table = read_table(rows, replace(file.layout, times=times), _codec(file.encoding))
            if len(table.time):
                return int(table.time[0]), str(file.path)
            break
    return 1 << 62, str(file.path)


def _rejections(table: Table, file: CsvFile) -> Iterator[Rejection]:
    for bad in table.bad:
        yield Rejection(
            bad.reason,
            f"{file.path}:{bad.line.number}: {bad.detail}",
            bad.line.raw,
            file.received,
            sensor=bad.sensor,
            readings=1,
            topic=str(file.path),
            offset=bad.line.number,
        )


def _wide(table: Table, file: CsvFile, names: MachineNames) -> Iterator[Frame]:
    sensors = tuple(file.layout.header[i] for i in file.layout.sensors)
    if not len(table.time):
        return
    if table.machine is None:
        yield Frame(names.of(None), table.time, sensors, table.values, table.uncertain)
        return
    own, first, which = np.unique(np.array(table.machine), return_index=True, return_inverse=True)
    for number in np.argsort(first):  # in the order in which they come
        rows = np.flatnonzero(which == number)
        uncertain = None if table.uncertain is None else table.uncertain[rows]
        yield Frame(names.of(str(own[number])), table.time[rows], sensors, table.values[rows], uncertain)


class MachineNames:
    """Full machine names for what a file calls its machines."""

    def __init__(self, file: CsvFile, options: CsvOptions) -> None:
        parts = [_level(part) for part in file.path.resolve().with_suffix("").parts[1:]]
        padded = ["files"] * max(0, 3 - len(parts)) + parts[-3:]
        self._alone = options.machine or "/".join(
            [options.under.strip("/"), padded[-1]] if options.under else ["local", "csv", *padded]
        )
        self._under = options.under.strip("/") if options.under else "/".join(["local", "csv", *padded[-2:]])
        column = file.layout.machine
        self._column = "" if column is None else _level(file.layout.header[column])
        self._known: dict[str, str] = {}

    def of(self, cell: str | None) -> str:
        """The machine that ``cell`` of the machine column names; None = the file's only one."""
        if cell is None:
            return self._alone
        known = self._known.get(cell)
        if known is None:
            try:
                parse_machine(cell)
                known = cell
            except ValueError:
                name = cell.strip()
                known = f"{self._under}/{_level(f'{self._column}-{name}' if name.isdigit() else name)}"
            self._known[cell] = known
        return known


def _level(text: str) -> str:
    """A part of a path as a level of a machine's name."""
    level = re.sub(r"[^\w .:@()~-]", "_", text).strip()[:63].strip()
    return level if re.match(r"\w", level) else f"_{level}"[:63].strip() or "_"


def describe(source: CsvSource) -> list[str]:
    """How the files are read, once for each way."""
    notes: dict[tuple[str, ...], list[CsvFile]] = {}
    for file in source.files:
        notes.setdefault(file.notes, []).append(file)
    lines: list[str] = []
    for note, files in list(notes.items())[:5]:
        lines += [f"{_several(files)}: {note[0]}", *note[1:]]
    if len(notes) > 5:
        lines.append(f"and {len(notes) - 5} more ways for other files")
    return lines


def _several(files: Sequence[CsvFile]) -> str:
    return files[0].path.name if len(files) == 1 else f"{len(files)} files like {files[0].path.name}"
