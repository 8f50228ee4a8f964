"""`yeji remaining`: what crews confirmed on the desk teaches how long other machines have."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from connectors.sqlite.store import SqliteSink
from desk.rules.finding import Finding
from desk.rules.scope import EVERYTHING
from desk.service.desk import Desk
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Results, Scored, VerdictKind
from streams.cli import make_app
from streams.cli.errors import CommandError
from streams.settings import load_settings

START, HOUR = 1_700_000_000_000, 3_600_000
SENSORS = ("temperature", "vibration")


def name(number: int) -> str:
    return f"a/b/c/d/pump-{number:02}"


def worn(ages: np.ndarray, life: int, rng: np.random.Generator) -> np.ndarray:
    wear = np.clip(ages / life, 0, 1) ** 2
    return np.column_stack([60 + 20 * wear, 1 + 4 * wear]) + rng.normal(0, 0.2, (len(ages), 2))


def scored(machine: str, time: np.ndarray, x: np.ndarray) -> Scored:
    n = len(time)
    blank = np.full(n, np.nan)
    return Scored(
        machine=machine,
        machine_class="default",
        time=time,
        sensors=SENSORS,
        values=x,
        score=blank,
        health=blank,
        state=np.ones(n, dtype=np.uint8),
        contributions=np.zeros((n, 2)),
    )


def alarm(machine: str, phase: AlarmPhase, onset: int, time: int) -> AlarmEvent:
    return AlarmEvent(
        id=f"alarm-{machine}",
        machine=machine,
        machine_class="default",
        kind=AlarmKind.CONDITION,
        phase=phase,
        onset=onset,
        time=time,
        score=0.9999,
        threshold=0.999,
        severity=3,
    )


@pytest.fixture
def plant(tmp_path, monkeypatch):
    """Ten pumps that failed and were repaired; since then the first is young, the last is near its end."""
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    rng = np.random.default_rng(3)
    results, failures = Results(), {}
    for number in range(10):
        life, since = 200 + 12 * number, 20 + 20 * number
        ages = np.concatenate([np.arange(life), np.arange(since)])
        time = START + HOUR * np.arange(len(ages))
        x = np.concatenate([worn(ages[:life], life, rng), worn(ages[life:], 260, rng)])
        results.scored.append(scored(name(number), time, x))
        failures[name(number)] = START + HOUR * (life - 1)
    with SqliteSink(tmp_path / "var" / "csv.sqlite") as sink:
        sink.write(results)
    return tmp_path, settings, failures


def confirm(folder, settings, failures) -> None:
    desk = Desk(folder / "var" / "desk.sqlite", settings)
    for machine, at in failures.items():
        desk.receive([alarm(machine, AlarmPhase.RAISED, at - HOUR, at - HOUR)])
        desk.receive([alarm(machine, AlarmPhase.CLEARED, at - HOUR, at)])
        desk.close_alarm(EVERYTHING, f"alarm-{machine}", Finding(VerdictKind.FAULT, "wear"), by="Kim")
    desk.close()


def test_machines_are_told_the_soonest_to_fail_first(plant):
    confirm(*plant)
    result = CliRunner().invoke(make_app(), ["remaining", "default", "--cap", "150"])
    assert result.exit_code == 0, result.exception
    assert "learned from 10 lives" in result.output.replace("\n", " ")
    rows = [line.split("│")[1:-1] for line in result.output.splitlines() if "pump-" in line]
    told = {row[0].strip().rsplit("/", 1)[-1]: [float(cell) for cell in row[1:]] for row in rows}
    assert len(told) == 10
    assert next(iter(told)) == "pump-09"
    age, left, low, high = told["pump-09"]
    assert 199 <= age <= 200
    assert low <= left <= high
    assert abs(left - 60) < 40
    assert told["pump-00"][1] > 110


def test_too_few_confirmed_faults_say_what_to_do(plant):
    result = CliRunner().invoke(make_app(), ["remaining", "default"])
    assert isinstance(result.exception, CommandError)
    assert "0 lives" in str(result.exception)
    assert "desk" in str(result.exception)


def test_a_class_without_machines_says_so(plant):
    result = CliRunner().invoke(make_app(), ["remaining", "press"])
    assert isinstance(result.exception, CommandError)
    assert "no machine of class 'press'" in str(result.exception)
