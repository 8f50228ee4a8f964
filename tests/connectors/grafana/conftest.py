"""A small Grafana for each test, and settings that name it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from connectors.grafana.settings import GrafanaSettings
from connectors.influx.settings import InfluxSettings
from streams.settings import Settings
from tests.connectors.grafana.fake_grafana import TOKEN, FakeGrafana, serving


@pytest.fixture
def grafana() -> Iterator[FakeGrafana]:
    with serving(FakeGrafana()) as fake:
        yield fake


@pytest.fixture
def settings(grafana: FakeGrafana) -> Settings:
    return Settings(
        grafana=GrafanaSettings(url=grafana.url, token=SecretStr(TOKEN)),
        influx=InfluxSettings(token=SecretStr("influx-token"), org="plant", bucket="press"),
    )
