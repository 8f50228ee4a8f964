"""The local page without a browser: every route, what is turned away, both languages, the server's life."""

from __future__ import annotations

import re
import socket
import threading
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from connectors.base.history import HistoryUnavailableError
from connectors.sqlite.history import SqliteHistory
from connectors.sqlite.store import SqliteSink
from desk.settings.whole import PageSettings
from desk.texts.catalogue import languages
from desk.web.page import PageError, PageServer
from desk.web.page.app import Page
from pipeline.records import AlarmPhase, Results
from streams.settings import Settings
from tests.desk.web.page.plant import PRESS, PUMP, ROBOT, SETTINGS, START, alarm, readings, store

PAGES = [
    "/",
    "/?q=press",
    "/?q=nothing+like+it",
    "/?all",
    f"/machines/{PRESS}",
    f"/machines/{PUMP}?span=0",
    f"/machines/{ROBOT}",
    f"/machines/{PRESS}?from={START}&to={START + 1000}",
    "/alarms",
    "/alarms?past=1",
    "/rejected",
]


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[SqliteSink]:
    sink = store(tmp_path)
    yield sink
    sink.close()


@pytest.fixture
def history(sink: SqliteSink) -> Iterator[SqliteHistory]:
    history = SqliteHistory(sink.path)
    yield history
    history.close()


@pytest.fixture
def client(history: SqliteHistory) -> TestClient:
    return TestClient(Page(history, SETTINGS).app(), base_url="http://127.0.0.1")


class Strict(HTMLParser):
    """Fails on unbalanced tags, double ids, and anything that the page's own policy would block."""

    VOID = frozenset({"meta", "link", "input", "br", "rect", "path", "polyline"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            assert name != "style", "the policy blocks it"
            assert not name.startswith("on"), "the policy blocks it"
            if name in ("src", "href", "action", "hx-get"):
                assert value is not None
                assert value.startswith(("/", "?", "#")), f"{value} is no address of ours"
                assert not value.startswith("//"), f"{value} is another host"
            if name == "id":
                assert value not in self.ids, f"{value} stands twice"
                self.ids.add(str(value))
        assert tag != "script" or dict(attributes).get("src")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_sound_in_every_language(client: TestClient, path: str, language: str):
    client.cookies.set("yeji-language", language)
    answer = client.get(path)
    assert answer.status_code == 200
    assert f'<html lang="{language}"' in answer.text
    Strict(answer.text)


def test_the_fleet_shows_the_worst_first(client: TestClient):
    text = client.get("/").text
    names = re.findall(r'class="name" href="[^"]*">([^<]*)', text)
    assert names == ["press-1", "pump-1", "로봇 7"]
    assert "Alarm" in text
    assert "31" in text


def test_an_empty_store_says_what_is_to_come(tmp_path: Path):
    with SqliteSink(tmp_path / "s.sqlite") as sink:
        history = SqliteHistory(sink.path)
        client = TestClient(Page(history, SETTINGS).app(), base_url="http://127.0.0.1")
        assert "No machine has sent a reading yet" in client.get("/").text
        assert "No open alarms" in client.get("/alarms").text
        assert "Nothing was rejected" in client.get("/rejected").text
        history.close()


def test_the_machine_page_names_what_raised_the_alarm(client: TestClient):
    text = client.get(f"/machines/{PRESS}").text
    for words in ("Vibration", "75 %", "9.5 mm/s", "+11.2 σ", "reaches health 30", "1 d 2 h"):
        assert words in text
    client.cookies.set("yeji-language", "ko")
    text = client.get(f"/machines/{PRESS}").text
    for words in ("진동", "원인 센서", "1일 2시간"):
        assert words in text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Commissioning</strong> · seen 1 of at least 48 hours; 17 to 19 o’clock only"),
        ("ko", "시운전</strong> · 최소 48시간 중 1시간 관측; 17시~19시만 관측"),
    ],
)
def test_the_machine_page_says_what_was_not_seen_yet(client: TestClient, language: str, words: str):
    page = client.get(f"/machines/{PRESS}", headers={"accept-language": language}).text
    assert words in page


def test_what_was_sent_to_us_is_only_text(client: TestClient):
    assert "<b>for 5 min" not in client.get(f"/machines/{PUMP}").text
    text = client.get("/rejected").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert "telemetry.frames [3] 77" in text
    text = client.get("/", params={"q": '"><script>'}).text
    assert "><script>" not in text.replace("></script>\n  <script", "")


def test_an_alarms_address_leads_to_its_machine(client: TestClient):
    one = alarm(PUMP, 100, AlarmPhase.RAISED)
    answer = client.get(f"/alarms/{one.id}", follow_redirects=False)
    assert answer.status_code == 303
    page = client.get(answer.headers["location"])
    assert page.status_code == 200
    assert f'data-alarm="{one.id}"' in page.text
    series = client.get("/api/series", params={"machine": PUMP, "alarm": one.id}).json()
    assert series["start"] <= (START + 100_000) / 1000
    assert series["end"] >= (START + 200_000) / 1000


def test_the_series_of_the_charts(client: TestClient):
    all_of_it = client.get("/api/series", params={"machine": PRESS, "span": 0, "points": 1000}).json()
    assert all_of_it["readings"] == 600
    assert all_of_it["step"] == 0
    assert (all_of_it["start"], all_of_it["end"]) == (START / 1000, START / 1000 + 599)
    vibration, temperature = all_of_it["sensors"]
    assert (vibration["label"], vibration["unit"], temperature["label"]) == (
        "Vibration",
        "mm/s",
        "temperature",
    )
    assert vibration["mean"][0] == 2.0
    assert "low" not in vibration
    assert all_of_it["threshold"] == 0.999
    assert [(a["kind"], a["start"], a["end"]) for a in all_of_it["alarms"]] == [
        ("condition", START / 1000 + 490, None)
    ]
    few = client.get("/api/series", params={"machine": PRESS, "span": 0, "points": 20}).json()
    assert few["step"] == pytest.approx(30, abs=0.1)
    assert len(few["time"]) == 20
    assert few["state"] == [1] * 16 + [3] * 4
    part = client.get("/api/series", params={"machine": PRESS, "from": START, "to": START + 9000}).json()
    assert part["readings"] == 10


def test_a_learning_machine_has_no_score(client: TestClient):
    series = client.get("/api/series", params={"machine": ROBOT}).json()
    assert set(series["score"]) == {None}
    assert "The model is learning" in client.get(f"/machines/{ROBOT}").text


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/machines/lab/one/body/line/none", 404, "has sent no reading"),
        ("/machines/x", 404, "has sent no reading"),
        ("/alarms/none", 404, "There is no such page"),
        ("/nowhere", 404, "There is no such page"),
        ("/static/none.js", 404, "There is no such page"),
        ("/static/../app.py", 404, "There is no such page"),
        ("/api/series", 404, ""),
        ("/api/series?machine=none", 404, ""),
    ],
)
def test_what_is_not_there(client: TestClient, path: str, status: int, words: str):
    answer = client.get(path)
    assert answer.status_code == status
    assert words in answer.text


@pytest.mark.parametrize(
    "query", ["span=x", "span=-5", "from=9&to=3", "from=1", "alarm=none", "span=" + "9" * 40]
)
def test_a_senseless_range_shows_the_usual_one(client: TestClient, query: str):
    assert client.get(f"/machines/{PRESS}?{query}").status_code == 200
    assert client.get(f"/api/series?machine={PRESS}&{query}").json()["readings"] > 0


def test_a_store_that_cannot_be_read(
    history: SqliteHistory, client: TestClient, monkeypatch: pytest.MonkeyPatch
):
    def broken() -> None:
        raise HistoryUnavailableError("the disk is gone: put it back")

    monkeypatch.setattr(history, "fleet", broken)
    monkeypatch.setattr(history, "version", broken)
    assert client.get("/healthz").status_code == 503
    answer = client.get("/")
    assert answer.status_code == 503
    assert "the disk is gone: put it back" in answer.text


def test_language_and_appearance_are_kept(client: TestClient):
    answer = client.post("/preferences", data={"language": "ko", "back": "/alarms"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/alarms")
    assert "미해제 알람" in client.get("/alarms").text
    client.post("/preferences", data={"theme": "dark", "back": "/"})
    assert 'data-theme="dark"' in client.get("/").text
    client.post("/preferences", data={"theme": "<x>", "language": "xx"})
    assert '<html lang="ko" data-theme="dark">' in client.get("/").text


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example", "/\\evil.example", "", "javascript:1"]
)
def test_preferences_lead_nowhere_else(client: TestClient, back: str):
    answer = client.post("/preferences", data={"back": back}, follow_redirects=False)
    assert answer.headers["location"] == "/"


# -- what is turned away


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil:80", ""]
)
def test_another_name_is_turned_away(client: TestClient, host: str):
    answer = client.get("/", headers={"host": host})
    assert answer.status_code == 421
    assert "page.hosts" in answer.text


def test_known_names_are_let_in(history: SqliteHistory):
    settings = Settings(page={"hosts": ["Yeji.Plant"]})
    client = TestClient(Page(history, settings).app())
    for host in (
        "localhost:8010",
        "127.0.0.1",
        "[::1]:8010",
        "10.1.2.3",
        "yeji.plant:80",
        socket.gethostname(),
    ):
        assert client.get("/healthz", headers={"host": host}).json() == {"status": "ok"}, host


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/nowhere", f"/api/series?machine={PRESS}"])
def test_every_answer_carries_the_security_headers(client: TestClient, path: str):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


# -- the server


def test_the_server_serves_and_stops(history: SqliteHistory):
    server = PageServer(history, SETTINGS)
    url = server.start()
    assert url == server.url
    assert server.remark == ""
    with urllib.request.urlopen(url) as answer:
        assert b"press-1" in answer.read()
    server.stop()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1].strip("/"))), 5)
    server.stop()  # again: nothing happens


def test_a_taken_port_is_stepped_around_with_a_remark(history: SqliteHistory):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = PageServer(history, Settings(page={"port": port}))
        url = server.start()
        assert str(port) not in url
        assert "YEJI_PAGE__PORT" in server.remark
        with urllib.request.urlopen(f"{url}healthz") as answer:
            assert answer.status == 200
        server.stop()


def test_an_address_that_is_not_ours_is_refused_with_the_remedy(history: SqliteHistory):
    with pytest.raises(PageError, match=r"page\.host"):
        PageServer(history, Settings(page={"host": "203.0.113.7", "port": 0})).start()


def test_open_pages_are_told_of_news_and_let_go(sink: SqliteSink, history: SqliteHistory):
    server = PageServer(history, SETTINGS)
    url = server.start()
    told = threading.Event()
    ended = threading.Event()
    opened = threading.Event()

    def listen() -> None:
        with httpx.stream("GET", f"{url}live", timeout=30) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                if line == ": alive":
                    opened.set()
                if line == "event: changed":
                    told.set()
        ended.set()

    thread = threading.Thread(target=listen)
    thread.start()
    assert opened.wait(10)
    second = 600
    while not told.wait(0.2):  # the first look of the watcher may come after the first write
        sink.write(Results(scored=[readings(PUMP, second, 1)]))
        second += 1
        assert second < 700
    server.stop()
    assert ended.wait(10)
    thread.join()


@pytest.mark.parametrize(
    ("host", "told"), [("127.0.0.1", False), ("localhost", False), ("::1", False), ("0.0.0.0", True)]
)
def test_a_page_that_the_network_can_see_says_so(tmp_path: Path, host: str, told: bool):
    sink = store(tmp_path)
    history = SqliteHistory(sink.path)
    server = PageServer(history, SETTINGS.model_copy(update={"page": PageSettings(host=host, port=0)}))
    assert ("everybody on the network" in server.remark) is told
    history.close()
    sink.close()


def test_files_are_compressed_and_pages_are_not(client: TestClient):
    """A page holds tokens on the desk, and what somebody else may choose: its length must tell nothing."""
    packed = client.get("/static/page.css", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert ".alarm-box" in packed.text
    assert "content-encoding" not in client.get("/", headers={"Accept-Encoding": "gzip"}).headers
