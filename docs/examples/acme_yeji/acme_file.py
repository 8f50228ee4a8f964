"""A sink: each machine's latest score as a small JSON file, for a display that reads files."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

from pydantic import Field

from connectors.base.contract import Sink, SinkUnavailableError
from connectors.base.sink_settings import SinkSettings
from connectors.base.sinks import SinkKind
from pipeline.records import Results


class FileSettings(SinkSettings):
    """Where the files go."""

    folder: Path = Field(description="the folder; it is made when it is missing")


class FileSink(Sink):
    """Writing the same results again writes the same files."""

    def __init__(self, settings: FileSettings) -> None:
        self.folder = settings.folder

    def setup(self) -> None:
        """Make the folder."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkUnavailableError(f"{self.folder} cannot be made: {error}.") from error

    def write(self, results: Results) -> None:
        """Return when the files are written."""
        for scored in results.scored:
            path = self.folder / (scored.machine.replace("/", "_") + ".json")
            score = float(scored.score[-1])
            latest = {
                "machine": scored.machine,
                "time": int(scored.time[-1]),
                "score": None if math.isnan(score) else score,
            }
            try:
                new = path.with_suffix(".new")
                new.write_text(json.dumps(latest), encoding="utf-8")
                os.replace(new, path)
            except OSError as error:  # a full disk: the same results come again after so many seconds
                raise SinkUnavailableError(f"{path} cannot be written: {error}.", retry_after=5.0) from error


KIND = SinkKind("acme-file", FileSettings, "acme_file:FileSink")
