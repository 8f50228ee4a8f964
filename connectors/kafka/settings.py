"""The section [kafka]: the cluster, its topics, how to log in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from pipeline.settings import Section


class KafkaSettings(Section):
    """The Kafka cluster and its topics."""

    brokers: str = Field("127.0.0.1:9092", description="host:port, several separated by commas")
    frames: str = Field("telemetry.frames", description="topic that readings come in on")
    rejected: str = Field("telemetry.rejected", description="topic for input that was not taken")
    scores: str | None = Field(None, description="topic to publish scores on; none = do not")
    alerts: str = Field("maintenance.alerts", description="topic of alarms, compacted by alarm id")
    feedback: str = Field("maintenance.feedback", description="topic of crews' verdicts")
    snapshots: str = Field("yeji.snapshots", description="topic of model snapshots, compacted by machine")
    group: str = Field("yeji", description="consumer group, and the Faust app's id")
    partitions: int = Field(8, ge=1, description="partitions of a topic that `yeji topics` creates")
    replication: int = Field(1, ge=1, description="copies of each partition")
    max_message_bytes: int = Field(1_000_000, ge=1000, description="larger messages are rejected undecoded")
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how to connect: SSL encrypts, SASL logs in"
    )
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        "PLAIN", description="how SASL logs in"
    )
    username: str | None = Field(None, description="user of PLAIN and SCRAM")
    password: SecretStr | None = Field(None, description="that user's password")
    token_file: Path | None = Field(None, description="OAUTHBEARER: file with a token, read at each login")
    token_url: str | None = Field(None, description="OAUTHBEARER: where a client's tokens come from (https)")
    client_id: str | None = Field(None, description="OAUTHBEARER: the client that asks for tokens")
    client_secret: SecretStr | None = Field(None, description="OAUTHBEARER: that client's secret")
    ca_file: Path | None = Field(None, description="PEM file of the CA; none = the system's")
    cert_file: Path | None = Field(None, description="PEM file of our certificate, where brokers ask for one")
    key_file: Path | None = Field(None, description="PEM file of its key; none = in the same file")
    key_password: SecretStr | None = Field(None, description="password of that key")
