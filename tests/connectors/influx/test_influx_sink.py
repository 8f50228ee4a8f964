"""Results into the real InfluxDB: all of them, once; a bad line stops nothing; trouble is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from influxdb_client import InfluxDBClient

from connectors.base.contract import SinkUnavailableError
from connectors.base.stats import WorkerStats
from connectors.influx.settings import InfluxSettings
from connectors.influx.sink import InfluxSink
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Prognosis, Reason, Rejection, Results, Scored

START = 1_790_000_000_000


def settings_of(service: Any, **changes: Any) -> InfluxSettings:
    """Settings for this InfluxDB."""
    known = {"url": service.url, "org": service.org, "bucket": service.bucket, "token": service.token}
    return InfluxSettings(**(known | changes))


def scored(machine: str = "a/b/c/d/press 7", sensors: tuple[str, ...] = ("temp",), n: int = 3) -> Scored:
    """Some results."""
    k = len(sensors)
    return Scored(
        machine=machine,
        machine_class="press",
        time=START + np.arange(n) * 10,
        sensors=sensors,
        values=np.arange(n * k, dtype=float).reshape(n, k) / 3,
        score=np.linspace(0, 1, n),
        health=np.full(n, 99.5),
        state=np.full(n, 3, dtype=np.uint8),
        contributions=np.full((n, k), 1 / k),
    )


def rows(service: Any, measurement: str) -> list[tuple[str, str, Any]]:
    """(field, machine, value) of everything in a measurement, in the order of time."""
    flux = (
        f'from(bucket: "{service.bucket}") |> range(start: 0, stop: 2100-01-01T00:00:00Z) '
        f'|> filter(fn: (r) => r._measurement == "{measurement}")'
    )
    with InfluxDBClient(service.url, service.token, org=service.org) as client:
        return [
            (r.get_field(), r.values.get("machine", ""), r.get_value())
            for table in client.query_api().query(flux)
            for r in table.records
        ]


@pytest.mark.services
def test_results_come_back_exactly_and_once(influx_bucket: Any) -> None:
    alarm = AlarmEvent(
        id="id",
        machine="a/b/c/d/press 7",
        machine_class="press",
        kind=AlarmKind.CONDITION,
        phase=AlarmPhase.RAISED,
        onset=START,
        time=START,
        score=0.9999,
        threshold=0.99,
        severity=3,
    )
    prognosis = Prognosis("a/b/c/d/press 7", "press", START, 80.0, 40.0, 12.5, None, 20.0)
    rejections = [
        Rejection(Reason.DUPLICATE, "too late", b"{}", START, "m", offset=n, topic="t") for n in range(3)
    ]
    results = Results([scored(sensors=("temp", "time", 'a "b", c\\'))], [alarm], [prognosis], rejections)
    with InfluxSink(settings_of(influx_bucket)) as sink:
        sink.write(results)
        sink.write(results)
        assert sink.drain_refused() == []
    values = results.scored[0].values
    found = rows(influx_bucket, "reading")
    for column, name in enumerate(("temp", "time_", 'a "b", c＼')):
        assert [value for field, _, value in found if field == name] == values[:, column].tolist()
    assert {machine for _, machine, _ in found} == {"a/b/c/d/press 7"}
    assert [value for field, _, value in found if field == "score"] == [0.0, 0.5, 1.0]
    assert len(rows(influx_bucket, "contribution")) == 9
    assert ("id", "a/b/c/d/press 7", "id") in rows(influx_bucket, "alarm")
    assert ("remaining", "a/b/c/d/press 7", 12.5) in rows(influx_bucket, "prognosis")
    counts = [value for field, _, value in rows(influx_bucket, "rejected") if field == "count"]
    assert counts == [1, 1, 1]


@pytest.mark.services
def test_findings_without_readings(influx_bucket: Any) -> None:
    with InfluxSink(settings_of(influx_bucket, readings=False)) as sink:
        sink.write(Results([scored()]))
    found = rows(influx_bucket, "reading")
    assert len(found) == 9
    assert {field for field, _, _ in found} == {"score", "health", "state"}


@pytest.mark.services
def test_sensors_named_as_what_is_found(influx_bucket: Any) -> None:
    sensors = ("score", "state_", "health")
    with InfluxSink(settings_of(influx_bucket)) as sink:
        sink.write(Results([scored(sensors=sensors)]))
        assert sink.drain_refused() == []
    found = rows(influx_bucket, "reading")
    for column, name in enumerate(("score_", "state__", "health_")):
        values = scored(sensors=sensors).values[:, column].tolist()
        assert [value for field, _, value in found if field == name] == values
    assert [value for field, _, value in found if field == "score"] == [0.0, 0.5, 1.0]


@pytest.mark.services
@pytest.mark.parametrize("compressed", [False, True])
def test_one_bad_line_costs_one_line(influx_bucket: Any, compressed: bool) -> None:
    sink = InfluxSink(settings_of(influx_bucket))
    sink._compress = compressed
    good = [b"m,machine=x value=%d %d" % (n, START + n) for n in range(500)]
    conflict = b"m,machine=x value=1i %d" % (START + 1000)
    lines = [*good[:200], conflict, b"m,machine=x broken", *good[200:]]
    sink.write_lines(b"\n".join(lines) + b"\n", "ms")
    refused = sink.drain_refused()
    sink.close()
    assert [one.line for one in refused] == [conflict, b"m,machine=x broken"]
    assert "field type conflict" in refused[0].reason
    assert len(rows(influx_bucket, "m")) == 500


@pytest.mark.services
def test_statistics(influx_bucket: Any) -> None:
    with InfluxSink(settings_of(influx_bucket)) as sink:
        sink.write_stats(
            WorkerStats(
                worker="w",
                time=START,
                readings=10,
                messages=2,
                rejected=0,
                machines=1,
                lag=None,
                batch_ms=1.5,
            )
        )
    assert {field: value for field, _, value in rows(influx_bucket, "worker")}["batch_ms"] == 1.5


@pytest.mark.services
@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"token": "no-such-token"}, "the token is not accepted: check influx.token"),
        ({"bucket": "no-such-bucket"}, "or run `yeji check --create`"),
        ({"url": "http://127.0.0.1:9"}, "Start it, or correct influx.url"),
    ],
)
def test_what_is_wrong_is_told_with_the_remedy(influx: Any, changes: dict[str, str], remedy: str) -> None:
    sink = InfluxSink(settings_of(influx, **changes))
    with pytest.raises(SinkUnavailableError, match=remedy) as caught:
        sink.setup()
    assert influx.token not in str(caught.value)
    with pytest.raises(SinkUnavailableError):
        sink.write(Results([scored()]))
    assert sink.drain_refused() == []
    sink.close()


def test_no_token() -> None:
    with pytest.raises(SinkUnavailableError, match="YEJI_INFLUX__TOKEN"):
        InfluxSink(InfluxSettings())


class Stubborn(BaseHTTPRequestHandler):
    """Answers every write with the status that the server is told."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.status  # type: ignore[attr-defined]
        body = self.server.body  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Retry-After", "7")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) + self.server.cut))  # type: ignore[attr-defined]
        self.end_headers()
        self.wfile.write(body)
        self.server.asked += 1  # type: ignore[attr-defined]

    def log_message(self, *_: Any) -> None:
        """Silence."""


@pytest.fixture
def stubborn() -> Iterator[Any]:
    """A server that gives the same answer to everything: ``status``; ``asked`` counts."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Stubborn)
    server.asked = server.cut = 0
    server.body = b'{"code": "trouble", "message": "partial write: beyond retention policy dropped=3"}'
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again_later(stubborn: Any, status: int) -> None:
    stubborn.status = status
    sink = InfluxSink(InfluxSettings(url=f"http://127.0.0.1:{stubborn.server_port}", token="t"))
    with pytest.raises(SinkUnavailableError, match="are written again") as caught:
        sink.write_lines(b"m v=1 1\n", "ms")
    assert caught.value.retry_after == 7
    assert sink.drain_refused() == []
    sink.close()


def test_a_body_that_is_refused_whole_is_not_cut_up(stubborn: Any) -> None:
    stubborn.status = 422
    sink = InfluxSink(InfluxSettings(url=f"http://127.0.0.1:{stubborn.server_port}", token="t"))
    sink.write_lines(b"m v=1 1\nm v=2 2\nm v=3 3\n", "ms")
    assert len(sink.drain_refused()) == 3
    assert stubborn.asked == 1
    sink.close()


@pytest.mark.parametrize(
    ("status", "body", "cut"),
    [
        (502, "<h1>Fehler: Gateway überlastet</h1>".encode("latin-1"), 0),
        (503, b"\xff\xfe\x00", 0),
        (400, b"<html>no such host</html>", 0),
        (422, b"", 0),
        (302, b"sign in", 0),
        (200, b"<html>Please sign in to the guest network</html>", 0),
        (500, b"cut", 100),
    ],
)
def test_whatever_a_proxy_answers_the_lines_are_kept(
    stubborn: Any, status: int, body: bytes, cut: int
) -> None:
    stubborn.status, stubborn.body, stubborn.cut = status, body, cut
    sink = InfluxSink(InfluxSettings(url=f"http://127.0.0.1:{stubborn.server_port}", token="t", timeout=2.0))
    for call in (sink.setup, lambda: sink.write_lines(b"m v=1 1\n", "ms"), sink.create_bucket):
        with pytest.raises(SinkUnavailableError, match=r"127\.0\.0\.1"):
            call()
    assert sink.drain_refused() == []
    sink.close()
