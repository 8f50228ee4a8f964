"""Several sets with one configuration, beside rivals at no more false episodes; and choices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipeline.condition import Readings, Rule, advance
from pipeline.records import State
from pipeline.settings import AlarmSettings
from streams.cli import make_app
from streams.evaluation.choices import choose, read_variants
from streams.evaluation.figures import EventFigures, event_figures
from streams.evaluation.healthy import healthy_recordings
from streams.evaluation.reader import read_file, read_sets, sets_of
from streams.evaluation.recording import Outcome
from streams.evaluation.report import BenchError
from streams.evaluation.rivals import at_no_more_false, isolation_forest, learned, standing, t_squared
from streams.evaluation.sets import pooled, severity_auc
from tests.streams.evaluation.made import recording


def write(path: Path, events: list[tuple[int, int]], seed: int, n: int = 900) -> None:
    path.parent.mkdir(exist_ok=True)
    one = recording(n, events, seed)
    lines = ["time,a,b,c,anomaly"]
    for time, row, odd in zip(one.time, one.values.tolist(), one.labels, strict=True):
        lines.append(",".join([str(time / 1000), *map(str, row), str(int(odd))]))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sets")
    write(path / "pumps" / "1.csv", [(700, 800)], 1)
    write(path / "fans" / "1.csv", [(650, 750)], 2)
    write(path / "fans" / "2.csv", [], 3)
    return path


def test_each_folder_of_recordings_is_a_set(folder: Path, tmp_path: Path) -> None:
    assert {name: len(found) for name, found in read_sets(folder).items()} == {"fans": 2, "pumps": 1}
    assert read_sets(folder / "fans") == {}
    with pytest.raises(BenchError, match="needs two"):
        sets_of(folder / "fans")


def test_a_cell_that_is_no_number_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("time,x,anomaly\n1,#VALUE!,0\n2,3.5,1\n")
    one = read_file(path, tmp_path, None)
    assert np.array_equal(one.values, [[np.nan], [3.5]], equal_nan=True)
    assert one.events.tolist() == [[1, 2]]


@given(
    st.lists(st.booleans(), min_size=1, max_size=60),
    st.integers(1, 4),
    st.integers(0, 5),
    st.integers(0, 8),
)
def test_rivals_have_the_pipelines_own_delays(over: list[bool], least: int, on: int, off: int) -> None:
    rule = AlarmSettings(on_delay=on, off_delay=off, min_readings=least)
    time = 1000 * np.arange(len(over), dtype=np.int64)
    nothing = np.zeros((len(over), 1))
    readings = Readings(time, np.array(over, dtype=float), nothing, nothing, nothing, nothing)
    table = Rule(0.5, 0.5, on * 1000, off * 1000, least)
    states, _, _ = advance(State.NORMAL, None, table, readings)
    alarm = [state is State.ALARM for state in states]
    assert standing(np.array(over), time, rule).tolist() == alarm


def test_rivals_see_the_fault_and_learn_a_fifth() -> None:
    one = recording(1500, [(900, 1000)])
    for method, quantile in ((t_squared, 0.99), (isolation_forest, 0.8)):
        score = method(one)
        assert np.isnan(score[: learned(one)]).all()
        assert np.median(score[910:1000]) > np.quantile(score[learned(one) : 900], quantile)
    one.values[:200, 1] = np.nan
    one.values[:, 2] = np.nan
    assert np.isfinite(t_squared(one)[learned(one) :]).all()


def test_a_rival_has_no_more_false_episodes_than_it_may() -> None:
    records = [recording(1500, [(900, 1000)], seed) for seed in (1, 2)]
    scores = [t_squared(one) for one in records]
    rule = AlarmSettings(on_delay=2, off_delay=5, min_readings=3)
    found = [event_figures(at_no_more_false(records, scores, rule, most)) for most in (0, 3, 10)]
    assert [one.false_episodes <= most for one, most in zip(found, (0, 3, 10), strict=True)] == [True] * 3
    assert found[0].caught == 2
    assert found[2].false_episodes > 0, "the threshold goes down as far as it may"


def test_severity_ranks_true_alarms_above_false_ones() -> None:
    one = recording(100, [(50, 70)])
    none = np.zeros(100)
    raised = np.array([10, 55, 60])
    assert severity_auc([Outcome(one, none, none > 0, raised, np.array([2, 4, 2]))]) == 0.75
    assert np.isnan(severity_auc([Outcome(one, none, none > 0, raised[:1], np.array([2]))]))


def figure(caught: int, false: int, vus: float) -> EventFigures:
    return EventFigures(
        events=10,
        caught=caught,
        standing=0,
        delay_median=1.0,
        delay_p90=1.0,
        before=0,
        false_episodes=false,
        healthy_days=100.0,
        healthy_in_alarm=0.0,
        vus_pr=vus,
    )


def test_a_set_is_judged_by_what_the_others_choose() -> None:
    quiet = {"a": figure(3, 1, 0.5), "b": figure(3, 1, 0.5), "c": figure(0, 1, 0.1)}
    loud = {"a": figure(9, 90, 0.9), "b": figure(9, 0, 0.9), "c": figure(9, 0, 0.9)}
    figures = {"quiet": quiet, "loud": loud}
    assert choose(figures, ["a", "b"]) == "quiet", "no number of events caught makes up for false alarms"
    assert choose(figures, ["b", "c"]) == "loud"
    assert choose({"loud": loud}, ["a"]) == "loud", "the fewest false episodes where all have too many"
    assert pooled(loud.values()).false_a_day == 0.3


def test_what_is_learned_is_no_event_judged_but_counts_as_missed() -> None:
    one = recording(200, [(10, 20), (150, 170)])
    score = np.where(np.arange(200) < 100, np.nan, 0.5)
    found = event_figures([Outcome(one, score, np.zeros(200, dtype=bool), np.empty(0, dtype=np.int64))])
    assert (found.events, found.learned) == (1, 1)
    assert pooled([found]).events == 2


def test_healthy_machines_are_the_same_each_time_and_have_no_event() -> None:
    first, second = healthy_recordings(1, 2), healthy_recordings(1, 2)
    assert set(first) == {"independent", "autocorrelated", "heavy-tailed", "daily", "shifts"}
    for kind, (one,) in first.items():
        assert np.array_equal(one.values, second[kind][0].values)
        assert len(one) == 2 * 1440
        assert not len(one.events)
    lag = first["autocorrelated"][0].values[:, 0]
    assert np.corrcoef(lag[1:], lag[:-1])[0, 1] > 0.9


def test_variants_are_named_where_they_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "variants.toml"
    path.write_text("[slow.alarm]\non_delay = 60\n")
    assert read_variants(path)["slow"].alarm.on_delay == 60
    assert "default" in read_variants(path)
    path.write_text("[slow.alarm]\nondelay = 60\n")
    with pytest.raises(BenchError, match="ondelay"):
        read_variants(path)
    path.write_text("")
    with pytest.raises(BenchError, match="no variant"):
        read_variants(path)


@pytest.mark.slow
def test_the_command_on_several_sets(folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(make_app(), ["bench", str(folder), "--plots", str(tmp_path / "plots")])
    assert done.exit_code == 0, done.output
    for words in ("At no more false episodes", "isolation forest", "All sets", "Severity", "Nothing wrong"):
        assert words in done.output
    assert len(list((tmp_path / "plots").glob("*.png"))) == 3
    variants = tmp_path / "variants.toml"
    variants.write_text("[slow.alarm]\non_delay = 30\n")
    done = CliRunner().invoke(make_app(), ["bench", str(folder), "--choices", str(variants)])
    assert done.exit_code == 0, done.output
    assert "Each set left out once" in done.output
