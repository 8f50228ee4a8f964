"""The whole bench on a set made on the spot: the pipeline runs in it, beside the null detectors and River."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.pipeline import Pipeline
from pipeline.records import Frame
from pipeline.settings import AlarmSettings, IntakeSettings
from streams.cli import make_app
from streams.evaluation.nulls import best_clock, null_methods
from streams.evaluation.plain_river import half_space_trees, plain_river
from streams.evaluation.reader import read_folder
from streams.evaluation.replay import MACHINE, replay
from streams.evaluation.report import BenchError
from streams.evaluation.skab import official, preset
from streams.settings import Settings
from tests.streams.evaluation.made import outcome, recording


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files in SKAB's layout: one with an event, one without."""
    path = tmp_path_factory.mktemp("set")
    for name, events in (("1.csv", [(600, 700)]), ("2.csv", [])):
        one = recording(900, events, seed=len(name) + len(events))
        lines = ["datetime;a;b;c;anomaly;changepoint"]
        for time, row, odd in zip(one.time, one.values.tolist(), one.labels, strict=True):
            stamp = str(np.datetime64(int(time), "ms")).replace("T", " ")
            lines.append(";".join([stamp, *map(str, row), f"{float(odd)}", "0.0"]))
        (path / name).write_text("\n".join(lines) + "\n")
    return path


def test_reads_labelled_files_and_leaves_labels_out_of_the_sensors(folder: Path) -> None:
    first, second = read_folder(folder)
    assert first.sensors == ("a", "b", "c")
    assert first.events.tolist() == [[600, 700]]
    assert second.events.tolist() == []
    assert first.time[1] - first.time[0] == 1000


def test_events_may_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("time,x\n" + "".join(f"{i},{i % 3}\n" for i in range(50)))
    (tmp_path / "events.csv").write_text("file,start,end\nm.csv,10,19\n")
    (one,) = read_folder(tmp_path)
    assert one.events.tolist() == [[10, 20]]


@pytest.mark.parametrize(
    ("text", "says"), [("", "is empty"), ("time,x\nabc,1\n", r"m.csv:2"), ("time,x\n", "no readings")]
)
def test_says_which_file_and_line_cannot_be_read(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(BenchError, match=says):
        read_folder(tmp_path)


def test_replay_is_the_pipelines_own_result_and_catches_the_event() -> None:
    one = recording(900, [(600, 700)])
    found = replay(one, preset(one))
    whole = IntakeSettings(wait=0)  # no row waits for what a recording cannot bring
    settings = Settings.model_construct(classes={"bench": preset(one)}, intake=whole)
    results = Pipeline(settings).process([Frame(MACHINE, one.time, one.sensors, one.values)])
    assert np.array_equal(found.score, np.concatenate([s.score for s in results.scored]), equal_nan=True)
    assert np.isnan(found.score[:400]).all()
    assert np.isfinite(found.score[400:]).all()
    assert len(found.raised) == 1
    assert 600 < found.raised[0] < 620
    assert found.alarm[630:700].all()
    assert not found.alarm[:600].any()


def test_no_method_knows_what_comes() -> None:
    one = recording(900, [(600, 700)])
    other = recording(900, [(600, 700)])
    other.values[750:] = 99.0
    for method in (
        lambda r: replay(r, preset(r)),
        lambda r: plain_river(r, 400, half_space_trees(), True, AlarmSettings()),
    ):
        assert np.array_equal(method(one).score[:750], method(other).score[:750], equal_nan=True)


def test_null_detectors_are_blind_and_wait_for_their_warm_up() -> None:
    one, other = recording(900, [(600, 700)]), recording(900, [(600, 700)], seed=9)
    methods = null_methods([one], lambda _: 400)
    assert len(methods) == 4
    for method in methods.values():
        assert np.array_equal(method(one).alarm, method(other).alarm)
        assert not method(one).alarm[:400].any()
    assert 550 < best_clock([recording(900, [(600, 900)])], lambda _: 400) < 650


def test_skabs_metric_pools_rows_and_leaves_healthy_recordings_out() -> None:
    f1, false, missed = official([outcome(1000, [(600, 800)], [(650, 850)]), outcome(1000, [], [(0, 1000)])])
    assert f1 == pytest.approx(2 * 150 / (2 * 150 + 50 + 50))
    assert false == pytest.approx(100 * 50 / 800)
    assert missed == pytest.approx(25)


def test_the_command_prints_tables_and_writes_plots(folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        make_app(), ["bench", str(folder), "--format", "skab", "--plots", str(tmp_path / "plots")]
    )
    assert done.exit_code == 0, done.output
    for words in ("What a crew feels", "always on", "River LODA, frozen", "F1", "Reliability", "1.csv"):
        assert words in done.output
    assert sorted(file.name for file in (tmp_path / "plots").iterdir()) == ["1.png", "2.png"]
