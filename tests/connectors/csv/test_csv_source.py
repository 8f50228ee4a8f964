"""CSV files as people have them, through the source: layouts, times, machines, and rows that are no rows."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.csv import lines as csv_lines
from connectors.csv.layout import CsvOptions
from connectors.csv.source import CsvError, CsvSource, describe
from pipeline.machine import parse_machine
from pipeline.records import Frame, Reason, Rejection

T0 = 1_735_689_600_000  # 2025-01-01T00:00:00Z


def read(path: Path, **options: Any) -> tuple[dict[str, Frame], list[Rejection]]:
    """Everything a source gives, frames of a machine joined."""
    parts: dict[str, list[Frame]] = {}
    rejections: list[Rejection] = []
    for item in CsvSource(path, CsvOptions(**options)):
        if isinstance(item, Rejection):
            rejections.append(item)
        else:
            assert isinstance(item, Frame)
            parse_machine(item.machine)
            parts.setdefault(item.machine, []).append(item)
    return {name: join(frames) for name, frames in parts.items()}, rejections


def join(frames: list[Frame]) -> Frame:
    wide = frames[-1].sensors
    assert all(set(f.sensors) <= set(wide) for f in frames)
    values = []
    for frame in frames:
        x = np.full((len(frame), len(wide)), np.nan)
        x[:, [wide.index(name) for name in frame.sensors]] = frame.values
        values.append(x)
    return Frame(frames[0].machine, np.concatenate([f.time for f in frames]), wide, np.concatenate(values))


def only(path: Path, **options: Any) -> Frame:
    """The one machine of a file that has no bad rows."""
    frames, rejections = read(path, **options)
    assert not rejections
    (frame,) = frames.values()
    return frame


@pytest.fixture
def csv(tmp_path: Path) -> Any:
    def write(text: str | bytes, name: str = "pump.csv") -> Path:
        path = tmp_path / "plant" / "hall" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


# -- layouts


def test_semicolons_datetime_and_labels_that_are_no_sensors(csv: Any) -> None:
    path = csv(
        "datetime;Accelerometer1RMS;Volume Flow RateRMS;anomaly;changepoint\n"
        "2025-01-01 00:00:00;0.026;32.0;0.0;0.0\n2025-01-01 00:00:01;0.027;31.5;1.0;0.0\n"
    )
    frame = only(path)
    assert frame.machine == "local/csv/plant/hall/pump"
    assert frame.sensors == ("Accelerometer1RMS", "Volume Flow RateRMS")
    assert frame.time.tolist() == [T0, T0 + 1000]
    assert frame.values.tolist() == [[0.026, 32.0], [0.027, 31.5]]


def test_a_time_in_a_first_column_without_a_name(csv: Any) -> None:
    frame = only(csv(",Bearing 1,Bearing 2\n2025-01-01 00:00:00,1,2\n2025-01-01 00:10:00,3,4\n"))
    assert frame.sensors == ("Bearing 1", "Bearing 2")
    assert frame.time.tolist() == [T0, T0 + 600_000]


def test_units_and_cycles(csv: Any) -> None:
    path = csv("unit,cycle,s1,s2\n1,1,5.5,7\n1,2,5.6,7\n2,1,5.4,7\n")
    frames, rejections = read(path)
    assert not rejections
    assert sorted(frames) == ["local/csv/hall/pump/unit-1", "local/csv/hall/pump/unit-2"]
    first = frames["local/csv/hall/pump/unit-1"]
    assert first.sensors == ("s1", "s2")
    assert np.diff(first.time).tolist() == [3_600_000]
    by_minute, _ = read(path, time_unit=60_000.0, start=T0)
    assert by_minute["local/csv/hall/pump/unit-1"].time.tolist() == [T0 + 60_000, T0 + 120_000]


def test_long_files_become_readings_of_all_sensors(csv: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_lines.blocks, "__defaults__", (40,))  # rows of one time in several blocks
    rows = [
        f"{1735689600 + second},press-{machine},{tag},{10 * machine + second}"
        for second in range(6)
        for machine in (1, 2)
        for tag in ("oil", "force")
        if (second, machine, tag) != (3, 2, "oil")
    ]
    frames, rejections = read(csv("timestamp,machine,sensor,value\n" + "\n".join(rows)), under="a/b/c/d")
    assert not rejections
    assert sorted(frames) == ["a/b/c/d/press-1", "a/b/c/d/press-2"]
    second = frames["a/b/c/d/press-2"]
    assert second.sensors == ("oil", "force")
    assert second.time.tolist() == [T0 + 1000 * s for s in range(6)]
    assert np.isnan(second.values[3, 0])
    assert second.values[:, 1].tolist() == [20, 21, 22, 23, 24, 25]


def test_long_files_with_times_of_their_own_are_put_on_a_grid(csv: Any) -> None:
    path = csv("time,tag,val\n1735689600100,a,1\n1735689600400,b,2\n1735689600900,a,3\n1735689601200,b,4\n")
    assert len(only(path)) == 4
    frame = only(path, align=1000)
    assert frame.time.tolist() == [T0, T0 + 1000]
    assert np.array_equal(frame.values, [[3, 2], [np.nan, 4]], equal_nan=True)


def test_columns_named_by_options(csv: Any) -> None:
    path = csv("wann;wer;was;wieviel\n01.02.2025 00:00;p1;druck;1,5\n01.02.2025 00:01;p1;druck;2,5\n")
    frames, rejections = read(
        path,
        time_column="wann",
        time_format="%d.%m.%Y %H:%M",
        machine_column="wer",
        sensor_column="was",
        value_column="wieviel",
        under="a/b/c/d",
    )
    assert not rejections
    assert frames["a/b/c/d/p1"].values.tolist() == [[1.5], [2.5]]


def test_a_column_that_is_not_there_is_named_with_those_that_are(csv: Any) -> None:
    with pytest.raises(CsvError, match=r"no column 'nope' \(--time-column\); its columns are time, x"):
        CsvSource(csv("time,x\n1735689600,1\n"), CsvOptions(time_column="nope"))


def test_columns_of_words_row_numbers_and_ignored_ones_are_left_out(csv: Any) -> None:
    path = csv(
        ",time,state,id,temp,flag,secret\n"
        + "".join(f"{i},{1735689600 + i},RUN,{7 - i},2{i},true,5\n" for i in range(4))
    )
    frame = only(path, ignore=("secret",))
    assert frame.sensors == ("temp", "flag")
    assert frame.values.tolist() == [[20 + i, 1] for i in range(4)]
    assert any("state" in note for note in describe(CsvSource(path)))


def test_no_header_and_no_time(csv: Any) -> None:
    path = csv("1.5 2.5\n1.6 2.6\n1.7 2.7\n", "raw.txt")
    with pytest.raises(CsvError, match="--time-step"):
        CsvSource(path)
    frame = only(path, time_step=50, start=T0)
    assert frame.sensors == ("column-1", "column-2")
    assert frame.time.tolist() == [T0, T0 + 50, T0 + 100]
    again = CsvSource(path, CsvOptions(time_step=50, start=T0))
    assert [f.time.tolist() for f in again if isinstance(f, Frame)] == [[T0, T0 + 50, T0 + 100]]
    assert [f.time.tolist() for f in again if isinstance(f, Frame)] == [[T0, T0 + 50, T0 + 100]], "twice"


def test_date_and_time_in_two_columns(csv: Any) -> None:
    frame = only(csv("Date,Time,p\n2025-01-01,00:00:01,1\n2025-01-01,00:00:02,2\n"))
    assert frame.sensors == ("p",)
    assert frame.time.tolist() == [T0 + 1000, T0 + 2000]


def test_a_header_that_leaves_out_the_index_or_rows_that_end_in_a_delimiter(csv: Any) -> None:
    frame = only(csv("a,b\n2025-01-01 00:00:00,1,2\n2025-01-01 00:00:01,3,4\n"))
    assert frame.sensors == ("a", "b")
    frame = only(csv("time,a\n2025-01-01 00:00:00,1,\n2025-01-01 00:00:01,3,\n", "end.csv"))
    assert frame.sensors == ("a",)


@pytest.mark.parametrize(
    ("text", "first", "options"),
    [
        ("2025-01-01T00:00:00Z", T0, {}),
        ("2025-01-01T09:00:00+09:00", T0, {}),
        ("2025-01-01 00:00:00.250", T0 + 250, {}),
        ("2025-01-01 00:00:00,250", T0 + 250, {"delimiter": ";"}),
        ("2025-01-01 09:00:00", T0, {"zone": ZoneInfo("Asia/Seoul")}),
        ("2025-01-01 09:00", T0, {"zone": ZoneInfo("Asia/Seoul")}),
        ("2025-01-01", T0, {}),
        ("2025/01/01 00:00:00", T0, {}),
        ("2025.01.01 00:00", T0, {}),
        ("2025. 1. 1. 오전 12:00:00", T0, {}),
        ("2025-01-01 오후 1:02:03", T0 + 3_723_000 + 12 * 3_600_000 - 0, {}),
        ("13/01/2025 00:00", T0 + 12 * 86_400_000, {}),
        ("01/13/2025 12:00:00 AM", T0 + 12 * 86_400_000, {}),
        ("13.01.2025 00:00:00", T0 + 12 * 86_400_000, {}),
        ("02.01.2025 00:00:00", T0 + 86_400_000, {}),
        ("01-Jan-2025 00:00:00", T0, {}),
        ("20250101000000", T0, {}),
        ("20250101", T0, {}),
        ("2025.01.01.00.00.00", T0, {}),
        ("1735689600", T0, {}),
        ("1735689600.5", T0 + 500, {}),
        ("1735689600000", T0, {}),
        ("1735689600000000", T0, {}),
        ("1735689600000000000", T0, {}),
        ("01|02|2025", T0 + 31 * 86_400_000, {"time_format": "%d|%m|%Y"}),
        ("7", T0 + 7000, {"time_unit": 1000.0, "start": T0}),
    ],
)
def test_forms_of_time(csv: Any, text: str, first: int, options: dict[str, Any]) -> None:
    if text == "2025-01-01 오후 1:02:03":
        first = T0 + 13 * 3_600_000 + 2 * 60_000 + 3000
    frame = only(csv(f"time;x\n{text};1\n"), **options)
    assert frame.time.tolist() == [first]


def test_day_and_month_are_told_apart_by_the_order_of_rows_or_asked_for(csv: Any) -> None:
    rows = "".join(f"{day:02}/01/2025 00:00,1\n" for day in range(1, 13))
    assert np.diff(only(csv("time,x\n" + rows)).time).tolist() == [86_400_000] * 11
    with pytest.raises(CsvError, match="--time-format"):
        CsvSource(csv("time,x\n01/02/2025 00:00,1\n01/02/2025 00:01,2\n", "which.csv"))


def test_clocks_that_are_set_back_make_no_second_machine(csv: Any) -> None:
    """In Berlin 02:30 comes twice on 2025-10-26; the file is read, the second one is the first again."""
    path = csv("time,x\n2025-10-26 01:30:00,1\n2025-10-26 02:30:00,2\n2025-10-26 03:30:00,3\n")
    frame = only(path, zone=ZoneInfo("Europe/Berlin"))
    assert ((frame.time - frame.time[0]) / 3_600_000).tolist() == [0, 1, 3]


# -- files


def test_a_folder_is_a_machine_a_file_in_natural_order(csv: Any) -> None:
    for number in (10, 2, 1):
        csv(f"time,x\n173568960{number % 10},{number}\n", f"{number}.csv")
    csv("see the manual\n", "notes.txt")
    path = csv("file,start,end\na,2025-01-01 00:00:00,2025-01-01 01:00:00\n", "windows.csv")
    source = CsvSource(path.parent)
    items = list(source)
    assert [f.machine.split("/")[-1] for f in items if isinstance(f, Frame)] == ["1", "2", "10"]
    unread = [one for one in items if isinstance(one, Rejection)]
    assert [Path(one.topic).name for one in unread] == ["notes.txt", "windows.csv"]
    assert unread[1].original.startswith(b"file,start")
    assert source.total == 3


def test_files_of_one_machine_come_in_the_order_of_their_times(csv: Any) -> None:
    csv("time,x\n1735689700,2\n", "a.csv")
    path = csv("time,x\n1735689600,1\n", "b.csv")
    frames, _ = read(path.parent, machine="a/b/c/d/e")
    assert frames["a/b/c/d/e"].values[:, 0].tolist() == [1, 2]


def test_files_that_would_be_the_same_machine_are_refused(csv: Any) -> None:
    path = csv("time,x\n1735689600,1\n", "one/x/y/z.csv")
    csv("time,x\n1735689600,1\n", "two/x/y/z.csv")
    with pytest.raises(CsvError, match="would both be machine local/csv/x/y/z"):
        CsvSource(path.parents[3])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
def test_encodings(csv: Any, encoding: str) -> None:
    frame = only(csv("시간,온도\n1735689600,21.5\n".encode(encoding)))
    assert frame.sensors == ("온도",)
    assert frame.values.tolist() == [[21.5]]


def test_gzip_windows_line_ends_and_no_last_line_end(csv: Any) -> None:
    path = csv(gzip.compress(b"time,x\r\n1735689600,1\r\n\r\n1735689601,2"), "p.csv.gz")
    assert only(path).values.tolist() == [[1], [2]]


def test_quoted_cells_with_line_breaks_and_delimiters(csv: Any) -> None:
    path = csv('time,note,x\n1735689600,"a, b",1\n1735689601,"two\nlines",2\n1735689602,,3\n')
    assert only(path).values.tolist() == [[1], [2], [3]]


def test_nothing_to_read_is_said_so(tmp_path: Path, csv: Any) -> None:
    with pytest.raises(CsvError, match="no file and no folder"):
        CsvSource(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CsvError, match="holds no file"):
        CsvSource(tmp_path / "empty")
    with pytest.raises(CsvError, match="it is empty"):
        CsvSource(csv(""))
    with pytest.raises(CsvError, match="no column of numbers"):
        CsvSource(csv("time,x\n1735689600,a\n"))
    with pytest.raises(CsvError, match="no row"):
        CsvSource(csv("time,x\n"))
    with pytest.raises(CsvError, match="four levels"):
        CsvSource(csv("time,x\n1735689600,1\n"), CsvOptions(under="a/b"))
    with pytest.raises(CsvError, match="--encoding"):
        CsvSource(csv("time,x\n1735689600,1\n"), CsvOptions(encoding="utf-99"))


# -- bad rows


def test_bad_rows_are_told_with_line_and_bytes_and_the_rest_goes_on(csv: Any) -> None:
    lines = [
        b"time,a,b",
        b"1735689600,1,2",
        b"1735689601,1",
        b"soon,1,2",
        b"1735689602,1,2,3",
        b",1,2",
        b"1735689603,oops,2",
        b"1735689604,inf,2",
        b"1735689605,\xff\xfe,2",
        b"1735689606,N/A,2",
        b"1735689607,1,2",
    ]
    path = csv(b"\n".join(lines) + b"\n")
    frames, rejections = read(path, encoding="utf-8")
    (frame,) = frames.values()
    assert ((frame.time - T0) // 1000).tolist() == [0, 3, 4, 6, 7]
    assert np.isnan(frame.values[1:4, 0]).all()
    told = [(one.offset, one.reason, one.sensor, one.original) for one in rejections]
    assert told == [
        (3, Reason.CSV_ROW, None, lines[2]),
        (4, Reason.CSV_ROW, None, lines[3]),
        (5, Reason.CSV_ROW, None, lines[4]),
        (6, Reason.CSV_ROW, None, lines[5]),
        (7, Reason.VALUE_TYPE, "a", lines[6]),
        (8, Reason.INFINITE, "a", lines[7]),
        (9, Reason.CSV_ROW, None, lines[8]),
    ]
    assert all(one.detail.startswith(f"{path}:{one.offset}: ") for one in rejections)
    assert all(one.topic == str(path) for one in rejections)
    assert read(path, encoding="utf-8")[1] == rejections, "the same each time"


def test_a_row_without_its_machine_is_told(csv: Any) -> None:
    frames, rejections = read(csv("time,machine,x\n1735689600,m,1\n1735689601,,2\n"))
    assert [(one.offset, one.reason) for one in rejections] == [(3, Reason.MACHINE_MISSING)]
    assert len(frames) == 1


def test_a_line_without_end_is_not_read_into_memory(csv: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_lines, "MAX_LINE", 200)
    monkeypatch.setattr(csv_lines.blocks, "__defaults__", (64,))
    path = csv("time,x\n1735689600,1\n" + "9" * 5000 + "\n1735689601,2\n")
    frames, rejections = read(path)
    (frame,) = frames.values()
    assert frame.values.tolist() == [[1], [2]]
    assert [(one.offset, one.reason) for one in rejections] == [(3, Reason.CSV_ROW)]
    assert 200 <= len(rejections[0].original) < 400
    assert rejections[0].original == b"9" * len(rejections[0].original)


row = st.one_of(
    st.tuples(st.integers(0, 10**6), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).map(
        lambda r: f"{1_735_689_600 + r[0]},{r[1]},{r[2]}".encode()
    ),
    st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"").replace(b'"', b"")),
)


@settings(max_examples=60)
@given(st.lists(row, min_size=1, max_size=30), st.integers(8, 300))
def test_each_row_is_taken_or_told_in_any_blocks(
    tmp_path_factory: pytest.TempPathFactory, rows: list[bytes], size: int
) -> None:
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_bytes(b"time,a,b\n1735689600,1,2\n1735689600,1,2\n" + b"\n".join(rows) + b"\n")
    options = CsvOptions(time_unit=1000.0, start=0, delimiter=",", encoding="utf-8")

    def outcome() -> tuple[list[int], list[list[float]], list[tuple[int, str]]]:
        times: list[int] = []
        values: list[list[float]] = []
        told: list[tuple[int, str]] = []
        for item in CsvSource(path, options):
            if isinstance(item, Frame):
                times += item.time.tolist()
                values += np.nan_to_num(item.values, nan=-1e9).tolist()
            else:
                told.append((item.offset, item.reason.value))
        return times, values, told

    whole = outcome()
    default = csv_lines.blocks.__defaults__
    try:
        csv_lines.blocks.__defaults__ = (size,)
        assert outcome() == whole
    finally:
        csv_lines.blocks.__defaults__ = default
    lost = {line for line, reason in whole[2] if reason == "csv-row"}
    blank = sum(not r.strip() for r in rows)
    assert len(whole[0]) + len(lost) == len(rows) + 2 - blank


def test_utc_is_the_zone_unless_told(csv: Any) -> None:
    path = csv("time,x\n2025-01-01 00:00:00,1\n")
    assert only(path, zone=UTC).time.tolist() == [T0]


def test_machines_that_are_already_full_names_stay(csv: Any) -> None:
    frames, _ = read(csv("time,machine,x\n1735689600,a/b/c/d/e,1\n1735689600,press #7,2\n"))
    assert sorted(frames) == ["a/b/c/d/e", "local/csv/hall/pump/press _7"]


@settings(max_examples=150)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text('0123456789,;.: -\t\n"TZ+/ab', max_size=200).map(str.encode),
        st.lists(st.lists(st.sampled_from(["1", "x", "", "2025-01-01 00:00:00", "time", "9e99", '"'])))
        .map(lambda rows: "\n".join(";".join(row) for row in rows))
        .map(str.encode),
    )
)
def test_whatever_a_file_holds_it_is_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_bytes(data)
    refusal, items = "", []
    try:
        items = list(CsvSource(path))
    except CsvError as error:
        refusal = str(error)
    assert bool(items) != refusal.startswith(f"{path}: ")
    for item in items:
        if isinstance(item, Frame):
            assert item.values.shape == (len(item), len(item.sensors))
            assert not np.isinf(item.values).any()
            parse_machine(item.machine)
        else:
            assert isinstance(item, Rejection)
            assert item.detail.startswith(f"{path}:")


# -- what spreadsheets and loggers write


def stamps(n: int, step: int = 5000) -> list[int]:
    return [T0 + step * i for i in range(n)]


def shown(time: int, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
    return datetime.fromtimestamp(time / 1000, UTC).strftime(form)


def test_newest_first_and_tag_after_tag_are_put_in_order(csv: Any) -> None:
    times = stamps(40_000, 1000)
    rows = "".join(f"{shown(time)},{i},{-i}\n" for i, time in reversed(list(enumerate(times))))
    path = csv("time,a,b\n" + rows)
    assert path.stat().st_size > csv_lines.BLOCK_BYTES
    frame = only(path)
    assert frame.time.tolist() == times
    assert frame.values[:, 1].tolist() == [-i for i in range(40_000)]
    tags = "".join(
        f"{shown(time)},P-1,{tag},{i}\n" for tag in ("a", "b", "c") for i, time in enumerate(times[:20_000])
    )
    frame = only(csv("time,asset,tag,value\n" + tags))
    assert frame.time.tolist() == times[:20_000]
    assert not np.isnan(frame.values).any()


def test_machines_one_after_the_other_are_in_order(csv: Any) -> None:
    rows = "".join(f"{unit},{shown(time)},1\n" for unit in ("x", "y") for time in stamps(30_000))
    source = CsvSource(csv("unit,time,a\n" + rows))
    assert not source.files[0].unsorted
    frames, _ = read(source.path)
    assert [frame.time.tolist() for frame in frames.values()] == [stamps(30_000)] * 2


def test_a_file_out_of_order_that_is_too_large_says_what_to_do(csv: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("connectors.csv.source.MOST_BYTES", 10)
    rows = "".join(f"{shown(time)},1\n" for time in reversed(stamps(2000)))
    with pytest.raises(CsvError, match="sort it by its time"):
        CsvSource(csv("time,a\n" + rows))


@pytest.mark.parametrize("names", ["Datum;Uhrzeit", "day;moment"])
def test_date_and_time_of_day_in_two_columns(csv: Any, names: str) -> None:
    rows = "".join(f"{shown(t, '%d.%m.%Y')};{shown(t, '%H:%M:%S')};{i},5\n" for i, t in enumerate(stamps(50)))
    frame = only(csv(f"{names};a\n{rows}"))
    assert frame.time.tolist() == stamps(50)
    assert frame.sensors == ("a",)


def test_serial_dates_and_a_row_of_units(csv: Any) -> None:
    serial = [f"{(time + 2_209_161_600_000) / 86_400_000:.8f}" for time in stamps(100)]
    rows = "".join(f"{cell},{i}.5\n" for i, cell in enumerate(serial))
    source = CsvSource(csv("Time,temp\ndays,degC\n" + rows))
    assert any("degC" in note for note in describe(source))
    frame = only(source.path)
    assert frame.time.tolist() == stamps(100)
    assert frame.values[:, 0].tolist() == [i + 0.5 for i in range(100)]


def test_a_counter_of_days_size_is_no_date(csv: Any) -> None:
    frame = only(csv("time,a\n" + "".join(f"{40_000 + i},{i}\n" for i in range(50))), time_unit=1000.0)
    assert np.diff(frame.time).tolist() == [1000] * 49


def test_lines_above_the_header_and_below_the_table(csv: Any) -> None:
    rows = "".join(f"{shown(time)},{i},2\n" for i, time in enumerate(stamps(50)))
    frames, rejections = read(csv(f"version=1.0\nfile created: 2026\n\ntime,temp,vib\n{rows}--- end ---\n"))
    (frame,) = frames.values()
    assert frame.sensors == ("temp", "vib")
    assert frame.time.tolist() == stamps(50)
    (rejection,) = rejections
    assert rejection.original == b"--- end ---"


@pytest.mark.parametrize(
    ("delimiter", "cells", "expected"),
    [
        (",", ('"1,480"', '"25,300"', "60.123"), [1480, 25300, 60.123]),
        (";", ("1,480", "25,300", "60.1"), [1480, 25300, 60.1]),
        (";", ("1.480", "25.300,5", "60,1"), [1480, 25300.5, 60.1]),
        (";", ("1,480", "2,300", "0,123"), [1.48, 2.3, 0.123]),
        (";", ("1.480", "2.300", "60.123"), [1.48, 2.3, 60.123]),
        (";", ("1,234,567", "1", "2"), [1234567, 1, 2]),
        (",", ('"1.234.567,5"', '"60,1"', "2"), [1234567.5, 60.1, 2]),
    ],
)
def test_thousands(csv: Any, delimiter: str, cells: tuple[str, ...], expected: list[float]) -> None:
    rows = "".join(delimiter.join((shown(time), *cells)) + "\n" for time in stamps(20))
    frame = only(csv(delimiter.join(("time", "a", "b", "c")) + "\n" + rows))
    assert frame.values[0].tolist() == expected


def test_numbers_that_could_be_either_are_asked_for(csv: Any) -> None:
    path = csv("time;a;b\n" + "".join(f"{shown(time)};1,480;60.123\n" for time in stamps(20)))
    with pytest.raises(CsvError, match="--decimal"):
        CsvSource(path)
    assert only(path, decimal=".").values[0].tolist() == [1480, 60.123]
    assert only(path, decimal=",").values[0].tolist() == [1.48, 60123]


def test_a_unit_of_time_that_changes_is_named(csv: Any) -> None:
    cells = [str(t if i < 60 else t // 1000) for i, t in enumerate(stamps(100))]
    frames, rejections = read(csv("time,a\n" + "".join(f"{cell},{i}\n" for i, cell in enumerate(cells))))
    (frame,) = frames.values()
    assert frame.time.tolist() == stamps(60)
    assert len(rejections) == 40
    assert "no time as in the rest" in rejections[0].detail


@pytest.mark.parametrize("step", [60_000, 600_000, 1_800_000])
@pytest.mark.parametrize("backwards", [False, True])
def test_the_hour_that_comes_twice(csv: Any, step: int, backwards: bool) -> None:
    zone = ZoneInfo("Europe/Berlin")
    first = 1_792_879_200_000  # 2026-10-24T22:00Z
    times = [first + step * i for i in range(6 * 3_600_000 // step)]
    written = [datetime.fromtimestamp(t / 1000, zone).strftime("%Y-%m-%d %H:%M:%S") for t in times]
    lines = [f"{cell},{i}\n" for i, cell in enumerate(written)]
    frame = only(csv("time,a\n" + "".join(reversed(lines) if backwards else lines)), zone=zone)
    assert sorted(zip(frame.time.tolist(), frame.values[:, 0].tolist(), strict=True)) == list(
        zip(times, range(len(times)), strict=True)
    )


def test_quality_of_rows_and_of_sensors(csv: Any) -> None:
    judged = ["Good", "Bad", "Uncertain", "0", "192"]
    rows = "".join(f"{shown(t)},a,{i},{q}\n" for i, (t, q) in enumerate(zip(stamps(5), judged, strict=True)))
    frame = only(csv("time,tag,value,quality\n" + rows))
    assert np.isnan(frame.values[:, 0]).tolist() == [False, True, False, True, False]
    (whole,) = list(CsvSource(csv("time,tag,value,quality\n" + rows)))[-1:]
    assert isinstance(whole, Frame)
    wide = "time,temp,temp_quality,vib\n" + "".join(
        f"{shown(t)},{i},{judged[i]},7\n" for i, t in enumerate(stamps(5))
    )
    (only_frame,) = [item for item in CsvSource(csv(wide)) if isinstance(item, Frame)]
    assert only_frame.sensors == ("temp", "vib")
    assert np.isnan(only_frame.values[:, 0]).tolist() == [False, True, False, True, False]
    assert only_frame.uncertain is not None
    assert only_frame.uncertain.tolist() == [[i == 2, False] for i in range(5)]


def test_labels_are_told_and_no_sensors(csv: Any) -> None:
    header = "time,temp,Pump Ground Truth,is_fault,door_flag,is_amps"
    rows = "".join(f"{shown(t)},{i},0,{i % 2},{i % 2},{i}.5\n" for i, t in enumerate(stamps(30)))
    source = CsvSource(csv(f"{header}\n{rows}"))
    assert only(source.path).sensors == ("temp", "is_amps")
    told = [note for note in describe(source) if "labels" in note]
    assert told == ["labels, no sensors: Pump Ground Truth, is_fault, door_flag"]
