"""Files dropped into a real folder: read once, moved when safe, never half."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from connectors.folder.settings import FolderSettings
from connectors.folder.source import FolderSource
from pipeline.records import Frame, Reason
from pipeline.settings import SettingsError
from tests.connectors.collecting import collecting, until
from tests.connectors.pages import source_of

CSV = "time,temp\n" + "".join(f"2026-11-24T03:00:{second:02d}Z,{20 + second}\n" for second in range(10))
MACHINE = "acme/gj/body/line-1/press-1"


def source(folder: Path, **settings: Any) -> FolderSource:
    known = {"path": folder, "settle": 0.2, "every": 0.05, "machine": "(?P<machine>[^_]+)_.*"}
    known["mapping"] = {"levels": "acme/gj/body/line-1"}
    return FolderSource("inbox", FolderSettings.model_validate({**known, **settings}))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def test_files_are_read_once_and_moved_when_their_readings_are_safe(tmp_path: Path) -> None:
    (tmp_path / "press-1_a.csv").write_text(CSV)
    with collecting(source(tmp_path), acknowledges=False) as got:
        got.until(lambda c: len(c.values("temp")) == 10)
        assert got.frames[0].machine == MACHINE
        time.sleep(0.3)
        assert names(tmp_path) == ["press-1_a.csv"], "not safe yet"
        assert len(got.values("temp")) == 10, "read once all the same"
        got.acknowledge_all()
        until(lambda: names(tmp_path / "done") == ["press-1_a.csv"])
        assert names(tmp_path) == []
        (tmp_path / "press-1_a.csv").write_text(CSV)
        got.until(lambda c: len(c.values("temp")) == 20)
        got.acknowledge_all()
        until(lambda: len(names(tmp_path / "done")) == 2)


def test_what_was_not_safe_is_read_again_by_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "press-1_a.csv").write_text(CSV)
    with collecting(source(tmp_path), acknowledges=False) as got:
        got.until(lambda c: len(c.values("temp")) == 10)
    with collecting(source(tmp_path)) as got:
        got.until(lambda c: len(c.values("temp")) == 10)
        until(lambda: names(tmp_path / "done") == ["press-1_a.csv"])


def test_a_file_that_is_still_written_is_never_read_half(tmp_path: Path) -> None:
    with collecting(source(tmp_path, settle=0.5)) as got, (tmp_path / "press-1_a.csv").open("w") as file:
        for line in CSV.splitlines(keepends=True):
            file.write(line)
            file.flush()
            time.sleep(0.1)
        assert got.items == []
        got.until(lambda c: len(c.values("temp")) == 10)
        until(lambda: names(tmp_path / "done") == ["press-1_a.csv"])


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "press-1_a.csv"
    path.write_text(CSV)
    one = source(tmp_path)
    items = iter(one)
    next(items)
    with path.open("a") as file:
        file.write("2026-11-24T03:01:00Z,99\n")
    count = 1
    for item in items:
        count += 1
        if isinstance(item, Frame) and 99.0 in item.values:
            break
    one.close()
    assert list(items) == []
    one.durable(count)
    assert names(tmp_path) == ["press-1_a.csv"], "nobody has said yet that it was read to its end"
    with collecting(source(tmp_path)):
        until(lambda: names(tmp_path / "done") == ["press-1_a.csv"])


def test_names_that_mean_unfinished_are_left_alone(tmp_path: Path) -> None:
    for name in ("press-1_a.csv.part", ".press-1_a.csv", "~press-1.csv", "press-1_b.csv"):
        (tmp_path / name).write_text(CSV)
    with collecting(source(tmp_path)) as got:
        until(lambda: names(tmp_path / "done") == ["press-1_b.csv"])
        assert len(got.values("temp")) == 10
        assert len(names(tmp_path)) == 3


def test_json_lines_json_and_line_protocol_are_read_by_the_mapping(tmp_path: Path) -> None:
    at = 1_790_000_000_000
    lines = [json.dumps({"machine": "press-1", "time": at + n, "temp": float(n)}) for n in range(3)]
    (tmp_path / "a.jsonl").write_text("\n".join([*lines[:2], "{broken", lines[2]]))
    (tmp_path / "b.json").write_text(json.dumps([{"machine": "press-1", "time": at + 10, "rpm": 5.0}]))
    (tmp_path / "c.lp").write_text(f"m,host=press-1 current=7.5 {at + 20}000000\n")
    with collecting(source(tmp_path)) as got:
        until(lambda: len(names(tmp_path / "done")) == 3)
        assert got.values("temp") == [0.0, 1.0, 2.0]
        assert got.values("rpm") == [5.0]
        assert [frame.machine for frame in got.frames] == [MACHINE] * len(got.frames)
        (bad,) = got.rejections
        assert (bad.reason, bad.topic) == (Reason.NOT_JSON, "a.jsonl")


def test_a_file_without_readings_goes_to_failed_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "press-1_letter.csv").write_text("Dear colleagues,\nthe press is broken.\n")
    with collecting(source(tmp_path)) as got:
        until(lambda: names(tmp_path / "failed") == ["press-1_letter.csv"])
        (bad,) = got.rejections
        assert bad.original.startswith(b"Dear colleagues")
        assert "press-1_letter.csv" in bad.detail


def test_a_folder_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is no folder that can be written: make it"):
        source(tmp_path / "nowhere")


def test_a_pattern_without_a_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no group \(\?P<machine>…\)"):
        source(tmp_path, machine="press.*")


def test_the_example_of_the_page_names_the_machine_that_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inbox").mkdir()
    name, settings = source_of("folder.md")
    (tmp_path / "inbox" / "press-07_2026-11-24.csv").write_text(
        "time,temp\n2026-11-24 12:00:00,5\n2026-11-24 12:00:01,6\n"
    )
    with collecting(
        FolderSource(name, FolderSettings.model_validate({**settings, "settle": 0, "every": 0.1}))
    ) as got:
        got.until(lambda c: c.frames)
        assert got.frames[0].machine == "acme/gwangju/body/line-1/press-07"
        assert got.frames[0].time.tolist()[0] == 1_795_489_200_000, "12:00 in Seoul"
