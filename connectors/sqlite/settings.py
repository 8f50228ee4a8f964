"""The settings of a SQLite file that results are written to."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from connectors.base.sink_settings import SinkSettings


class SqliteSinkSettings(SinkSettings):
    """A SQLite file of results, as `yeji run` writes it."""

    path: Path = Field(description="the file; its folder is there")
    keep_days: float | None = Field(
        None, gt=0, description="days of readings that are kept, back from the newest; none = all"
    )
