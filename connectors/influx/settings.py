"""The section [influx]: where InfluxDB is, and what is stored there."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from connectors.base.sink_settings import SinkSettings
from pipeline.settings import Section


class InfluxSettings(Section):
    """InfluxDB 2, where the worker writes."""

    url: str = Field("http://127.0.0.1:8086", description="address of its HTTP API")
    org: str = Field("yeji", description="organisation")
    bucket: str = Field("yeji", description="bucket for all measurements")
    token: SecretStr | None = Field(None, description="API token with write access to the bucket")
    ca_file: Path | None = Field(
        None, description="PEM file of the CA of an https address; none = known ones"
    )
    timeout: float = Field(10.0, gt=0, description="seconds")
    readings: bool = Field(True, description="store every sensor's value too, not only what was found")


class InfluxSinkSettings(SinkSettings, InfluxSettings):
    """Another InfluxDB 2 that results are written to."""
