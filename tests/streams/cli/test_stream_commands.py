"""`yeji topics`, `produce`, `worker` and `check` as they are typed, on the real services."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Yeji = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def yeji(tmp_path: Path, unique: Callable[[str], str]) -> Yeji:
    """Run the command in a folder and with topics of its own; keyword arguments are settings."""
    topics = {
        f"YEJI_KAFKA__{name.upper()}": unique(name)
        for name in ("frames", "rejected", "alerts", "feedback", "snapshots", "group")
    }

    def run(*words: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("YEJI_")}
        command = [sys.executable, "-c", "from streams.cli import main; main()", *words]
        environment = clean | topics | {"YEJI_KAFKA__PARTITIONS": "2", "COLUMNS": "200"} | settings
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=120
        )

    return run


@pytest.mark.services
def test_from_nothing_to_readings_in_kafka(yeji: Yeji, kafka: str, influx_bucket: Any) -> None:
    settings = {
        "YEJI_KAFKA__BROKERS": kafka,
        "YEJI_INFLUX__URL": influx_bucket.url,
        "YEJI_INFLUX__ORG": influx_bucket.org,
        "YEJI_INFLUX__BUCKET": influx_bucket.bucket,
        "YEJI_INFLUX__TOKEN": influx_bucket.token,
    }
    line = json.dumps({"machine": "a/b/c/d/e", "time": 1_790_000_000_000, "sensors": {"t": 1.5}}) + "\n"
    early = yeji("produce", "--stdin", stdin=line, **settings)
    assert early.returncode == 1
    assert "Create them with `yeji topics`" in early.stderr
    early = yeji("worker", **settings)
    assert early.returncode == 1
    assert early.stderr.startswith("yeji: Topics are missing")
    assert yeji("topics", "--check", **settings).returncode == 1
    made = yeji("topics", **settings)
    assert made.returncode == 0, made.stderr
    assert made.stdout.count("created") == 5
    assert yeji("topics", "--check", **settings).returncode == 0
    sent = yeji("produce", "--stdin", stdin=line * 3, **settings)
    assert sent.returncode == 0, sent.stderr
    assert "3 readings in 3 messages acknowledged" in sent.stdout
    fine = yeji("check", **settings)
    assert fine.returncode == 0, fine.stdout
    assert "failed" not in fine.stdout
    assert influx_bucket.token not in fine.stdout + fine.stderr


def test_check_tells_the_remedy_for_each(yeji: Yeji) -> None:
    settings = {
        "YEJI_KAFKA__BROKERS": "127.0.0.1:9",
        "YEJI_INFLUX__URL": "http://127.0.0.1:9",
        "YEJI_INFLUX__TOKEN": "a-secret",
        "YEJI_GRAFANA__URL": "http://127.0.0.1:9",
        "YEJI_GRAFANA__TOKEN": "another-secret",
        "YEJI_DATA": "/proc/nowhere",
    }
    found = yeji("check", **settings)
    assert found.returncode == 1
    for remedy in ("correct kafka.brokers", "correct influx.url", "correct grafana.url", "another folder"):
        assert remedy in " ".join(found.stdout.split()), remedy
    assert found.stdout.count("failed") == 4
    assert "secret" not in found.stdout + found.stderr


def test_without_a_token(yeji: Yeji) -> None:
    found = yeji("check", YEJI_KAFKA__BROKERS="127.0.0.1:9")
    assert "set YEJI_INFLUX__TOKEN" in " ".join(found.stdout.split())


def test_produce_needs_one_source(yeji: Yeji) -> None:
    found = yeji("produce", YEJI_KAFKA__BROKERS="127.0.0.1:9")
    assert (found.returncode, found.stderr) == (1, "yeji: Give one of --csv PATH, --stdin and --simulate.\n")
