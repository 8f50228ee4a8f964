"""A worker's metrics for Prometheus, and whether it lives and is ready: a small page on loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from pipeline.records import Results

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)
#: Machines with a skew in the metrics: those whose clocks are the furthest off.
SKEWED = 20


class Metrics:
    """Counters that the worker moves on, and gauges that are asked when somebody looks."""

    def __init__(self, worker: str) -> None:
        self.registry = CollectorRegistry()
        labels: dict[str, Any] = {"registry": self.registry, "namespace": "yeji"}
        info = Gauge("worker_info", "this worker, by name", ["worker"], **labels)
        info.labels(worker).set(1)
        self._readings = Counter("readings", "readings whose results are durable", **labels)
        self._messages = Counter("messages", "messages whose results are durable", **labels)
        self._late = Counter("late_readings", "readings kept as history", **labels)
        self._rejected = Counter("rejected", "rejections, by reason", ["reason"], **labels)
        self._alarms = Counter("alarm_events", "alarm events, by kind and phase", ["kind", "phase"], **labels)
        self._stages = Histogram(
            "stage_seconds", "time that one batch took in a stage", ["stage"], buckets=_SECONDS, **labels
        )
        self._delay = Histogram(
            "delay_seconds",
            "from a batch's newest record being in Kafka to its results being durable",
            buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
            **labels,
        )
        self._skew = Gauge(
            "clock_skew_seconds",
            "how far a machine's clock is ahead of the broker's, of the worst ones; transport included",
            ["machine"],
            **labels,
        )
        self._labels = labels
        self._skews: dict[str, float] = {}
        self.beat_at = time.monotonic()
        Gauge(
            "report_age_seconds", "since the report loop's last turn: it watches the rest", **labels
        ).set_function(lambda: time.monotonic() - self.beat_at)

    def watch(self, name: str, meaning: str, value: Callable[[], float | None]) -> None:
        """A gauge that is asked for its value when somebody looks; None = not known."""

        def asked() -> float:
            found = value()
            return float("nan") if found is None else float(found)

        Gauge(name, meaning, **self._labels).set_function(asked)

    def batch(self, results: Results, messages: int, newest: int | None) -> None:
        """A batch is durable; ``newest`` is the broker's time of its newest record (ms)."""
        self._readings.inc(results.readings)
        self._messages.inc(messages)
        self._late.inc(sum(len(late) for late in (*results.history, *results.complements)))
        for rejection in results.rejections:
            self._rejected.labels(rejection.reason.value).inc()
        for alarm in results.alarms:
            self._alarms.labels(alarm.kind.value, alarm.phase.value).inc()
        if newest is not None:
            self._delay.observe(max(time.time() - newest / 1000, 0.0))

    def stage(self, name: str, seconds: float) -> None:
        """One batch took so long in a stage: process, write, checkpoint."""
        self._stages.labels(name).observe(seconds)

    def skews(self, found: Iterable[tuple[str, float]]) -> None:
        """How far machines' newest readings were ahead of the broker's time (s)."""
        for machine, skew in found:
            before = self._skews.get(machine, skew)
            self._skews[machine] = before + 0.2 * (skew - before)
        if len(self._skews) > 10 * SKEWED:
            self._skews = dict(self._worst(5 * SKEWED))
        self._skew.clear()
        for machine, skew in self._worst(SKEWED):
            self._skew.labels(machine).set(skew)

    def _worst(self, most: int) -> list[tuple[str, float]]:
        return sorted(self._skews.items(), key=lambda one: -abs(one[1]))[:most]

    def text(self) -> bytes:
        """Everything, in Prometheus' text form."""
        return bytes(generate_latest(self.registry))


class MetricsServer:
    """Answers ``/metrics``, ``/alive`` (the process works) and ``/ready`` (it takes readings now).

    Not alive = to be started again; not ready = to be waited for, as while InfluxDB is away.
    """

    def __init__(
        self, host: str, port: int, metrics: Metrics, alive: Callable[[], str], ready: Callable[[], str]
    ) -> None:
        """``alive`` and ``ready`` return "" when all is well, or what is not."""

        class Handler(BaseHTTPRequestHandler):
            server_version, sys_version = "yeji", ""

            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._answer(200, CONTENT_TYPE_LATEST, metrics.text())
                    return
                asked = {"/alive": alive, "/ready": ready}.get(self.path)
                if asked is None:
                    self._answer(404, "text/plain; charset=utf-8", b"/metrics, /alive, /ready\n")
                    return
                wrong = asked()
                self._answer(
                    503 if wrong else 200, "text/plain; charset=utf-8", f"{wrong or 'ok'}\n".encode()
                )

            def _answer(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-Content-Type-Options", "nosniff")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nobody reads a line for each scrape."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()
