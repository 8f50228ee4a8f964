"""`yeji life` ranks machines by their remaining life, and says what is wrong with a table."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from detectors.remaining_life.run_features import Run
from streams.cli import make_app
from streams.cli.errors import CommandError
from tests.detectors.run_to_failure import fleet

HEADER = "machine,age,a,b,c,d,e,f"


def table(runs: dict[str, Run], rows: dict[str, int] | None = None) -> str:
    lines = [HEADER]
    for name, run in runs.items():
        last = (rows or {}).get(name, len(run.age))
        for age, x in list(zip(run.age.tolist(), run.x.tolist(), strict=True))[:last]:
            lines.append(",".join([name, f"{age:g}", *(f"{value:.4f}" for value in x)]))
    return "\n".join(lines) + "\n"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.csv"
    path.write_text(table({f"run-{i}": run for i, run in enumerate(fleet(0, 15))}))
    return path


def test_the_machine_that_is_nearest_to_its_end_comes_first(tmp_path: Path, history: Path) -> None:
    young, old = fleet(1, 2)
    now = tmp_path / "now.csv"
    now.write_text(table({"young": young, "old": old}, {"young": 40, "old": len(old.age) - 4}))
    result = CliRunner().invoke(make_app(), ["life", str(history), str(now), "--cap", "60"])
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines() if "young" in line or " old" in line]
    assert [row[1] for row in rows] == ["old", "young"]
    cells = [cell for cell in rows[0] if cell.strip("│|")]
    remaining, low, high = (float(cell) for cell in cells[2:5])
    assert low <= 4 <= high
    assert remaining < 15


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "now.csv:1: 0 columns"),
        (HEADER + "\n", "holds no rows"),
        (HEADER + "\nm,1,1,2,3,4,5\n", "now.csv:2: 7 cells, the header has 8"),
        (HEADER + "\nm,x,1,2,3,4,5,6\n", "now.csv:2: could not convert"),
        (HEADER + "\nm,2,1,2,3,4,5,6\nm,2,1,2,3,4,5,6\n", "now.csv:3: the age of m is 2"),
        ("machine,age,a,b\nm,1,1,2\n", "missing: c, d, e, f"),
    ],
)
def test_a_wrong_table_is_named_with_its_line(tmp_path: Path, history: Path, text: str, message: str) -> None:
    now = tmp_path / "now.csv"
    now.write_text(text)
    result = CliRunner().invoke(make_app(), ["life", str(history), str(now)])
    assert isinstance(result.exception, CommandError)
    assert message in str(result.exception)


def test_too_few_runs_are_told(tmp_path: Path) -> None:
    few = tmp_path / "few.csv"
    few.write_text(table({"a": fleet(0, 1)[0]}))
    result = CliRunner().invoke(make_app(), ["life", str(few), str(few)])
    assert "holds 1 runs to failure; 6 or more are needed" in str(result.exception)


def test_sensors_of_operation_are_declared_by_name(tmp_path: Path, history: Path) -> None:
    now = tmp_path / "now.csv"
    now.write_text(table({"one": fleet(1, 1)[0]}, {"one": 50}))
    result = CliRunner().invoke(
        make_app(), ["life", str(history), str(now), "--cap", "60", "--operating", "b"]
    )
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(make_app(), ["life", str(history), str(now), "--operating", "load"])
    assert isinstance(result.exception, CommandError)
    assert "no sensor load; there are a, b, c, d, e, f" in str(result.exception)
