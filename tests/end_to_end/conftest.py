"""A stage for each test, and what an embedded run makes of the same recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.influx.settings import InfluxSettings
from connectors.kafka.settings import KafkaSettings
from streams.settings import Settings, WorkerSettings

from .recording import CLASSES
from .stage import Stage


@pytest.fixture
def stage(kafka: str, influx_bucket: Any, unique: Callable[[str], str], tmp_path: Path) -> Iterator[Stage]:
    """Topics and a bucket of this test alone."""
    settings = Settings(
        data=tmp_path / "data",
        kafka=KafkaSettings(
            brokers=kafka,
            frames=unique("frames"),
            rejected=unique("rejected"),
            alerts=unique("alerts"),
            feedback=unique("feedback"),
            snapshots=unique("snapshots"),
            group=unique("group"),
            partitions=3,
        ),
        influx=InfluxSettings(
            url=influx_bucket.url,
            org=influx_bucket.org,
            bucket=influx_bucket.bucket,
            token=influx_bucket.token,
        ),
        worker=WorkerSettings(batch_messages=20, checkpoint=0.3, report=1.0, session=6.0),
        classes=CLASSES,
    )
    one = Stage(settings, tmp_path)
    one.create()
    yield one
    one.close()
