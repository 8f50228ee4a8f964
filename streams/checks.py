"""Checks of every service that the settings name: one finding each, with the remedy when it fails."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

from connectors.base.contract import SinkUnavailableError
from connectors.base.sinks import open_sinks
from connectors.grafana.settings import GrafanaSettings
from connectors.influx.settings import InfluxSettings
from connectors.influx.sink import InfluxSink
from connectors.kafka.errors import KafkaError
from connectors.kafka.settings import KafkaSettings
from connectors.kafka.topics import Topics, TopicState
from pipeline.settings import SettingsError
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: ``text`` says what was found, or what to do."""

    what: str
    state: Literal["ok", "failed", "skipped"]
    text: str


def all_checks(settings: Settings, *, create: bool = False) -> list[Finding]:
    """Every check, in the order of the way of a reading."""
    return [
        *kafka_checks(settings.kafka, create=create),
        *sink_checks(settings, create=create),
        grafana_check(settings.grafana),
        data_check(settings.data),
    ]


def kafka_checks(settings: KafkaSettings, *, create: bool = False) -> Iterator[Finding]:
    """The brokers, then each topic."""
    try:
        topics = Topics(settings)
    except KafkaError as error:
        yield Finding("Kafka", "failed", str(error))
        return
    try:
        reports = topics.check()
        if create:
            reports = topics.apply(reports)
    except KafkaError as error:
        yield Finding("Kafka", "failed", str(error))
        return
    finally:
        topics.close()
    yield Finding("Kafka", "ok", f"{settings.brokers}, {settings.security}")
    for report in reports:
        what = f"topic {report.spec.name}"
        if report.state is TopicState.MISSING:
            yield Finding(what, "failed", "It is missing. Create it with `yeji topics`.")
        elif report.state is TopicState.DIFFERENT:
            wrong = [
                *report.problems,
                *(f"{k} is not {v}: run `yeji topics`" for k, v in report.settable.items()),
            ]
            yield Finding(what, "failed", "; ".join(wrong))
        else:
            yield Finding(what, "ok", f"{report.partitions} partitions")


def sink_checks(settings: Settings, *, create: bool = False) -> Iterator[Finding]:
    """Each sink that a worker writes to."""
    for name in settings.worker.sinks:
        if name == "influx" and name not in settings.sinks:
            yield from influx_checks(settings.influx, create=create)
            continue
        try:
            for sink in open_sinks([name], settings).values():
                sink.close()
        except (SettingsError, SinkUnavailableError) as error:
            yield Finding(f"sink {name}", "failed", str(error))
        else:
            yield Finding(f"sink {name}", "ok", "it can be written to")


def influx_checks(settings: InfluxSettings, *, create: bool = False) -> Iterator[Finding]:
    """Address, token, bucket, and the right to write."""
    try:
        sink = InfluxSink(settings)
    except SinkUnavailableError as error:
        yield Finding("InfluxDB", "failed", str(error))
        return
    try:
        if create and sink.find_bucket() is None:
            sink.create_bucket()
        sink.setup()
        yield Finding(
            "InfluxDB", "ok", f"{settings.url}, bucket {settings.bucket!r}: the token may write to it"
        )
    except SinkUnavailableError as error:
        yield Finding("InfluxDB", "failed", str(error))
    finally:
        sink.close()


def grafana_check(settings: GrafanaSettings) -> Finding:
    """Grafana is checked when there is a login for it: without credentials no process of Yeji uses it."""
    headers, auth = {}, None
    if settings.token is not None:
        headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
    elif settings.user is not None and settings.password is not None:
        auth = httpx.BasicAuth(settings.user, settings.password.get_secret_value())
    else:
        return Finding("Grafana", "skipped", "not configured (YEJI_GRAFANA__TOKEN is not set)")
    try:
        answer = httpx.get(f"{settings.url.rstrip('/')}/api/folders", headers=headers, auth=auth, timeout=10)
    except httpx.HTTPError as error:
        return Finding(
            "Grafana",
            "failed",
            f"{settings.url} cannot be reached ({type(error).__name__}). Start it, or correct grafana.url.",
        )
    if answer.status_code in (401, 403):
        return Finding(
            "Grafana", "failed", "The login is not accepted: make a service account's with the Admin role."
        )
    if answer.is_error:
        return Finding(
            "Grafana",
            "failed",
            f"{settings.url} answers {answer.status_code}. Correct grafana.url.",
        )
    return Finding("Grafana", "ok", settings.url)


def data_check(folder: Path) -> Finding:
    """The data folder can be made and written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding(
            "data folder",
            "failed",
            f"{folder} cannot be written by user {os.getuid()} ({error.strerror}). Correct its rights, or "
            "set `data` to another folder.",
        )
    return Finding("data folder", "ok", str(folder.resolve()))
