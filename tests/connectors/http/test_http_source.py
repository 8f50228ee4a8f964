"""HTTP over loopback: forms of bodies, tokens, and answers only when readings are safe."""

from __future__ import annotations

import gzip
import json
import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import cramjam
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.http.bodies import BodyError, BodyTooLargeError, unfold
from connectors.http.remote_write import RemoteWriteError, WriteRequest, items
from connectors.http.settings import HttpSettings
from connectors.http.source import HttpSource
from pipeline.records import Reason
from tests.connectors.collecting import Collected, collecting, until
from tests.connectors.pages import blocks, source_of

TIME = 1_790_000_000_000
MACHINE = "acme/gj/body/line-1/press-1"


@contextmanager
def listening(*, acknowledges: bool = True, **settings: Any) -> Iterator[tuple[httpx.Client, Collected]]:
    one = HttpSource("gate", HttpSettings.model_validate({"kind": "http", "port": 0, **settings}))
    with collecting(one, acknowledges=acknowledges) as got:
        until(lambda: one.status.connected)
        with httpx.Client(base_url=f"http://127.0.0.1:{one.port}", timeout=30) as client:
            yield client, got


def reading(time: int = TIME, **values: float) -> dict[str, Any]:
    return {"machine": MACHINE, "time": time, "sensors": values}


def test_json_is_taken_alone_as_a_list_and_as_lines() -> None:
    with listening() as (client, got):
        assert client.post("/readings", json=reading(temp=1.0)).status_code == 204
        assert (
            client.post(
                "/readings", json=[reading(TIME + 1, temp=2.0), reading(TIME + 2, temp=3.0)]
            ).status_code
            == 204
        )
        lines = "\n".join(json.dumps(reading(TIME + n, temp=1.0 + n)) for n in (3, 4))
        answer = client.post("/readings", content=lines, headers={"content-type": "application/x-ndjson"})
        assert answer.status_code == 204
        assert got.values("temp") == [1.0, 2.0, 3.0, 4.0, 5.0]
        assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/api/v2/write?bucket=b&org=o&precision=ns", "/write?db=telegraf"])
def test_line_protocol_as_telegraf_sends_it(path: str) -> None:
    body = f"pump,host=press-1 temp=61.5,rpm=1480i {TIME}000000\n".encode()
    with listening(mapping={"levels": "acme/gj/body/line-1"}) as (client, got):
        answer = client.post(path, content=gzip.compress(body), headers={"content-encoding": "gzip"})
        assert answer.status_code == 204
        (frame,) = got.frames
        assert (frame.machine, frame.time.tolist()) == (MACHINE, [TIME])
        assert set(frame.values[0].tolist()) == {61.5, 1480.0}


def remote_write(*series: tuple[dict[str, str], list[tuple[int, float]]]) -> bytes:
    request = WriteRequest()
    for labels, samples in series:
        added = request.timeseries.add()
        for name, value in labels.items():
            added.labels.add(name=name, value=value)
        for at, value in samples:
            added.samples.add(timestamp=at, value=value)
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def test_prometheus_remote_write() -> None:
    labels = {"__name__": "temperature", "job": "plc", "instance": "10.0.0.1:9100", "machine": "press-1"}
    body = remote_write(
        (labels, [(TIME, 61.5), (TIME + 1000, 62.0)]), ({**labels, "zone": "oil"}, [(TIME, 40.0)])
    )
    with listening(mapping={"levels": "acme/gj/body/line-1"}) as (client, got):
        headers = {"content-encoding": "snappy", "content-type": "application/x-protobuf"}
        assert client.post("/api/v1/write", content=body, headers=headers).status_code == 204
        frame = got.by_machine()[MACHINE]
        assert dict(zip(frame.sensors, frame.values[0].tolist(), strict=True)) == {
            "temperature": 61.5,
            "temperature{zone=oil}": 40.0,
        }
        assert client.post("/api/v1/write", content=b"junk").status_code == 400


def test_a_request_is_answered_only_when_its_readings_are_durable() -> None:
    with listening(acknowledges=False) as (client, got):
        answers: list[int] = []
        asking = threading.Thread(
            target=lambda: answers.append(client.post("/readings", json=reading(temp=1.0)).status_code)
        )
        asking.start()
        got.until(lambda c: c.frames)
        time.sleep(0.2)
        assert answers == []
        got.acknowledge_all()
        asking.join(10)
        assert answers == [204]


def test_a_request_that_is_not_safe_in_time_is_to_be_sent_again() -> None:
    with listening(acknowledges=False, patience=0.3) as (client, _):
        answer = client.post("/readings", json=reading(temp=1.0))
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"


def test_what_is_rejected_is_said_in_the_answer_and_kept() -> None:
    with listening() as (client, got):
        answer = client.post(
            "/readings", json=[reading(temp=1.0), {"machine": MACHINE, "time": "soon", "temp": 1}]
        )
        assert answer.status_code == 200
        assert answer.json()["readings"] == 1
        assert answer.json()["rejected"][0]["reason"] == "time-invalid"
        answer = client.post("/readings", content=b"{not json")
        assert (answer.status_code, answer.json()["rejected"][0]["reason"]) == (400, "not-json")
        assert [one.reason for one in got.rejections] == [Reason.TIME_INVALID, Reason.NOT_JSON]
        assert got.rejections[1].original == b"{not json"


def test_a_token_says_for_which_machines_one_may_speak() -> None:
    tokens = {
        "body": {"token": "b" * 20, "under": "acme/gj"},
        "paint": {"token": "p" * 20, "under": "acme/ulsan"},
    }
    with listening(tokens=tokens) as (client, got):
        assert client.post("/readings", json=reading(temp=1.0)).status_code == 401
        wrong = {"authorization": "Bearer x"}
        assert client.post("/readings", json=reading(temp=1.0), headers=wrong).status_code == 401
        assert got.items == []
        body = {"authorization": "Bearer " + "b" * 20}
        assert client.post("/readings", json=reading(temp=1.0), headers=body).status_code == 204
        influx = {"authorization": "Token " + "b" * 20}
        line = f"m,machine=press-2 temp=1 {TIME}000000"
        assert client.post("/api/v2/write", content=line, headers=influx).status_code == 204
        paint = {"authorization": "Bearer " + "p" * 20}
        answer = client.post("/readings", json=reading(temp=2.0), headers=paint)
        assert answer.status_code == 400
        assert "'paint' may send for machines under acme/ulsan only" in answer.json()["rejected"][0]["detail"]
        assert {frame.machine for frame in got.frames} == {MACHINE, "acme/gj/area/line/press-2"}
        assert json.loads(got.rejections[0].original) == reading(temp=2.0)


def test_bodies_are_bounded_as_they_come_and_unfolded() -> None:
    with listening(max_body_bytes=10_000) as (client, got):
        assert client.post("/readings", content=b" " * 10_001).status_code == 413
        bomb = gzip.compress(b" " * 10_000_000)
        assert (
            client.post("/readings", content=bomb[:10_000], headers={"content-encoding": "gzip"}).status_code
            == 413
        )
        half = gzip.compress(json.dumps(reading(temp=1.0)).encode())[:-3]
        assert client.post("/readings", content=half, headers={"content-encoding": "gzip"}).status_code == 400
        other = client.post("/readings", content=b"x", headers={"content-encoding": "br"})
        assert (other.status_code, other.json()["message"]) == (
            400,
            "Content-Encoding 'br' is not read; send gzip or none.",
        )
        assert got.items == []


def test_who_is_reached_from_elsewhere_needs_tokens() -> None:
    with pytest.raises(ValueError, match="is reached from elsewhere: set tokens"):
        HttpSettings(host="0.0.0.0")
    HttpSettings(host="localhost")


def test_a_port_that_is_taken_is_an_error_that_says_so() -> None:
    with listening() as (client, _):
        taken = HttpSource("second", HttpSettings(port=client.base_url.port or 0))
        with pytest.raises(OSError, match="in use"):
            list(taken)


def test_the_examples_of_the_page_are_the_readings_that_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    _, settings = source_of("http.md")
    settings |= {"host": "127.0.0.1", "port": 0}
    settings["tokens"]["body-shop"]["token"] = "a-token-of-the-body-shop"
    with listening(**settings) as (client, got):
        for block, machine in zip(
            [block for block in blocks("http.md") if block.startswith("curl")],
            ["acme/gwangju/area/line/body~2Fline-1~2Fpress-07", "acme/gwangju/body/line-1/press-07"],
            strict=True,
        ):
            words = shlex.split(block.replace("$TOKEN", "a-token-of-the-body-shop"))
            name, _, value = words[words.index("-H") + 1].partition(": ")
            url = next(word for word in words if word.startswith("http"))
            body = words[words.index("-d") + 1]
            path = httpx.URL(url).path
            assert client.post(path, content=body, headers={name: value}).status_code == 204
            assert got.frames[-1].machine == machine


@given(st.binary(max_size=100), st.sampled_from(["", "gzip", "identity", "x"]))
def test_unfolding_ends_in_bytes_or_in_an_error_that_is_expected(body: bytes, encoding: str) -> None:
    with suppress(BodyError, BodyTooLargeError):
        assert len(unfold(body, encoding, 1000)) <= 1000


@given(st.binary(max_size=100))
def test_no_bytes_end_remote_write(body: bytes) -> None:
    with suppress(RemoteWriteError):
        items(body, 1000)
