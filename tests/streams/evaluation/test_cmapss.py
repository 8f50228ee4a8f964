"""The C-MAPSS bench on made-up engines, in NASA's own form and as CSV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detectors.remaining_life.run_features import Run
from streams.evaluation.cmapss import Predicted, figures, run
from streams.evaluation.cmapss_files import read_engines
from streams.evaluation.report import BenchError, Cell, Table
from tests.detectors.run_to_failure import fleet


def lines(runs: list[Run], separator: str, cut: list[int] | None = None) -> str:
    rows = []
    for unit, one in enumerate(runs, start=1):
        for age, x in list(zip(one.age.tolist(), one.x.tolist(), strict=True))[: cut and cut[unit - 1]]:
            rows.append(
                separator.join([str(unit), str(int(age)), "0.1", "0.2", "100", *(f"{v:.4f}" for v in x)])
            )
    return "\n".join(rows) + "\n"


def rows(table: Table) -> dict[Cell, tuple[Cell, ...]]:
    return {row[0]: row[1:] for row in table.rows}


def test_train_engines_are_cross_validated_and_test_engines_predicted(tmp_path: Path) -> None:
    (tmp_path / "train_X.txt").write_text(lines(fleet(0, 25), " "))
    test = fleet(1, 12)
    cut = [int(len(one.age) * 0.8) for one in test]
    (tmp_path / "test_X.txt").write_text(lines(test, " ", cut))
    left = [len(one.age) - at for one, at in zip(test, cut, strict=True)]
    (tmp_path / "RUL_X.txt").write_text("".join(f"{value} \n" for value in left))
    shown: list[tuple[str, int, int]] = []
    report = run(tmp_path, lambda *progress: shown.append(progress))
    trained, tested = rows(report.tables[0]), rows(report.tables[2])
    assert trained["Yeji"][0] == 25 * 20
    assert tested["Yeji"][0] == 12
    for table in (trained, tested):
        ours, clock = table["Yeji"][1], table["clock"][1]
        assert isinstance(ours, float)
        assert isinstance(clock, float)
        assert ours < 0.75 * clock
    assert trained["Yeji"][4] > 80  # type: ignore[operator]
    assert ("Yeji", 5, 5) in shown


def test_csv_with_a_header_gives_the_same_engines(tmp_path: Path) -> None:
    runs = fleet(2, 3)
    (tmp_path / "train_a.txt").write_text(lines(runs, " "))
    csv = tmp_path / "b.csv"
    csv.write_text("unit,cycle,op1,op2,op3,s1,s2,s3,s4,s5,s6\n" + lines(runs, ","))
    one, _ = read_engines(tmp_path)
    two, test = read_engines(csv)
    assert not test
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.run.x, b.run.x)
        np.testing.assert_array_equal(a.run.age, b.run.age)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no rows"),
        ("1 1 0 0 0 5\n1 x 0 0 0 5\n", "train_y.txt:2: could not convert"),
        ("1 1 0 0 0 5\n1 2 0 0 0\n", "train_y.txt:2: 5 cells"),
        ("1 1 0 0 0 5\n1 1 0 0 0 5\n", "cycles of unit 1 do not rise"),
        ("1 1\n", "has 2 columns"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "train_y.txt"
    path.write_text(text)
    with pytest.raises(BenchError, match=message):
        read_engines(path)


def test_a_folder_must_hold_one_set(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="holds no file train"):
        read_engines(tmp_path)
    for name in ("train_1.txt", "train_2.txt"):
        (tmp_path / name).write_text("1 1 0 0 0 5\n")
    with pytest.raises(BenchError, match="several sets"):
        read_engines(tmp_path)


def test_figures_by_hand() -> None:
    nothing = np.full(2, np.nan)
    one = Predicted(np.array([10.0, 100.0]), np.array([20.0, 87.0]), nothing, nothing)
    number, rmse, near, score, inside, width = figures(one)
    assert (number, inside, width) == (2, None, None)
    assert rmse == pytest.approx(np.sqrt((100 + 169) / 2))
    assert near == pytest.approx(10)
    assert score == pytest.approx((np.e - 1 + np.e - 1) / 2)
