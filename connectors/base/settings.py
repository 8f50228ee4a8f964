"""The settings of the pipeline and of every system that readings and results go through."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from connectors.grafana.settings import GrafanaSettings
from connectors.influx.settings import InfluxSettings
from connectors.kafka.settings import KafkaSettings
from pipeline.settings import PipelineSettings


class ConnectorsSettings(PipelineSettings):
    """What the connectors read, on top of the pipeline's own settings."""

    data: Path = Field(Path("var"), description="folder for the embedded store and a worker's own files")
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    influx: InfluxSettings = Field(default_factory=InfluxSettings)
    grafana: GrafanaSettings = Field(default_factory=GrafanaSettings)

    @property
    def max_message_bytes(self) -> int:
        """The limit of Kafka's topics, whatever a message comes through."""
        return self.kafka.max_message_bytes
