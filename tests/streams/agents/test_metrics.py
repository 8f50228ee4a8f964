"""The page of metrics, liveness and readiness; and the shipped alert rules, held to it."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml

from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Reason, Rejection, Results, Scored
from streams.agents.metrics import SKEWED, Metrics, MetricsServer
from streams.agents.report import Reporter

REPOSITORY = Path(__file__).resolve().parents[3]
RULES = yaml.safe_load((REPOSITORY / "deploy" / "prometheus" / "alerts.yml").read_text())
#: Prometheus' documentation, "Alerting rules" and "Recording rules": what `promtool check rules` holds to.
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["groups"],
    "properties": {
        "groups": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "rules"],
                "properties": {
                    "name": {"type": "string", "minLength": 1},
                    "interval": {"type": "string", "pattern": r"^\d+(ms|[smhdwy])$"},
                    "rules": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["alert", "expr"],
                            "properties": {
                                "alert": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                                "expr": {"type": "string", "minLength": 1},
                                "for": {"type": "string", "pattern": r"^\d+(ms|[smhdwy])$"},
                                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                                "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
                            },
                        },
                    },
                },
            },
        }
    },
}


def results() -> Results:
    """A batch with two readings, a rejection and an alarm."""
    n = 2
    scored = Scored(
        machine="a/b/c/d/e",
        machine_class="press",
        time=np.arange(n),
        sensors=("t",),
        values=np.zeros((n, 1)),
        score=np.zeros(n),
        health=np.zeros(n),
        state=np.zeros(n, dtype=np.uint8),
        contributions=np.zeros((n, 1)),
    )
    alarm = AlarmEvent(
        id="id",
        machine="a/b/c/d/e",
        machine_class="press",
        kind=AlarmKind.CONDITION,
        phase=AlarmPhase.RAISED,
        onset=0,
        time=0,
        score=1.0,
        threshold=0.9,
        severity=3,
    )
    return Results([scored], [alarm], [], [Rejection(Reason.DUPLICATE, "again", b"", 0)])


def get(port: int, path: str) -> tuple[int, str]:
    """Status and body."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_page_counts_and_tells_alive_from_ready() -> None:
    metrics = Metrics("press-hall")
    metrics.watch("lag_messages", "waiting", lambda: None)
    metrics.batch(results(), 1, None)
    metrics.stage("write", 0.2)
    ready = ["partitions are being taken over"]
    server = MetricsServer("127.0.0.1", 0, metrics, lambda: "", lambda: ready[0])
    try:
        status, text = get(server.port, "/metrics")
        assert status == 200
        for line in (
            "yeji_readings_total 2.0",
            'yeji_rejected_total{reason="duplicate"} 1.0',
            'yeji_alarm_events_total{kind="condition",phase="raised"} 1.0',
            'yeji_stage_seconds_count{stage="write"} 1.0',
            "yeji_lag_messages NaN",
            'yeji_worker_info{worker="press-hall"} 1.0',
        ):
            assert line in text.splitlines()
        assert get(server.port, "/alive") == (200, "ok\n")
        assert get(server.port, "/ready") == (503, "partitions are being taken over\n")
        ready[0] = ""
        assert get(server.port, "/ready") == (200, "ok\n")
        assert get(server.port, "/secrets")[0] == 404
    finally:
        server.close()


def test_skews_are_of_the_worst_clocks_and_bounded() -> None:
    metrics = Metrics("w")
    metrics.skews((f"m{n}", float(n)) for n in range(1000))
    found = re.findall(r'yeji_clock_skew_seconds\{machine="m(\d+)"\} (\S+)', metrics.text().decode())
    assert len(found) == SKEWED
    assert min(int(n) for n, _ in found) == 1000 - SKEWED
    metrics = Metrics("w")
    metrics.skews([("m", 100.0)])
    metrics.skews([("m", 0.0)])
    assert 'machine="m"} 80.0' in metrics.text().decode(), "it follows, and one message decides nothing"


def test_the_alert_rules_are_of_prometheus_form() -> None:
    jsonschema.validate(RULES, SCHEMA)
    names = [rule["alert"] for group in RULES["groups"] for rule in group["rules"]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("rule", RULES["groups"][0]["rules"], ids=lambda rule: rule["alert"])
def test_each_rule_speaks_of_metrics_that_there_are_and_of_a_page(rule: dict[str, str]) -> None:
    metrics = Metrics("w")
    source = (REPOSITORY / "streams" / "agents" / "report.py").read_text()
    for name in re.findall(r'metrics\.watch\(\s*"(\w+)"', source):
        metrics.watch(name, "", lambda: 0.0)
    assert Reporter.open.__doc__
    known = {line.split()[2] for line in metrics.text().decode().splitlines() if line.startswith("# TYPE")}
    for name in re.findall(r"yeji_\w+", rule["expr"]):
        assert name in known, f"{rule['alert']} asks for {name}"
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (REPOSITORY / page).read_text(), re.MULTILINE)
    assert anchor in {heading.lower() for heading in headings}
    assert rule["labels"]["severity"] in ("warning", "critical")
