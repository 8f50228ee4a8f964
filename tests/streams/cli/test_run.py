"""`yeji run` as a person runs it: a process, its output, its store, its page; ended, killed, run again."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest

from connectors.simulator.source import SimulatorSource
from connectors.sqlite.store import SqliteSink
from pipeline.pipeline import Pipeline
from pipeline.records import Frame
from pipeline.settings import AlarmSettings, ClassSettings, LearningSettings
from streams.cli import main
from streams.cli.sources import Simulation
from streams.embedded.run import EmbeddedRun
from streams.settings import Settings
from tests.pipeline.plant import recording
from tests.streams.embedded.test_embedded import Heard, Listed, content

pytestmark = pytest.mark.slow

YEJI = [sys.executable, "-c", "from streams.cli import main; main()"]
FAST = """
[classes.default.learning]
warmup = 64
block = 8
[classes.default.alarm]
threshold = 0.99
clear = 0.9
on_delay = 3
off_delay = 10
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "yeji.toml").write_text(FAST)
    return tmp_path


def environment() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("YEJI_")}
    return clean | {"YEJI_PAGE__PORT": "0", "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}


def yeji(here: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*YEJI, *arguments],
        cwd=here,
        input=stdin,
        capture_output=True,
        env=environment(),
        timeout=120,
        check=False,
    )


@contextmanager
def running(here: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with (here / "output").open("wb") as out:
        process = subprocess.Popen(
            [*YEJI, *arguments],
            cwd=here,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment(),
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)


def until(what: str, happens: object, process: subprocess.Popen[bytes], here: Path) -> None:
    """Wait for something that will come; fail with the output when the process ends first."""
    deadline = time.monotonic() + 60
    while not happens():  # type: ignore[operator]
        assert process.poll() is None, f"ended before {what}: {(here / 'output').read_text()}"
        assert time.monotonic() < deadline, f"no {what}: {(here / 'output').read_text()}"
        time.sleep(0.02)


def write_csv(path: Path, frame: Frame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["datetime;" + ";".join(frame.sensors) + ";anomaly"]
    for at, row in zip(frame.time.tolist(), frame.values.tolist(), strict=True):
        text = np.datetime_as_string(np.datetime64(at, "ms")).replace("T", " ")
        lines.append(f"{text};" + ";".join("" if v != v else repr(v) for v in row) + ";0.0")
    path.write_text("\n".join(lines) + "\n")


def test_a_file_is_replayed_scored_alarmed_and_changes_nothing_the_second_time(here: Path) -> None:
    frame = recording("a/b/c/d/e", 500, 7, fault=(400, 460))
    frame.values[200:260, 1] = np.nan
    path = here / "hall" / "line" / "press-07.csv"
    write_csv(path, frame)
    path.write_text(path.read_text() + "2023-11-14 22:40:00.000;1;2;3\nlater;1;2;3;4;0\n")
    done = yeji(here, "run", "--csv", "hall", "--exit", "--no-page")
    output = done.stdout.decode()
    assert done.returncode == 0, done.stderr.decode()
    assert "4 sensors, times in 'datetime'" in output
    assert "labels, no sensors: anomaly" in output
    assert re.search(r"readings +500 in .* a second", output)
    assert re.search(r"machines +1 *\n", output)
    assert re.search(r"rejected +2 csv-row", output)
    assert re.search(r"store +var/csv.sqlite", output)
    raised = [line for line in output.splitlines() if line.startswith("●")]
    assert any("press-07" in line and "pressure" in line and "2023-11-14 22:1" in line for line in raised)
    first = content(here / "var" / "csv.sqlite")
    assert len(first["local/csv/hall/line/press-07"][0]) == 500  # type: ignore[index]

    expected = here / "expected.sqlite"
    fast = ClassSettings(
        learning=LearningSettings(warmup=64, block=8),
        alarm=AlarmSettings(threshold=0.99, clear=0.9, on_delay=3, off_delay=10),
    )
    same = Frame("local/csv/hall/line/press-07", frame.time, frame.sensors, frame.values)
    with SqliteSink(expected) as sink:
        pipeline = Pipeline(Settings(classes={"default": fast}))
        EmbeddedRun(Listed([same]), pipeline, sink, Heard(), keep_state=False).run()
    assert {**content(expected), "rejections": first["rejections"]} == first, "as the pipeline itself says"

    assert yeji(here, "run", "csv", "hall", "--exit", "--no-page").returncode == 0
    assert content(here / "var" / "csv.sqlite") == first


def test_standard_input_goes_on_from_run_to_run_and_keeps_what_was_bad(here: Path) -> None:
    from pipeline.wire.readings import encode_frame

    frame = recording("a/b/c/d/e", 300, 7)
    lines = [
        encode_frame(Frame(frame.machine, frame.time[i : i + 10], frame.sensors, frame.values[i : i + 10]))
        for i in range(0, 300, 10)
    ]
    bad = [b"no json", b'{"machine":"a/b/c/d/e","sensors":{}}']
    first = yeji(here, "run", "--stdin", "--exit", "--no-page", stdin=b"\n".join([*lines[:15], *bad]))
    assert first.returncode == 0, first.stderr.decode()
    assert re.search(r"rejected +1 not-json, 1 time-missing", first.stdout.decode())
    second = yeji(here, "run", "--stdin", "--exit", "--no-page", stdin=b"\n".join([lines[14], *lines[15:]]))
    output = second.stdout.decode()
    assert "Going on with the models of 1 machine from the store" in output
    assert re.search(r"readings +150 in", output)
    assert re.search(r"rejected +1 duplicate|rejected +10 duplicate", output)
    store = here / "var" / "stdin.sqlite"
    with closing(sqlite3.connect(store)) as db:
        kept = dict(db.execute("SELECT reason, original FROM rejections"))
    assert kept["not-json"] == bad[0]
    assert kept["time-missing"] == bad[1]
    assert kept["duplicate"] == lines[14]
    whole = yeji(
        here, "run", "--stdin", "--exit", "--no-page", "--store", "whole.sqlite", stdin=b"\n".join(lines)
    )
    assert whole.returncode == 0
    assert content(here / "whole.sqlite")["a/b/c/d/e"] == content(store)["a/b/c/d/e"]


SMALL = ("run", "--machines", "4", "--history", "20m", "--interval", "1s", "--no-page")


def test_a_killed_simulation_goes_on_and_gives_what_an_unbroken_one_gives(here: Path) -> None:
    store = here / "var" / "simulator.sqlite"

    def scored_beyond_the_last_snapshot() -> bool:
        if not store.exists():
            return False
        with closing(sqlite3.connect(store)) as db:
            try:
                saved = db.execute("SELECT count, detail FROM positions").fetchone()
                last = db.execute("SELECT max(last) FROM machines").fetchone()[0]
            except sqlite3.OperationalError:  # not created yet
                return False
        if saved is None or last is None:
            return False
        source = source_of(saved[1])
        return bool(last > source._time(saved[0] // 4))

    with running(here, *SMALL) as process:
        until("readings after a snapshot", scored_beyond_the_last_snapshot, process, here)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    broken = content(store)
    done = yeji(here, *SMALL, "--exit")
    assert done.returncode == 0, done.stderr.decode()
    assert "Going on with the models of" in done.stdout.decode()
    with closing(sqlite3.connect(store)) as db:
        count, detail = db.execute("SELECT count, detail FROM positions").fetchone()
    items = []
    for item in source_of(detail):
        items.append(item)
        if len(items) == count:
            break
    expected = here / "expected.sqlite"
    with SqliteSink(expected) as sink:
        EmbeddedRun(Listed(items), Pipeline(fast_settings()), sink, Heard(), keep_state=False).run()
    result = content(store)
    assert result == content(expected)
    name = next(name for name in result if "press" in name)
    assert len(result[name][0]) >= 1200  # type: ignore[arg-type,index]
    assert len(broken[name][0]) < len(result[name][0])  # type: ignore[arg-type,index]


def source_of(detail: str) -> SimulatorSource:
    kept = msgspec.json.decode(detail)
    simulation = Simulation(machines=kept["machines"], interval=kept["interval"], seed=kept["seed"])
    source = simulation.source(kept["live"], kept["start"])
    assert source.detail == detail
    return source


def fast_settings() -> Settings:
    return Settings(
        classes={
            "default": ClassSettings(
                learning=LearningSettings(warmup=64, block=8),
                alarm=AlarmSettings(threshold=0.99, clear=0.9, on_delay=3, off_delay=10),
            )
        }
    )


def test_the_page_is_up_while_it_runs_and_sigterm_ends_it_with_a_summary(here: Path) -> None:
    arguments = [a for a in SMALL if a != "--no-page"]
    output = here / "output"

    def address() -> str | None:
        found = re.search(r"Page +(http://\S+)", output.read_text())
        return found[1] if found else None

    with running(here, *arguments) as process:
        until("page", address, process, here)
        with urllib.request.urlopen(f"{address()}", timeout=30) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, output.read_text()
    text = output.read_text()
    assert re.search(r"readings +[\d,]+ in", text)
    assert "Traceback" not in text


def test_a_replay_keeps_its_page_until_it_is_ended(here: Path) -> None:
    write_csv(here / "m.csv", recording("a/b/c/d/e", 100, 1))
    output = here / "output"
    with running(here, "run", "--csv", "m.csv") as process:
        until("end of the replay", lambda: "The page stays up" in output.read_text(), process, here)
        found = re.search(r"Page +(http://\S+)", output.read_text())
        assert found
        with urllib.request.urlopen(found[1], timeout=30) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, output.read_text()
    assert "Traceback" not in output.read_text()


def test_one_run_at_a_time_writes_to_a_store(here: Path) -> None:
    with running(here, *SMALL) as process:
        until("store", (here / "var" / "simulator.sqlite.lock").exists, process, here)
        until("reading", lambda: "Store" in (here / "output").read_text(), process, here)
        second = yeji(here, *SMALL, "--exit")
    assert second.returncode == 1
    assert b"Another `yeji run` writes to var/simulator.sqlite" in second.stderr
    assert b"Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--csv", "nowhere.csv"], "nowhere.csv is no file and no folder"),
        (["--csv", "x", "--stdin"], "Give one of --csv, --stdin and --sources"),
        (["--timezone", "Mars/Base"], "'Mars/Base' is no time zone"),
        (["--history", "two days"], "'two days' is no duration"),
        (["--interval", "0s"], "more than 0"),
        (["--start", "soon"], "'soon' is no date"),
        (["--csv", "bad.csv"], "no column that looks like a time"),
        (["--store", "bad.csv", "--exit"], "bad.csv"),
    ],
)
def test_what_cannot_be_done_ends_in_one_message(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    says: str,
) -> None:
    (here / "bad.csv").write_text("a,b\n1,x\n2,y\n")
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "argv", ["yeji", "run", *arguments, "--no-page"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert says in told
    assert told.startswith("yeji: ")


def test_another_simulation_is_not_mixed_into_a_store(here: Path) -> None:
    small = ("run", "--machines", "4", "--history", "30m", "--interval", "10s", "--no-page", "--exit")
    assert yeji(here, *small).returncode == 0
    other = yeji(here, *small, "--seed", "2")
    assert other.returncode == 1
    assert b"--fresh" in other.stderr
    assert yeji(here, *small, "--seed", "2", "--fresh").returncode == 0


def test_simulated_lines_are_the_same_each_time_and_their_truth_beside_them(here: Path) -> None:
    small = ("simulate", "--history", "20m", "--machines", "4", "--fault-rate", "1", "--truth", "truth.jsonl")
    first, second = yeji(here, *small), yeji(here, *small, "--out", "lines.jsonl")
    assert first.returncode == second.returncode == 0
    assert first.stdout == (here / "lines.jsonl").read_bytes()
    lines = [json.loads(line) for line in first.stdout.splitlines()]
    assert sum(len(line["time"]) for line in lines) == 4 * 20 * 12
    for line in (here / "truth.jsonl").read_text().splitlines():
        assert set(json.loads(line)) == {"machine", "kind", "sensor", "start", "end", "severity"}
    piped = yeji(here, "run", "--stdin", "--exit", "--no-page", stdin=first.stdout)
    assert re.search(r"readings +960 in", piped.stdout.decode())
    assert re.search(r"rejected +none", piped.stdout.decode())


def test_a_folder_with_a_file_that_cannot_be_read_says_so_last_and_ends_with_3(here: Path) -> None:
    folder = here / "files"
    folder.mkdir()
    rows = "".join(f"2026-09-01T00:{i // 60:02}:{i % 60:02}Z,{i}\n" for i in range(120))
    (folder / "pump.csv").write_text("time,temp\n" + rows)
    (folder / "notes.txt").write_text("nothing\nto read\n")
    done = yeji(here, "run", "--csv", "files", "--exit", "--no-page")
    assert done.returncode == 3, done.stderr
    *_, said, why = done.stdout.decode().strip().splitlines()
    assert said == "1 file could not be read:"
    assert "notes.txt" in why


def test_an_option_before_the_command_is_not_lost(here: Path) -> None:
    done = yeji(here, "run", "--no-page", "csv", "hall")
    assert done.returncode == 1
    assert "Write --page after the command: yeji run csv --page" in done.stderr.decode()


def test_each_command_takes_the_options_of_its_source_alone(here: Path) -> None:
    assert b"--machine-column" in yeji(here, "run", "csv", "--help").stdout
    assert b"--machine-column" not in yeji(here, "run", "--help").stdout
    assert yeji(here, "run", "stdin", "--machine-column", "x").returncode == 2
    assert yeji(here, "run", "simulate", "--machine-column", "x").returncode == 2
