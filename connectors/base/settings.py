"""The settings of the pipeline and of every system that readings and results go through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, SerializeAsAny, field_validator

from connectors.base.sink_settings import SinkSettings
from connectors.base.sinks import sink_settings_of_kind
from connectors.base.source_settings import SourceSettings
from connectors.base.sources import settings_of_kind
from connectors.grafana.settings import GrafanaSettings
from connectors.influx.settings import InfluxSettings
from connectors.kafka.settings import KafkaSettings
from connectors.spool.settings import SpoolSettings
from pipeline.settings import PipelineSettings


class ConnectorsSettings(PipelineSettings):
    """What the connectors read, on top of the pipeline's own settings."""

    data: Path = Field(Path("var"), description="folder for the embedded store and a worker's own files")
    plant: Path = Field(
        Path("plant.toml"),
        description="the plant's description (docs/plant.md); the default one may be missing",
    )
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    influx: InfluxSettings = Field(default_factory=InfluxSettings)
    grafana: GrafanaSettings = Field(default_factory=GrafanaSettings)

    spool: SpoolSettings = Field(default_factory=SpoolSettings)
    sources: dict[str, SerializeAsAny[SourceSettings]] = Field(
        default_factory=dict, description="what `yeji connect` and `yeji run sources` read, by name"
    )

    sinks: dict[str, SerializeAsAny[SinkSettings]] = Field(
        default_factory=dict, description="what results are written to besides, by name (docs/extend.md)"
    )

    @field_validator("sources", mode="before")
    @classmethod
    def _of_their_kinds(cls, sources: Any) -> Any:
        if not isinstance(sources, dict):
            return sources
        return {name: settings_of_kind(value) for name, value in sources.items()}

    @field_validator("sinks", mode="before")
    @classmethod
    def _sinks_of_their_kinds(cls, sinks: Any) -> Any:
        if not isinstance(sinks, dict):
            return sinks
        return {name: sink_settings_of_kind(value) for name, value in sinks.items()}

    @property
    def max_message_bytes(self) -> int:
        """The limit of Kafka's topics, whatever a message comes through."""
        return self.kafka.max_message_bytes
