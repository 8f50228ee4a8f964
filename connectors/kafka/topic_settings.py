"""The settings of a source that reads topics that are there already."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from connectors.base.source_settings import SourceSettings
from connectors.kafka.settings import KafkaSettings
from connectors.mapping.settings import MappingSettings
from pipeline.settings import Section


class KafkaClusterSettings(Section):
    """The cluster that the topics are in, and how to log in."""

    brokers: str = Field("127.0.0.1:9092", description="host:port, several separated by commas")
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how to connect: SSL encrypts, SASL logs in"
    )
    username: str | None = Field(None, description="user of SASL (mechanism PLAIN)")
    password: SecretStr | None = Field(None, description="that user's password")
    ca_file: Path | None = Field(None, description="PEM file of the CA; none = the system's")

    def connection(self) -> KafkaSettings:
        """The same as `connectors.kafka.security` takes it."""
        return KafkaSettings(
            brokers=self.brokers,
            security=self.security,
            username=self.username,
            password=self.password,
            ca_file=self.ca_file,
        )


class KafkaTopicSettings(SourceSettings):
    """Readings from existing Kafka topics, however they are keyed and partitioned (docs/kafka-topic.md)."""

    kind: Literal["kafka"] = Field("kafka", description="this section's kind")
    cluster: KafkaClusterSettings = Field(default_factory=KafkaClusterSettings)
    topics: list[str] = Field(min_length=1, description="topics to read")
    group: str = Field("yeji-connect", description="consumer group: its offsets say where to go on")
    begin: Literal["latest", "earliest"] = Field("latest", description="where a new group begins")
    values: Literal["text", "avro"] = Field(
        "text",
        description="text = JSON or line protocol by the mapping, avro = with a schema id of a registry",
    )
    registry: str = Field("http://127.0.0.1:8081", description="schema registry (Confluent's API), for avro")
    mapping: MappingSettings = Field(
        default_factory=MappingSettings,
        description="{topic[0]} is the Kafka topic, {key} in `machine` the key",
    )
