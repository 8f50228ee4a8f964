"""`yeji doctor` on the real services: each thing that is wrong is named with what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from connectors.influx.settings import InfluxSettings
from connectors.kafka.settings import KafkaSettings
from connectors.kafka.topics import Topics
from streams import doctor
from streams.doctor import diagnose
from streams.settings import Settings


@pytest.fixture
def settings(kafka: str, influx_bucket: Any, unique: Callable[[str], str], tmp_path: Path) -> Settings:
    """Topics and a bucket of this test alone, none made yet."""
    names = ("frames", "rejected", "alerts", "feedback", "snapshots", "group")
    known = {name: getattr(influx_bucket, name) for name in ("url", "org", "bucket", "token")}
    return Settings(
        data=tmp_path,
        kafka=KafkaSettings(brokers=kafka, partitions=2, **{name: unique(name) for name in names}),
        influx=InfluxSettings(**known),
    )


def found(settings: Settings) -> dict[str, tuple[str, str]]:
    """State and text by what was looked at."""
    return {one.what: (one.state, one.text) for one in diagnose(settings)}


@pytest.mark.services
def test_what_is_wrong_is_named_with_the_remedy(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = f"topic {settings.kafka.frames}"
    assert found(settings)[topic] == ("failed", "It is missing. Create it with `yeji topics`.")
    topics = Topics(settings.kafka)
    topics.apply(topics.check())
    topics.close()
    producer = KafkaProducer(bootstrap_servers=settings.kafka.brokers)
    for n in range(30):
        producer.send(settings.kafka.frames, b"x", partition=n % 2)
    headers = [("reason", b"not-json"), ("detail", b"Not JSON: send JSON")]
    producer.send(settings.kafka.rejected, b"x", headers=headers)
    producer.flush()
    producer.close()
    monkeypatch.setattr(doctor, "WAITING", 10)
    seen = found(settings)
    assert seen["Kafka"][0] == seen["InfluxDB"][0] == seen["clocks"][0] == seen["disk"][0] == "ok"
    assert seen["workers"] == ("failed", "None runs. Start one: `yeji worker`.")
    state, text = seen["lag"]
    assert (state, text.startswith("30 messages wait, 15 of them")) == ("failed", True)
    assert seen["rejected input"] == (
        "failed",
        "1 not-json within the last hour. The latest: Not JSON: send JSON",
    )


def test_services_that_are_away_end_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LITTLE", 1 << 62)
    away = Settings(
        data=tmp_path,
        kafka=KafkaSettings(brokers="127.0.0.1:9"),
        influx=InfluxSettings(url="http://127.0.0.1:9", token="t"),
    )
    seen = found(away)
    assert seen["Kafka"][0] == seen["InfluxDB"][0] == seen["disk"][0] == "failed"
    assert "workers" not in seen
