"""`yeji export`, as it is called: files that another library reads, labels, codes, the journal."""

from __future__ import annotations

import json
import shlex
import stat
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from connectors.influx.settings import InfluxSettings
from connectors.influx.sink import InfluxSink
from connectors.sqlite.store import SqliteSink
from desk.rules.finding import Finding
from desk.rules.journal import Action
from desk.rules.scope import EVERYTHING
from desk.service.desk import Desk, desk_path
from pipeline.records import Results, Scored, State, VerdictKind
from streams.cli import make_app
from streams.settings import load_settings
from tests.connectors.pages import blocks

START = 1_767_225_600_000  # 2026-01-01
MINUTE, DAY = 60_000, 86_400_000
PRESS, PUMP = "acme/gwangju/body/line-2/press-07", "acme/gwangju/paint/line-1/pump-1"


def readings(machine: str, first: int, minutes: int, *sensors: str) -> Scored:
    time = first + MINUTE * np.arange(minutes)
    x = np.column_stack([time / DAY + n for n in range(len(sensors))])
    x[3, 0] = np.nan
    n = len(time)
    score, health = np.linspace(0, 0.9, n), np.full(n, 97.0)
    return Scored(
        machine=machine,
        machine_class="press",
        time=time,
        sensors=sensors,
        values=x,
        score=score,
        health=health,
        state=np.full(n, State.NORMAL, np.uint8),
        contributions=np.zeros(x.shape),
    )


RESULTS = [
    readings(PRESS, START + DAY - 30 * MINUTE, 60, "temp", "flow"),  # over midnight
    readings(
        PRESS, START + DAY + 240 * MINUTE, 60, "temp", "flow", "oil"
    ),  # after a gap, with one sensor more
    readings(PUMP, START, 10, "temp"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("YEJI_CONFIG", raising=False)
    (tmp_path / "plant.toml").write_text(
        '[classes.press]\nmatch = ["*/press-*", "*/pump-*"]\n[classes.press.sensors.temp]\nunit = "degC"\n'
    )
    with SqliteSink(tmp_path / "var" / "simulator.sqlite") as sink:
        sink.write(Results(scored=RESULTS))
    settings = load_settings()
    desk = Desk(desk_path(settings), settings)
    desk.report_verdict(
        EVERYTHING,
        PRESS,
        Finding(VerdictKind.FAULT, failure_mode="bearing", part="6205", comment="Kim saw it"),
        by="Lee",
        start=START + DAY,
        end=START + DAY + 9 * MINUTE,
    )
    desk.close()
    return tmp_path


def export(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(make_app(), ["export", *arguments], catch_exceptions=code != 0)
    assert result.exit_code == code, result.output
    return result.output if code == 0 else str(result.exception)


def journal() -> list[object]:
    settings = load_settings()
    desk = Desk(desk_path(settings), settings)
    try:
        return [one for one in desk.journal(EVERYTHING, limit=100) if one.action is Action.EXPORT]
    finally:
        desk.close()


def files(folder: Path) -> dict[str, Path]:
    return {str(one.relative_to(folder)): one for one in folder.rglob("*") if one.is_file()}


def press_files(folder: Path) -> list[Path]:
    return sorted((folder / "readings" / "machine=acme%2Fgwangju%2Fbody%2Fline-2%2Fpress-07").iterdir())


def test_readings_come_out_as_they_went_in_with_labels(folder: Path) -> None:
    told = export("out", "--why", "thesis", "--by", "Park", "--store", "var/simulator.sqlite")
    assert "130 readings of 2 machines, 1 verdicts, 0 alarms" in told
    first, second = press_files(folder / "out")
    assert (first.name, second.name) == ("2026-01-01.parquet", "2026-01-02.parquet")
    early, late = pq.ParquetFile(first).read(), pq.ParquetFile(second).read()
    assert early.schema == late.schema
    sensors = ["sensor.temp", "sensor.flow", "sensor.oil"]
    assert early.column_names == ["time", *sensors, "score", "health", "state", "label", "failure_mode"]
    assert (len(early), len(late)) == (30, 90)
    assert early["sensor.temp"].null_count == 1
    assert early["sensor.oil"].null_count == 30
    assert early["time"][0].as_py() == datetime(2026, 1, 1, 23, 30, tzinfo=UTC)
    whole = np.concatenate([one.values[:, 1] for one in RESULTS[:2]])
    np.testing.assert_array_equal(
        np.concatenate([early["sensor.flow"].to_numpy(), late["sensor.flow"].to_numpy()]), whole
    )
    assert set(early["label"].to_pylist()) == {""}
    assert late["label"].to_pylist() == ["fault-confirmed"] * 10 + [""] * 80
    assert late["failure_mode"][0].as_py() == "bearing"
    (verdict,) = pq.read_table(folder / "out" / "verdicts.parquet").to_pylist()
    assert (verdict["machine"], verdict["kind"], verdict["part"]) == (PRESS, "fault-confirmed", "6205")


def test_the_data_sheet_says_what_there_is_and_what_is_missing(folder: Path) -> None:
    export("out", "--why", "thesis", "--store", "var/simulator.sqlite", "--machine", "*/press-*")
    sheet = json.loads((folder / "out" / "datasheet.json").read_text())
    (press,) = sheet["machines"]
    assert (press["readings"], press["labelled"], press["gaps"]) == (120, 10, 1)
    assert (press["usual_step_ms"], press["longest_gap_ms"]) == (60_000, 211 * MINUTE)
    temp, _, oil = press["columns"]
    assert (temp["name"], temp["unit"], temp["values"], temp["missing"]) == ("sensor.temp", "degC", 118, 2)
    assert (oil["values"], oil["missing"]) == (60, 60)
    text = (folder / "out" / "README.md").read_text()
    assert "| `sensor.temp` | degC | 118 | 2 |" in text
    assert "1 gaps" in text


def test_only_the_time_that_was_asked_for(folder: Path) -> None:
    arguments = ["--why", "x", "--store", "var/simulator.sqlite", "--machine", "*/press-*"]
    export(
        "out",
        *arguments,
        "--from",
        "2026-01-02T09:00",
        "--to",
        "2026-01-02T09:10",
        "--timezone",
        "Asia/Seoul",
    )
    (only,) = press_files(folder / "out")
    times = pq.ParquetFile(only).read()["time"].to_pylist()
    assert (len(times), times[0], times[-1].minute) == (10, datetime(2026, 1, 2, tzinfo=UTC), 9)


def test_codes_hide_every_name_and_are_the_same_each_time(folder: Path) -> None:
    for out in ("one", "two"):
        export(out, "--why", "x", "--store", "var/simulator.sqlite", "--anonymous")
    one, two = files(folder / "one"), files(folder / "two")
    assert set(one) == set(two)
    assert len(one) == 7
    secrets = ("press", "pump", "gwangju", "acme", "temp", "flow", "oil", "bearing", "6205", "Lee", "Kim")
    for name, path in one.items():
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content = str(pq.ParquetFile(path).read().to_pylist()).encode()
        for secret in secrets:
            assert secret.encode() not in content, (name, secret)
            assert secret not in name
    assert stat.S_IMODE((folder / "var" / "export.key").stat().st_mode) == 0o600


def test_the_journal_says_who_exported_what_and_why(folder: Path) -> None:
    export("out", "--why", "contract 14", "--by", "Park", "--store", "var/simulator.sqlite", "--anonymous")
    (entry,) = journal()
    assert (entry.by, entry.why, entry.places) == ("Park", "contract 14", (PRESS, PUMP))
    assert entry.cause.values == {"readings": 130, "machines": 2, "folder": "out", "name": "codes"}
    shown = CliRunner().invoke(make_app(), ["journal", "show"]).output
    assert "130 readings of 2 machines to out, with codes in place of names; contract 14" in shown


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["var", "--why", "x", "--store", "var/simulator.sqlite"], "is there already"),
        (["out", "--why", " ", "--store", "var/simulator.sqlite"], "Say why"),
        (["out", "--why", "x", "--store", "no.sqlite"], "is no file"),
        (
            ["out", "--why", "x", "--store", "var/simulator.sqlite", "--machine", "robot"],
            "None of 2 machines",
        ),
        (["out", "--why", "x"], "set influx.token"),
    ],
)
def test_what_cannot_be_exported_leaves_nothing_behind(
    folder: Path, arguments: list[str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("YEJI_INFLUX__TOKEN", raising=False)
    assert why in export(*arguments, code=1)
    assert not (folder / "out").exists()
    assert not journal()


def test_the_example_of_the_page(folder: Path) -> None:
    command = shlex.split(blocks("export.md", "bash")[0].replace("\\\n", ""))
    assert command[:2] == ["yeji", "export"]
    assert "120 readings of 1 machines" in export(str(folder / "university"), *command[3:])


@pytest.mark.services
def test_the_same_out_of_influxdb(
    folder: Path, influx_bucket: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = {name: getattr(influx_bucket, name) for name in ("url", "org", "bucket", "token")}
    with InfluxSink(InfluxSettings(**where)) as sink:
        sink.write(Results(scored=RESULTS))
    for name, value in where.items():
        monkeypatch.setenv(f"YEJI_INFLUX__{name.upper()}", value)
    export("influx", "--why", "x")
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    export("sqlite", "--why", "x", "--store", "var/simulator.sqlite")
    one, two = files(folder / "influx"), files(folder / "sqlite")
    assert set(one) == set(two)
    for name in one:
        if name.startswith("readings"):
            a, b = (pq.ParquetFile(path[name]).read() for path in (one, two))
            assert a.select(sorted(a.column_names)).equals(b.select(sorted(b.column_names))), name
