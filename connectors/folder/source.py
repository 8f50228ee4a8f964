"""Files dropped into a folder: each is read once it has settled, and moved when its readings are safe."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from connectors.base.contract import Item, Source, SourceStatus
from connectors.csv.layout import CsvOptions
from connectors.csv.source import CsvError, CsvSource
from connectors.folder.settings import FolderSettings
from connectors.mapping.mapping import Mapping
from connectors.mapping.times import zone_of
from pipeline.records import Frame, Reason, Rejection
from pipeline.settings import SettingsError
from pipeline.wire.readings import RejectedError

DONE, FAILED = "done", "failed"
_LINES = (".jsonl", ".ndjson")
_WHOLE = (".json", ".lp")
#: A file of one JSON document or of line protocol is read into memory up to this size.
_MOST_WHOLE = 256 << 20


class _HalfError(Exception):
    """The file changed while it was read: it is read again when it has settled."""


class FolderSource(Source):
    """Watches a folder. Raises `SettingsError` when it is no folder that can be written.

    CSV files are read as `connectors.csv` reads them, JSON lines, JSON and line protocol by the mapping. A
    file whose readings are durable is moved to ``done``, one that holds none to ``failed``; after a crash in
    between it is read again, which changes nothing. Files in folders inside are not read.
    """

    can_wait = True
    status: SourceStatus

    def __init__(self, name: str, settings: FolderSettings) -> None:
        self.name, self._settings = name, settings
        self.status = SourceStatus(connected=True, detail="")
        if not settings.path.is_dir() or not os.access(settings.path, os.W_OK):
            raise SettingsError(
                f"path {settings.path} is no folder that can be written: make it, or correct the path."
            )
        self._mapping = Mapping(settings.mapping, source=name)
        self._machine = re.compile(settings.machine) if settings.machine else None
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._given = 0
        self._durable = 0
        self._to_move: deque[tuple[int, Path, str]] = deque()

    def __iter__(self) -> Iterator[Item]:
        while not self._closed.is_set():
            for path in self._settled():
                if self._closed.is_set():
                    return
                yield from self._read(path)
            self._closed.wait(self._settings.every)

    def _settled(self) -> list[Path]:
        """Files that have not changed for a while, oldest first; those that wait to be moved are left out."""
        with self._lock:
            waiting = {path for _, path, _ in self._to_move}
        found: list[tuple[int, Path]] = []
        for path in self._settings.path.iterdir():
            ignored = any(fnmatchcase(path.name, pattern) for pattern in self._settings.ignore)
            if ignored or path in waiting or not path.is_file():
                continue
            try:
                stat = path.stat()
            except OSError:
                continue  # taken away meanwhile
            if time.time() - max(stat.st_mtime, stat.st_ctime) >= self._settings.settle:
                found.append((stat.st_mtime_ns, path))
        return [path for _, path in sorted(found)]

    def _read(self, path: Path) -> Iterator[Item]:
        before = _stamp(path)
        readings = rejected = 0
        try:
            for item in self._items(path):
                if self._closed.is_set():
                    return  # read again at the next start
                self._given += 1
                readings += len(item) if isinstance(item, Frame) else 0
                rejected += isinstance(item, Rejection)
                yield item
            if _stamp(path) != before:
                raise _HalfError
        except (_HalfError, OSError) as error:
            self.status.detail = f"{path.name} is read again when it has settled: {error or 'it changed'}"
            return
        self.status.arrivals += 1
        self.status.readings += readings
        self.status.rejected += rejected
        self.status.detail = ""
        with self._lock:
            self._to_move.append((self._given, path, DONE if readings else FAILED))
        self._move()

    def _items(self, path: Path) -> Iterator[Item]:
        suffix = path.suffix.lower()
        if suffix in _LINES:
            with path.open("rb") as stream:
                for line in stream:
                    if line.strip():
                        yield from self._mapped(path, line)
        elif suffix in _WHOLE:
            if path.stat().st_size > _MOST_WHOLE:
                yield self._unread(
                    path, f"it is larger than {_MOST_WHOLE >> 20} MB: write JSON lines (.jsonl)"
                )
                return
            yield from self._mapped(path, path.read_bytes())
        else:
            try:
                yield from CsvSource(path, self._csv_options(path))
            except (CsvError, RejectedError) as error:
                yield self._unread(path, str(error))

    def _mapped(self, path: Path, payload: bytes) -> Iterator[Item]:
        mapped = self._mapping.apply(payload, path.name, time.time_ns() // 1_000_000)
        yield from mapped.frames
        yield from mapped.rejections

    def _csv_options(self, path: Path) -> CsvOptions:
        csv = self._settings.csv
        machine = None
        if self._machine is not None and (match := self._machine.fullmatch(path.name)):
            machine = self._mapping.machine(match["machine"])
        return CsvOptions(
            time_column=csv.time_column,
            time_format=csv.time_format,
            zone=zone_of(csv.timezone),
            machine=machine,
            machine_column=csv.machine_column,
            under=csv.under,
            sensor_column=csv.sensor_column,
            value_column=csv.value_column,
            ignore=tuple(csv.ignore),
            delimiter=csv.delimiter,
            decimal=csv.decimal,
            encoding=csv.encoding,
        )

    def _unread(self, path: Path, why: str) -> Rejection:
        with path.open("rb") as stream:
            head = stream.read(4096)
        return Rejection(
            Reason.CSV_ROW, f"{path.name}: {why}", head, path.stat().st_mtime_ns // 1_000_000, topic=path.name
        )

    def durable(self, count: int) -> None:
        """Move the files whose readings are all safe."""
        with self._lock:
            self._durable = max(self._durable, count)
        self._move()

    def _move(self) -> None:
        with self._lock:
            while self._to_move and self._to_move[0][0] <= self._durable:
                _, path, where = self._to_move[0]
                try:
                    _moved(path, path.parent / where)
                except OSError as error:
                    self.status.detail = (
                        f"{path.name} cannot be moved to {where}: {error}. It is tried again."
                    )
                    return
                self._to_move.popleft()

    def close(self) -> None:
        """End after the item that is being read."""
        self._closed.set()


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _moved(path: Path, folder: Path) -> None:
    """Move a file, never over another: a second one of its name gets the time of its change added."""
    folder.mkdir(exist_ok=True)
    target = folder / path.name
    number = path.stat().st_mtime_ns
    while target.exists():
        target = folder / f"{path.stem}.{number}{path.suffix}"
        number += 1
    path.rename(target)
