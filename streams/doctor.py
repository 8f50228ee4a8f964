"""What is wrong with a running system, and what to do: `yeji doctor`, on one page."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError as ClientError

from connectors.influx.settings import InfluxSettings
from connectors.kafka.errors import KafkaError
from connectors.kafka.security import client_options
from connectors.kafka.settings import KafkaSettings
from streams.checks import Finding, all_checks
from streams.settings import Settings

#: Waiting messages that are worth a word; rejections that are looked at; bytes free that are little.
WAITING, LOOKED_AT, LITTLE = 10_000, 2_000, 1 << 30
#: How far this machine's clock may be off InfluxDB's (s).
CLOCKS = 5.0


def diagnose(settings: Settings) -> list[Finding]:
    """Everything that `yeji check` looks at, then the workers, rejected input, clocks and disks."""
    findings = all_checks(settings)
    kafka_well = next((finding.state for finding in findings if finding.what == "Kafka"), "failed") == "ok"
    if kafka_well:
        findings += _of_the_group(settings.kafka)
        findings += _of_rejected_input(settings.kafka)
    findings += _of_clocks(settings.influx)
    findings += _of_disks(settings.data)
    return findings


def _of_the_group(settings: KafkaSettings) -> Iterator[Finding]:
    """Workers that run, and what waits for them."""
    try:
        admin: Any = KafkaAdminClient(**client_options(settings), client_id="yeji-doctor")
        try:
            group = admin.describe_groups([settings.group])[settings.group]
            offsets = admin.list_group_offsets(settings.group)[settings.group]
        finally:
            admin.close()
        waiting = _waiting(settings, {tp: one.offset for tp, one in offsets.items()})
    except (ClientError, OSError, KeyError, KafkaError) as error:
        yield Finding("workers", "failed", f"The group {settings.group} cannot be seen: {error}.")
        return
    members = len(group.get("members", []))
    if not members:
        yield Finding("workers", "failed", "None runs. Start one: `yeji worker`.")
    else:
        yield Finding("workers", "ok", f"{members} in group {settings.group}")
    total = sum(waiting.values())
    if total > WAITING:
        worst = max(waiting, key=lambda partition: waiting[partition])
        more = (
            "Start more workers"
            if members < len(waiting)
            else "Add partitions (`yeji topics --partitions N`)"
        )
        yield Finding(
            "lag",
            "failed",
            f"{total} messages wait, {waiting[worst]} of them in partition {worst}. {more}; if one partition "
            "has nearly all, one machine or a wrong key fills it.",
        )
    else:
        yield Finding("lag", "ok", f"{total} messages wait")


def _waiting(settings: KafkaSettings, committed: dict[TopicPartition, int]) -> dict[int, int]:
    consumer: Any = KafkaConsumer(**client_options(settings), client_id="yeji-doctor")
    try:
        numbers = consumer.partitions_for_topic(settings.frames) or ()
        parts = [TopicPartition(settings.frames, number) for number in sorted(numbers)]
        begins, ends = consumer.beginning_offsets(parts), consumer.end_offsets(parts)
        return {tp.partition: max(ends[tp] - max(committed.get(tp, 0), begins[tp]), 0) for tp in parts}
    finally:
        consumer.close()


def _of_rejected_input(settings: KafkaSettings) -> Iterator[Finding]:
    """The latest rejections of the last hour, by reason."""
    try:
        reasons, example = _rejections(settings)
    except (ClientError, OSError) as error:
        yield Finding("rejected input", "failed", f"{settings.rejected} cannot be read: {error}.")
        return
    if not reasons:
        yield Finding("rejected input", "ok", "none within the last hour")
        return
    counts = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common(5))
    yield Finding("rejected input", "failed", f"{counts} within the last hour. The latest: {example}")


def _rejections(settings: KafkaSettings) -> tuple[Counter[str], str]:
    consumer: Any = KafkaConsumer(
        **client_options(settings), client_id="yeji-doctor", max_partition_fetch_bytes=20_000_000
    )
    reasons: Counter[str] = Counter()
    example, latest, since = "", 0, round(time.time() * 1000) - 3_600_000
    try:
        numbers = sorted(consumer.partitions_for_topic(settings.rejected) or ())
        parts = [TopicPartition(settings.rejected, number) for number in numbers]
        ends = consumer.end_offsets(parts)
        found = consumer.offsets_for_times(dict.fromkeys(parts, since))
        consumer.assign(parts)
        for tp in parts:
            first = found.get(tp).offset if found.get(tp) else ends[tp]
            consumer.seek(tp, max(first, ends[tp] - LOOKED_AT // max(len(parts), 1)))
        while any(consumer.position(tp) < ends[tp] for tp in parts):
            for records in consumer.poll(timeout_ms=1000).values():
                for record in records:
                    headers = {
                        name: (value or b"").decode(errors="replace") for name, value in record.headers
                    }
                    if "taken" in headers:
                        continue  # no rejection: the journal of `yeji rejected retake`
                    reasons[headers.get("reason", "?")] += 1
                    if record.timestamp >= latest:
                        latest, example = record.timestamp, headers.get("detail", "")[:300]
    finally:
        consumer.close()
    return reasons, example


def _of_clocks(settings: InfluxSettings) -> Iterator[Finding]:
    """Whether this machine's clock and InfluxDB's agree."""
    try:
        began = time.time()
        answer = httpx.get(
            f"{settings.url.rstrip('/')}/ping",
            timeout=5,
            verify=True if settings.ca_file is None else str(settings.ca_file),
        )
        there = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (httpx.HTTPError, KeyError, ValueError, TypeError):
        return  # the check of InfluxDB says what is wrong
    off = (began + time.time()) / 2 - there
    if abs(off) > CLOCKS:
        yield Finding(
            "clocks",
            "failed",
            f"This machine's clock is {off:+.0f} s off InfluxDB's. Set both by NTP: silence alarms and "
            "lateness are judged by the clock.",
        )
    else:
        yield Finding("clocks", "ok", "this machine's and InfluxDB's agree")


def _of_disks(folder: Path) -> Iterator[Finding]:
    """Room for the data folder."""
    there = next((one for one in (folder, *folder.resolve().parents) if one.exists()), Path("/"))
    free = shutil.disk_usage(there).free
    if free < LITTLE:
        yield Finding("disk", "failed", f"{free >> 20} MB are free at {there}. Make room, or move `data`.")
    else:
        yield Finding("disk", "ok", f"{free >> 30} GB free at {there}")
