"""The settings of a folder that files are dropped into."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from connectors.base.source_settings import SourceSettings
from connectors.mapping.settings import MappingSettings
from connectors.mapping.times import zone_of
from pipeline.settings import Section


class CsvFileSettings(Section):
    """How CSV files are read, where it is not found out (docs/csv.md)."""

    under: str | None = Field(None, description="four levels in front of a machine's own name")
    machine_column: str | None = Field(None, description="column that names the machine")
    time_column: str | None = Field(None, description="column of the time")
    time_format: str | None = Field(None, description="as in strptime: %d.%m.%Y %H:%M")
    timezone: str = Field("UTC", description="zone of times that name none, as Asia/Seoul")
    sensor_column: str | None = Field(None, description="column that names the sensor, one value a row")
    value_column: str | None = Field(None, description="column of that value")
    ignore: list[str] = Field(default_factory=list, description="columns that are no sensors")
    delimiter: str | None = Field(None, description="between cells")
    decimal: str | None = Field(None, description="decimal sign, . or ,")
    encoding: str | None = Field(None, description="as cp949")

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        zone_of(name)
        return name


class FolderSettings(SourceSettings):
    """Readings from files that are dropped into a folder (docs/folder.md)."""

    kind: Literal["folder"] = Field("folder", description="this section's kind")
    path: Path = Field(
        description="the folder; files that were read are moved to `done` in it, others to `failed`"
    )
    settle: float = Field(
        5.0, ge=0, description="seconds for which a file must not have changed before it is read"
    )
    every: float = Field(2.0, gt=0, description="seconds between looks into the folder")
    ignore: list[str] = Field(
        default_factory=lambda: ["*.part", "*.tmp", "*.partial", "*.crdownload", "~*", ".*"],
        description="patterns of names of files that are still being written",
    )
    machine: str = Field(
        "",
        description="regular expression on a file's name whose group `machine` names the machine, as "
        r"(?P<machine>[^_]+)_.*",
    )
    csv: CsvFileSettings = Field(default_factory=CsvFileSettings)
    mapping: MappingSettings = Field(
        default_factory=MappingSettings, description="what JSON files (.json, .jsonl, .ndjson) and .lp mean"
    )

    @field_validator("machine")
    @classmethod
    def _names_a_machine(cls, text: str) -> str:
        try:
            pattern = re.compile(text)
        except re.error as error:
            raise ValueError(f"{text!r} is no regular expression: {error}") from None
        if text and "machine" not in pattern.groupindex:
            raise ValueError(f"{text!r} has no group (?P<machine>…)")
        return text
