"""`yeji plant`, as it is called; and a description that changes while a run goes on."""

from __future__ import annotations

import threading
import tomllib
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from connectors.base.contract import Source
from connectors.sqlite.history import SqliteHistory
from connectors.sqlite.store import SqliteSink
from desk.web.page.app import Page
from pipeline.pipeline import Pipeline
from pipeline.records import AlarmPhase, Frame
from streams.cli import make_app
from streams.embedded.run import EmbeddedRun
from streams.plant_watch import PlantWatch
from streams.settings import Settings, load_settings
from tests.conftest import MqttBroker
from tests.connectors.collecting import until
from tests.connectors.mqtt.brokers import publish
from tests.streams.embedded.test_embedded import Heard

PRESS = "acme/gwangju/body/line-2/press-07"
PLANT = """
enterprise = "acme"
site = "gwangju"
[classes.press]
[classes.press.sensors.temperature]
unit = "degC"
warn = 70
[[machines]]
id = "press-07"
area = "body"
line = "line-2"
class = "press"
name = { en = "Big press", ko = "대형 프레스" }
"""
SETTINGS = """
[classes.press.learning]
warmup = 40
[classes.press.alarm]
on_delay = 3
off_delay = 5
min_readings = 3
[classes.default]
[intake]
wait = 0
[sources.hall-3]
kind = "mqtt"
topics = ["plant/+/telemetry"]
broker = { port = 1 }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("YEJI_CONFIG", raising=False)
    (tmp_path / "yeji.toml").write_text(SETTINGS)
    (tmp_path / "plant.toml").write_text(PLANT)
    return tmp_path


def yeji(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(make_app(), ["plant", *arguments], catch_exceptions=code != 0)
    assert result.exit_code == code, result.output
    return result.output if code == 0 else str(result.exception)


def test_check_and_show(folder: Path) -> None:
    assert "1 machines" in yeji("check")
    shown = yeji("show", "--language", "ko")
    assert PRESS in shown
    assert "대형 프레스" in shown
    assert "warn 70" in shown
    (folder / "plant.toml").write_text(PLANT.replace('class = "press"', 'class = "pres"'))
    assert "line 12: machines[0].class: there is no class 'pres'" in yeji("check", code=1)
    (folder / "plant.toml").unlink()
    assert "There is no plant.toml" in yeji("check", code=1)


def test_discover_from_files_can_be_used_at_once(folder: Path) -> None:
    rows = "\n".join(f"2026-01-01T00:{n // 60:02}:{n % 60:02}Z,{20 + n % 3},{5}" for n in range(120))
    (folder / "pump 1.csv").write_text(f"time,oil temp [°C],pressure_bar\n{rows}\n")
    text = yeji("discover", "pump 1.csv")
    (machine,) = tomllib.loads(text)["machines"]
    assert machine["sensors"]["pressure_bar"] == {"unit": "bar"}
    assert "a reading every 1 s" in text
    assert "seen 20 .. 22 in 120 readings" in text
    assert "Written to new.toml" in yeji("discover", "pump 1.csv", "--to", "new.toml")
    assert "1 machines" in yeji("check", "new.toml")
    assert "cannot be written" in yeji("discover", "pump 1.csv", "--to", "new.toml", code=1)


def test_import_places_the_machines_of_a_sheet(folder: Path) -> None:
    (folder / "machines.csv").write_text("machine,sensor,unit,trip\nfan-1,vibration,mm/s,7\n")
    text = yeji("import", "machines.csv", "--site", "gwangju", "--area", "paint")
    plant = tomllib.loads(text)
    assert (plant["site"], plant["machines"][0]["area"]) == ("gwangju", "paint")
    assert plant["machines"][0]["sensors"] == {"vibration": {"unit": "mm/s", "trip": 7.0}}


@pytest.mark.services
def test_discover_listens_to_a_live_source(folder: Path, mosquitto: MqttBroker) -> None:
    (folder / "yeji.toml").write_text(SETTINGS.replace("port = 1 ", f"port = {mosquitto.port} "))
    (folder / "plant.toml").unlink()
    ended = threading.Event()

    def send() -> None:
        n = 0
        while not ended.wait(0.1):
            n += 1
            topic = "plant/acme~gwangju/telemetry"
            publish(
                mosquitto.port, topic, f'{{"machine":"{PRESS}","time":{1_700_000_000_000 + n},"temp":{n}}}'
            )

    sender = threading.Thread(target=send)
    sender.start()
    try:
        text = yeji("discover", "--source", "hall-3", "--seconds", "2")
    finally:
        ended.set()
        sender.join()
    (machine,) = tomllib.loads(text)["machines"]
    assert (machine["id"], machine["source"], list(machine["sensors"])) == ("press-07", "hall-3", ["temp"])


class Waits(Source):
    """Frames that come one by one, when the test says so."""

    name = "waits"

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.more = threading.Semaphore(0)
        self.closed = False

    def put(self, frame: Frame) -> None:
        self.frames.append(frame)
        self.more.release()

    def __iter__(self):
        while True:
            self.more.acquire()
            if self.closed:
                return
            yield self.frames.pop(0)

    def close(self) -> None:
        self.closed = True
        self.more.release()


def readings(first: int, count: int, level: float) -> Frame:
    x = level + np.random.default_rng(first).normal(0, 0.5, (count, 1))
    return Frame(PRESS, 1_700_000_000_000 + 1000 * (first + np.arange(count)), ("temperature",), x)


def test_a_run_and_its_page_follow_the_description(folder: Path) -> None:
    settings = load_settings()
    source, heard, watch = Waits(), Heard(), PlantWatch(settings)
    with SqliteSink(folder / "run.sqlite") as sink:
        run = EmbeddedRun(source, Pipeline(settings), sink, heard, keep_state=True, changed=watch.look)
        worker = threading.Thread(target=run.run)
        worker.start()
        try:
            source.put(readings(0, 60, 60))
            source.put(readings(60, 20, 80))
            until(lambda: len(sink_alarms(folder)) == 1)
            history = SqliteHistory(folder / "run.sqlite")
            page = TestClient(Page(history, settings).app(), base_url="http://127.0.0.1")
            assert "Big press" in page.get(f"/machines/{PRESS}").text
            assert "Big press" in page.get("/?q=big").text
            assert "대형 프레스" in page.get("/alarms", cookies={"yeji-language": "ko"}).text

            (folder / "plant.toml").write_text(
                PLANT.replace("warn = 70", "").replace("Big press", "Huge press")
            )
            until(lambda: not sink_alarms(folder))
            assert "Huge press" in page.get(f"/machines/{PRESS}").text

            (folder / "plant.toml").write_text(PLANT.replace("warn = 70", 'warn = "70 bar"'))
            until(lambda: "line 7: classes.press.sensors.temperature.warn" in watch.trouble)
            assert "Huge press" in page.get(f"/machines/{PRESS}").text
            history.close()
        finally:
            run.stop()
            worker.join(30)
    told = [(one.code, one.phase) for batch in heard.batches for one in batch.alarms if one.code == "warn"]
    assert told == [("warn", AlarmPhase.RAISED), ("warn", AlarmPhase.CLEARED)]
    assert not heard.resumptions, "nothing learned anew"


def sink_alarms(folder: Path) -> list[object]:
    history = SqliteHistory(folder / "run.sqlite")
    try:
        return [one for one in history.alarms(open=True) if one.event.code == "warn"]
    finally:
        history.close()


def test_a_watch_keeps_what_a_command_has_added(folder: Path) -> None:
    settings = load_settings()
    settings = settings.model_copy(
        update={"classes": {"added": settings.classes["press"], **settings.classes}}
    )
    watch = PlantWatch(settings)
    (folder / "plant.toml").write_text(PLANT + "\n[classes.pump]\n")
    assert watch.look()
    assert list(settings.classes) == ["added", "press", "pump", "default"]
    assert not watch.look()


def test_settings_without_a_description_are_as_before(folder: Path) -> None:
    (folder / "plant.toml").unlink()
    settings = load_settings()
    assert isinstance(settings, Settings)
    assert (settings.machines, settings.places) == ({}, {})
    watch = PlantWatch(settings)
    assert not watch.look()
    (folder / "plant.toml").write_text(PLANT)
    assert watch.look()
    assert PRESS in settings.machines
