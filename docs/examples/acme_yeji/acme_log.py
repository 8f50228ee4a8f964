"""A source: lines `machine;ms;sensor=value;…` of a log file that a machine's controller writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydantic import Field

from connectors.base.contract import Item, Source
from connectors.base.source_settings import SourceSettings
from connectors.base.sources import SourceKind
from pipeline.records import Frame, Reason, Rejection


class LogSettings(SourceSettings):
    """Which file."""

    path: Path = Field(description="the log file")


class LogSource(Source):
    """The lines of the file, from its beginning to its end."""

    def __init__(self, name: str, settings: LogSettings) -> None:
        self.name, self.path = name, settings.path

    def __iter__(self) -> Iterator[Item]:
        """A frame for each line, and what is no line as a rejection: nothing vanishes."""
        for line in self.path.read_bytes().splitlines():
            try:
                machine, time, *cells = line.decode().split(";")
                values = {name: float(value) for name, _, value in (cell.partition("=") for cell in cells)}
                at = np.array([int(time)], dtype=np.int64)
                yield Frame(machine, at, tuple(values), np.array([list(values.values())]))
            except ValueError as error:
                detail = f"{self.path} holds a line that is not machine;ms;sensor=value: {error}."
                yield Rejection(Reason.WRONG_TYPE, detail, line, 0, topic=self.name)


KIND = SourceKind("acme-log", LogSettings, "acme_log:LogSource")
