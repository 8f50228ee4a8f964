"""The SQLite store: one content however results arrive, all or nothing, old files brought up to date."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base.contract import SinkUnavailableError
from connectors.sqlite import schema as sqlite_schema
from connectors.sqlite.chunks import COLUMNS, Chunk, decode, level, merge
from connectors.sqlite.files import NewerStoreError, StoreError
from connectors.sqlite.schema import open_reader, open_writer
from connectors.sqlite.store import MAX_ORIGINAL, Position, SqliteSink
from pipeline.records import (
    AlarmEvent,
    AlarmKind,
    AlarmPhase,
    Contribution,
    Prognosis,
    Reason,
    Rejection,
    Results,
    Scored,
    State,
    alarm_id,
)

PRESS, PUMP = "lab/one/body/line-1/press-1", "lab/one/body/line-1/pump-1"


def scored(machine: str, times: list[int], sensors: tuple[str, ...] = ("a", "b")) -> Scored:
    """Readings whose every number follows from machine, sensor and time: the truth to compare with."""
    time = np.array(times, dtype=np.int64)
    seed = time[:, None] * 7 + np.arange(len(sensors)) + len(machine)
    values = np.where(seed % 5 == 0, np.nan, np.sin(seed))
    state = (time % 4).astype(np.uint8)
    shares = np.where(state[:, None] >= State.SUSPECT, 1.0 / len(sensors), 0.0) * np.ones(len(sensors))
    score = np.where(state == State.LEARNING, np.nan, np.cos(time) ** 2)
    return Scored(
        machine=machine,
        machine_class="default",
        time=time,
        sensors=sensors,
        values=values,
        score=score,
        health=100 * np.cos(time) ** 2,
        state=state,
        contributions=shares,
    )


def alarm(machine: str, onset: int, phase: AlarmPhase, time: int) -> AlarmEvent:
    one = Contribution("a", 1.0, 3.0, 1.0, 4.0)
    name = alarm_id(machine, AlarmKind.CONDITION, "", onset)
    return AlarmEvent(
        id=name,
        machine=machine,
        machine_class="default",
        kind=AlarmKind.CONDITION,
        phase=phase,
        onset=onset,
        time=time,
        score=1.0,
        threshold=0.9,
        severity=2,
        contributions=(one,),
    )


def rejection(offset: int, detail: str = "no JSON") -> Rejection:
    return Rejection(Reason.NOT_JSON, detail, b"{" * offset, 1000 + offset, topic="t", offset=offset)


def contents(path: Path) -> dict[str, object]:
    """Everything the file says, without how it is stored (row ids, chunk borders)."""
    with closing(open_reader(path)) as db:
        query = (
            "SELECT (SELECT name FROM machines WHERE id=machine), "
            f"(SELECT sensors FROM layouts WHERE id=layout), {COLUMNS} FROM chunks"
        )
        readings: dict[tuple[str, int], tuple[object, ...]] = {}
        for name, sensors, *blobs in db.execute(query):
            names = tuple(msgspec.json.decode(sensors))
            chunk = decode(blobs, len(names))
            assert (np.diff(chunk.time) > 0).all()
            for i, time in enumerate(chunk.time.tolist()):
                assert (name, time) not in readings, "kept twice"
                row = (chunk.score[i], chunk.health[i], chunk.state[i], *chunk.values[i])
                readings[name, time] = (names, np.array(row).tobytes(), chunk.contributions[i].tobytes())
        found: dict[str, object] = {"readings": readings}
        for table, columns in {
            "machines": "name, class, (SELECT sensors FROM layouts l WHERE l.id=layout), first, last, score, "
            "health, state",
            "alarms": "id, machine, onset, latest, raised, cleared",
            "prognoses": "machine, time, class, health, threshold, remaining, low, high",
            "rejections": "digest, received, reason, detail, readings, size, original",
            "snapshots": "machine, data",
            "positions": "source, count, detail",
        }.items():
            found[table] = sorted(db.execute(f"SELECT {columns} FROM {table}").fetchall(), key=repr)
        return found


def parts_of(cuts: list[int], machine: str, n: int) -> list[Scored]:
    """Readings 0..n-1 of a machine, cut at ``cuts``; from 60 % on it has one sensor more."""
    change = n * 6 // 10
    edges = sorted({0, change, n, *(cut % n for cut in cuts)})
    return [
        scored(machine, list(range(a, b)), ("a", "b") if b <= change else ("a", "b", "c"))
        for a, b in itertools.pairwise(edges)
    ]


OTHERS = [
    Results(alarms=[alarm(PRESS, 100, AlarmPhase.RAISED, 140)]),
    Results(alarms=[alarm(PRESS, 100, AlarmPhase.CLEARED, 180)]),
    Results(alarms=[alarm(PUMP, 300, AlarmPhase.RAISED, 340)]),
    Results(prognoses=[Prognosis(PRESS, "default", 150, 40.0, 30.0, 12.0, 6.0, None)]),
    Results(rejections=[rejection(3), rejection(4)]),
    Results(rejections=[rejection(4), rejection(4, "something else")]),
]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(data=st.data(), n=st.integers(20, 700))
def test_any_split_in_any_order_and_again_gives_the_same_contents(data: st.DataObject, n: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        straight, mixed = Path(folder) / "straight.sqlite", Path(folder) / "mixed.sqlite"
        with SqliteSink(straight) as sink:
            for machine in (PRESS, PUMP):
                sink.write(Results(scored=parts_of([], machine, n)))
            for one in OTHERS:
                sink.write(one)
        cuts = st.lists(st.integers(0, n - 1), max_size=40)
        pieces = [Results(scored=[p]) for m in (PRESS, PUMP) for p in parts_of(data.draw(cuts), m, n)]
        # Some of it comes again, cut in another way, as after a crash.
        again = [Results(scored=[p]) for p in parts_of(data.draw(cuts), PRESS, n)]
        order = data.draw(st.permutations([*pieces, *again, *OTHERS]))
        with SqliteSink(mixed) as sink:
            while order:
                size = data.draw(st.integers(1, 12))
                batch, order = order[:size], order[size:]
                sink.write(
                    Results(
                        scored=[s for r in batch for s in r.scored],
                        alarms=[a for r in batch for a in r.alarms],
                        prognoses=[p for r in batch for p in r.prognoses],
                        rejections=[x for r in batch for x in r.rejections],
                    )
                )
        assert contents(mixed) == contents(straight)


def test_a_chunk_comes_back_from_its_bytes_exactly():
    chunk = Chunk.of(scored(PRESS, list(range(50))))
    back = decode(chunk.blobs(), 2)
    for name in ("time", "score", "health", "state", "values", "contributions"):
        assert getattr(back, name).tobytes() == getattr(chunk, name).tobytes(), name


def test_merged_chunks_are_in_time_order():
    a, b = Chunk.of(scored(PRESS, [1, 5, 9])), Chunk.of(scored(PRESS, [2, 3, 12]))
    assert merge([a, b]).time.tolist() == [1, 2, 3, 5, 9, 12]


def test_many_small_writes_end_in_few_rows(tmp_path: Path):
    with SqliteSink(tmp_path / "s.sqlite") as sink:
        for start in range(0, 3000, 5):
            sink.write(Results(scored=[scored(PRESS, list(range(start, start + 5)))]))
    with closing(open_reader(tmp_path / "s.sqlite")) as db:
        rows = [(n, size) for n, size in db.execute("SELECT n, level FROM chunks")]
    assert sum(n for n, _ in rows) == 3000
    assert len(rows) < 3 * 16
    assert all(level(n) == size for n, size in rows)


def test_two_writers_do_not_disturb_each_other(tmp_path: Path):
    path = tmp_path / "s.sqlite"
    with SqliteSink(path) as one, SqliteSink(path) as two:
        for i in range(40):
            sink = one if i % 2 else two
            sink.write(Results(scored=[scored(PRESS, list(range(i * 3, i * 3 + 6)))]))
    with SqliteSink(tmp_path / "t.sqlite") as alone:
        alone.write(Results(scored=[scored(PRESS, list(range(123)))]))
    assert contents(path)["readings"] == contents(tmp_path / "t.sqlite")["readings"]


def test_snapshots_and_position_go_with_the_results(tmp_path: Path):
    path = tmp_path / "s.sqlite"
    with SqliteSink(path) as sink:
        assert sink.position("csv") is None
        sink.write(Results(), snapshots={PRESS: b"one", PUMP: b"two"}, position=Position("csv", 10, "f"))
        sink.write(Results(), snapshots={PRESS: b"three"}, position=Position("csv", 20, "f"))
    with SqliteSink(path) as sink:
        assert dict(sink.snapshots()) == {PRESS: b"three", PUMP: b"two"}
        assert sink.position("csv") == Position("csv", 20, "f")


def test_a_write_that_fails_leaves_nothing(tmp_path: Path):
    path = tmp_path / "s.sqlite"
    with SqliteSink(path) as sink:
        sink.write(Results(scored=[scored(PRESS, [1, 2, 3])]), snapshots={PRESS: b"good"})
        before = contents(path)
        broken = Prognosis(PRESS, "default", 5, None, 30.0, None, None, None)  # type: ignore[arg-type]
        with pytest.raises(sqlite3.IntegrityError):
            sink.write(Results(scored=[scored(PRESS, [4, 5])], prognoses=[broken]), snapshots={PRESS: b"bad"})
        assert contents(path) == before
        sink.write(Results(scored=[scored(PRESS, [4, 5])]))  # and goes on as if nothing had happened
    assert len(contents(path)["readings"]) == 5  # type: ignore[arg-type]


def test_a_file_that_another_program_holds_is_to_be_tried_again(tmp_path: Path):
    path = tmp_path / "s.sqlite"
    with (
        SqliteSink(path, patience=0.05) as sink,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SinkUnavailableError, match="tried again"):
            sink.write(Results(scored=[scored(PRESS, [1])]))
        other.execute("ROLLBACK")
        sink.write(Results(scored=[scored(PRESS, [1])]))
    assert len(contents(path)["readings"]) == 1  # type: ignore[arg-type]


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_sqlite_store import PRESS, Results, scored, Position
from connectors.sqlite.store import SqliteSink
with SqliteSink(Path(sys.argv[1])) as sink:
    for i in range(100_000):
        time = list(range(i * 10, i * 10 + 10))
        sink.write(Results(scored=[scored(PRESS, time)]), snapshots={PRESS: b"%d" % (i + 1)},
                   position=Position("s", i + 1))
        print(i + 1, flush=True)
"""


def test_a_killed_writer_leaves_whole_batches(tmp_path: Path):
    path = tmp_path / "s.sqlite"
    command = [sys.executable, "-c", KILLED, str(path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 60:
            pass
        os.kill(process.pid, signal.SIGKILL)
        written = [int(line) for line in process.stdout.read().split()]
    with SqliteSink(path) as sink:
        position = sink.position("s")
        assert position is not None
        assert position.count >= (written[-1] if written else 60)
        assert dict(sink.snapshots()) == {PRESS: b"%d" % position.count}
    assert sorted(t for _, t in contents(path)["readings"]) == list(range(position.count * 10))  # type: ignore[attr-defined]


def test_old_readings_are_removed(tmp_path: Path):
    day = 86_400_000
    with SqliteSink(tmp_path / "s.sqlite", keep_days=2) as sink:
        for i in range(10):
            start = i * day
            sink.write(
                Results(
                    scored=[scored(PRESS, list(range(start, start + 20)))],
                    alarms=[alarm(PRESS, start, phase, start + 5) for phase in AlarmPhase],
                    prognoses=[Prognosis(PRESS, "default", start, 50.0, 30.0, None, None, None)],
                )
            )
        sink.write(Results(alarms=[alarm(PUMP, 0, AlarmPhase.RAISED, 5)]))
    kept = contents(tmp_path / "s.sqlite")
    assert {t // day for _, t in kept["readings"]} == {7, 8, 9}  # type: ignore[attr-defined]
    assert [time // day for _, time, *_ in kept["prognoses"]] == [8, 9]  # type: ignore[attr-defined]
    assert sorted((machine, onset // day) for _, machine, onset, *_ in kept["alarms"]) == [  # type: ignore[attr-defined]
        (PRESS, 8),
        (PRESS, 9),
        (PUMP, 0),  # still open, however old
    ]


def test_only_the_beginning_of_a_large_rejected_message_is_kept(tmp_path: Path):
    with SqliteSink(tmp_path / "s.sqlite") as sink:
        sink.write(Results(rejections=[Rejection(Reason.TOO_LARGE, "10 MB", b"x" * 10_000_000, 5)]))
    with closing(open_reader(tmp_path / "s.sqlite")) as db:
        rows = db.execute("SELECT size, length(original) FROM rejections").fetchall()
    assert rows == [(10_000_000, MAX_ORIGINAL)]


# -- the file itself


def test_an_old_file_is_brought_up_to_date_with_its_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "s.sqlite"
    with SqliteSink(path) as sink:
        sink.write(Results(scored=[scored(PRESS, [1, 2, 3])]))
    before = contents(path)
    steps = (*sqlite_schema._STEPS, "CREATE TABLE more (x INTEGER);\nINSERT INTO more VALUES (';');\n")
    monkeypatch.setattr(sqlite_schema, "STORE", replace(sqlite_schema.STORE, steps=steps))
    monkeypatch.setattr(sqlite_schema, "VERSION", len(steps))
    with pytest.raises(StoreError, match="brings the file up to date"):
        open_reader(path)
    open_writer(path).close()
    with closing(open_reader(path)) as db:
        assert db.execute("SELECT x FROM more").fetchall() == [(";",)]
    assert contents(path) == before


def test_a_step_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "s.sqlite"
    with SqliteSink(path) as sink:
        sink.write(Results(scored=[scored(PRESS, [1])]))
    steps = (*sqlite_schema._STEPS, "CREATE TABLE more (x INTEGER);\nCREATE TABLE machines (y INTEGER);\n")
    monkeypatch.setattr(sqlite_schema, "STORE", replace(sqlite_schema.STORE, steps=steps))
    monkeypatch.setattr(sqlite_schema, "VERSION", len(steps))
    with pytest.raises(StoreError):
        open_writer(path)
    monkeypatch.undo()
    with closing(open_reader(path)) as db:
        assert not db.execute("SELECT * FROM sqlite_master WHERE name='more'").fetchall()


def test_a_newer_file_is_not_touched(tmp_path: Path):
    path = tmp_path / "s.sqlite"
    open_writer(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    for opening in (open_writer, open_reader):
        with pytest.raises(NewerStoreError, match="Upgrade"):
            opening(path)
    assert path.read_bytes() == before


def test_a_file_of_another_program_is_not_touched(tmp_path: Path):
    path = tmp_path / "s.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")
    for opening in (open_writer, open_reader):
        with pytest.raises(StoreError, match="another kind"):
            opening(path)
    path.write_bytes(b"not a database at all" * 100)
    for opening in (open_writer, open_reader):
        with pytest.raises(StoreError, match="cannot be opened"):
            opening(path)


def test_reading_needs_a_file(tmp_path: Path):
    with pytest.raises(StoreError, match="yeji run"):
        open_reader(tmp_path / "none.sqlite")
