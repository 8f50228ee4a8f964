"""The settings of an MQTT source: broker, login, TLS, and what is subscribed to."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from connectors.base.source_settings import SourceSettings
from connectors.mapping.settings import MappingSettings
from pipeline.settings import Section


class MqttConnectionSettings(Section):
    """The broker, and how to log in (docs/mqtt.md)."""

    host: str = Field("127.0.0.1", description="the broker's name or address")
    port: int | None = Field(None, ge=1, le=65535, description="its port; none = 1883, or 8883 with TLS")
    version: Literal["5", "3.1.1"] = Field("5", description="version of MQTT; 3.1.1 for old brokers")
    client_id: str | None = Field(
        None,
        description="the broker keeps for it what is not acknowledged; none = yeji- and the source's name",
    )
    keep: float = Field(
        86_400.0, ge=0, description="seconds for which the broker keeps messages for us while we are away"
    )
    keepalive: int = Field(30, ge=5, le=65535, description="seconds between signs of life")
    username: str | None = Field(None, description="user")
    password: SecretStr | None = Field(None, description="that user's password")
    tls: bool = Field(False, description="encrypt, and check the broker's certificate")
    ca_file: Path | None = Field(None, description="PEM file of the CA; none = the system's")
    cert_file: Path | None = Field(
        None, description="PEM file of our own certificate, where the broker asks for one"
    )
    key_file: Path | None = Field(None, description="PEM file of its key")


class MqttSettings(SourceSettings):
    """Readings from MQTT (docs/mqtt.md)."""

    kind: Literal["mqtt"] = Field("mqtt", description="this section's kind")
    broker: MqttConnectionSettings = Field(default_factory=MqttConnectionSettings)
    topics: list[str] = Field(
        default_factory=lambda: ["#"],
        min_length=1,
        description="patterns that are subscribed to, as plant/+/telemetry",
    )
    qos: Literal[0, 1] = Field(
        1, description="1 = acknowledged when Kafka or the spool has it; 0 = may be lost"
    )
    retained: Literal["timed", "ignore", "take"] = Field(
        "timed",
        description="messages that the broker had kept: taken when the payload holds a time and was not "
        "taken before, never, or always",
    )
    mapping: MappingSettings = Field(default_factory=MappingSettings)

    @field_validator("topics")
    @classmethod
    def _patterns(cls, topics: list[str]) -> list[str]:
        for topic in topics:
            levels = topic.split("/")
            if (
                not topic
                or "#" in "".join(levels[:-1])
                or any(len(x) > 1 and set(x) & set("+#") for x in levels)
            ):
                raise ValueError(
                    f"{topic!r} is no pattern: + stands for one level, # for all that follow at the end"
                )
        return topics
