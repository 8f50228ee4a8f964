"""NAB's rules, on cases whose score follows from the rules alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from streams.evaluation.nab import read_nab
from streams.evaluation.nab_score import PROFILES, file_score, nab_score, probation, scaled_sigmoid
from streams.evaluation.report import BenchError
from tests.streams.evaluation.made import outcome

STANDARD = PROFILES["standard"]


def alerts(*rows: int, n: int = 4000, events: tuple[tuple[int, int], ...] = ((2000, 2100), (3000, 3100))):
    return outcome(n, list(events), [(row, row + 1) for row in rows])


def test_silence_is_0_and_perfection_100_in_every_profile() -> None:
    for profile in PROFILES.values():
        assert nab_score([alerts()], profile) == pytest.approx(0)
        assert nab_score([alerts(2000, 3000)], profile) == pytest.approx(100)


def test_only_the_earliest_detection_in_a_window_counts() -> None:
    assert file_score(alerts(2010, 2050, 2090), STANDARD) == file_score(alerts(2010), STANDARD)
    assert file_score(alerts(2010), STANDARD) > file_score(alerts(2090), STANDARD)


def test_a_late_detection_is_worth_what_the_sigmoid_says() -> None:
    worth = scaled_sigmoid(-(2099 - 2050 + 1) / 100) / scaled_sigmoid(-1.0)
    assert file_score(alerts(2050), STANDARD) == pytest.approx(worth - 1)


def test_false_detections_cost_in_full_before_any_window_and_less_just_after_one() -> None:
    silent = file_score(alerts(), STANDARD)
    assert silent - file_score(alerts(1000), STANDARD) == pytest.approx(0.11)
    assert silent - file_score(alerts(1000), PROFILES["reward low FP"]) == pytest.approx(0.22)
    soon = silent - file_score(alerts(2105), STANDARD)
    assert soon == pytest.approx(-0.11 * scaled_sigmoid((2105 - 2099) / 99))
    assert 0 < soon < 0.05
    assert silent - file_score(alerts(2999), STANDARD) == pytest.approx(0.11)


def test_the_first_rows_are_free() -> None:
    assert file_score(alerts(probation(4000) - 1), STANDARD) == file_score(alerts(), STANDARD)
    assert file_score(alerts(probation(4000)), STANDARD) < file_score(alerts(), STANDARD)


def layout(folder: Path, labels: str) -> Path:
    """NAB's folders with one labelled file and one that is healthy."""
    data = folder / "data" / "group"
    data.mkdir(parents=True)
    (folder / "labels").mkdir()
    rows = "".join(f"2014-01-01 {h:02}:{m:02}:00,{h}\n" for h in range(10) for m in (0, 30))
    for name in ("odd.csv", "healthy.csv"):
        (data / name).write_text("timestamp,value\n" + rows)
    window = ("2014-01-01 05:00:00", "2014-01-01 06:00:00")
    if labels == "json":
        text = json.dumps({"group/odd.csv": [window], "group/healthy.csv": []})
        (folder / "labels" / "combined_windows.json").write_text(text)
    else:
        with (folder / "labels" / "combined_windows.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("file", "window_start", "window_end"), ("group/odd.csv", *window)])
    return folder


@pytest.mark.parametrize("labels", ["json", "csv"])
@pytest.mark.parametrize("inside", ["", "data/group", "data/group/odd.csv"])
def test_reads_nabs_own_layout(tmp_path: Path, labels: str, inside: str) -> None:
    found = read_nab(layout(tmp_path, labels) / inside)
    windows = sorted(one.events.tolist() for one in found)
    assert windows == ([[[10, 13]]] if inside.endswith("csv") else [[], [[10, 13]]])


def test_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="labels"):
        read_nab(tmp_path)
