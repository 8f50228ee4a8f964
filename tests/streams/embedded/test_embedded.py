"""The embedded runner: durable before counted, resumed exactly, patient with a store that is busy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from connectors.base.contract import Refused, Sink, SinkUnavailableError, Source
from connectors.sqlite.store import SqliteSink
from pipeline.pipeline import Pipeline
from pipeline.records import Frame, Message, Rejection, Results, Verdict, VerdictKind
from streams.embedded.run import BATCH, EmbeddedRun, Tally
from tests.pipeline.plant import recording, settings

Item = Frame | Message | Rejection


class Listed(Source):
    """Gives a list; can be skipped into."""

    name = "listed"
    detail = "a list"

    def __init__(self, items: list[Item], error: Exception | None = None) -> None:
        self.items, self.error, self.skipped = items, error, 0

    def skip(self, count: int) -> None:
        self.skipped = count

    def __iter__(self) -> Iterator[Item]:
        yield from self.items[self.skipped :]
        if self.error is not None:
            raise self.error


class Heard:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.resumptions: list[tuple[int, list[str]]] = []
        self.troubles = 0
        self.batches: list[Results] = []

    def resumed(self, machines: int, notes: list[str]) -> None:
        self.resumptions.append((machines, notes))

    def batch(self, results: Results, tally: Tally) -> None:
        self.batches.append(results)

    def trouble(self, error: SinkUnavailableError) -> None:
        self.troubles += 1


def frames(n: int = 400, step: int = 25) -> list[Item]:
    """Two machines' readings, in turn; one has a fault, and before it loses a sensor for a while."""
    both = [recording("a/b/c/d/m1", n, 1, fault=(300, 340)), recording("a/b/c/d/m2", n, 2)]
    both[0].values[150:210, 0] = np.nan
    return [
        Frame(f.machine, f.time[at : at + step], f.sensors, f.values[at : at + step])
        for at in range(0, n, step)
        for f in both
    ]


def run(
    path: Path, source: Source, *, keep_state: bool = True, save_every: float = 0.0
) -> tuple[Tally, Heard]:
    heard = Heard()
    with SqliteSink(path) as sink:
        tally = EmbeddedRun(
            source, Pipeline(settings()), sink, heard, keep_state=keep_state, save_every=save_every
        ).run()
    return tally, heard


def content(path: Path) -> dict[str, object]:
    """All results in a store, whatever way they were written."""
    db = sqlite3.connect(path)
    names = dict(db.execute("SELECT id, name FROM machines"))
    found: dict[str, object] = {}
    for machine, time, score, health, state in db.execute(
        "SELECT machine, time, score, health, state FROM chunks ORDER BY machine, start"
    ):
        columns = found.setdefault(names[machine], ([], [], [], []))
        for column, (blob, kind) in zip(
            columns, ((time, "<i8"), (score, "<u8"), (health, "<u8"), (state, np.uint8)), strict=True
        ):
            column.extend(np.frombuffer(blob, kind).tolist())
    found["alarms"] = db.execute("SELECT id, raised, cleared FROM alarms ORDER BY id").fetchall()
    found["rejections"] = db.execute("SELECT digest FROM rejections ORDER BY digest").fetchall()
    db.close()
    return found


def test_results_are_in_the_store_and_counted(tmp_path: Path) -> None:
    bad: list[Item] = [Message(b"no json", 7, topic="t", offset=1)]
    tally, heard = run(tmp_path / "s.sqlite", Listed(frames() + bad))
    assert tally.readings == 800
    assert tally.machines == {"a/b/c/d/m1", "a/b/c/d/m2"}
    assert tally.rejected == {"not-json": 1}
    assert tally.raised >= 1
    kept = content(tmp_path / "s.sqlite")
    assert len(kept["a/b/c/d/m1"][0]) == 400  # type: ignore[index]
    assert len(kept["rejections"]) == 1  # type: ignore[arg-type]
    assert sum(one.readings for one in heard.batches) == 800


def test_a_second_replay_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    run(path, Listed(frames()), keep_state=False)
    before = content(path)
    run(path, Listed(frames()), keep_state=False)
    assert content(path) == before


@pytest.mark.parametrize("cut", [1, 7, 13, 31])
def test_a_run_that_ends_and_goes_on_gives_what_one_run_gives(tmp_path: Path, cut: int) -> None:
    whole, parts = tmp_path / "whole.sqlite", tmp_path / "parts.sqlite"
    run(whole, Listed(frames()))
    run(parts, Listed(frames()[:cut]))
    tally, heard = run(parts, Listed(frames()))
    assert tally.items == len(frames()) - cut
    assert heard.resumptions == [(min(cut, 2), [])]
    assert content(parts) == content(whole)


def test_a_run_that_dies_unsaved_gives_what_one_run_gives(tmp_path: Path) -> None:
    """Results after the last snapshot are in the store already, and come again to the same rows."""
    whole, parts = tmp_path / "whole.sqlite", tmp_path / "parts.sqlite"
    run(whole, Listed(frames()))
    run(parts, Listed(frames()[:9]))
    with pytest.raises(OSError, match="torn"):  # an error saves no snapshot, like a SIGKILL
        run(parts, Listed(frames()[:20], OSError("torn")), save_every=1e9)
    assert len(content(parts)["a/b/c/d/m1"][0]) == 250  # type: ignore[index]
    run(parts, Listed(frames()))
    assert content(parts) == content(whole)


def test_a_damaged_snapshot_is_told_and_its_machine_learns_anew(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    run(path, Listed(frames()))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE snapshots SET data=x'00' WHERE machine LIKE '%m1'")
    _, heard = run(path, Listed(frames()))
    ((machines, notes),) = heard.resumptions
    assert machines == 1
    assert len(notes) == 1
    assert "m1 learns anew" in notes[0]


def test_a_busy_store_is_waited_for_and_nothing_is_lost(tmp_path: Path) -> None:
    class Busy(SqliteSink):
        refusals = 3

        def write(self, *args: object, **named: object) -> None:
            if self.refusals:
                self.refusals -= 1
                raise SinkUnavailableError("busy", retry_after=0.001)
            super().write(*args, **named)  # type: ignore[arg-type]

    heard = Heard()
    with Busy(tmp_path / "s.sqlite") as sink:
        tally = EmbeddedRun(Listed(frames()), Pipeline(settings()), sink, heard, keep_state=True).run()
    assert tally.readings == 800
    assert heard.troubles == 1
    assert len(content(tmp_path / "s.sqlite")["a/b/c/d/m2"][0]) == 400  # type: ignore[index]


def test_a_stop_saves_what_was_read(tmp_path: Path) -> None:
    class Endless(Listed):
        def __iter__(self) -> Iterator[Item]:
            yield from super().__iter__()
            run.stop()
            yield from super().__iter__()

    path = tmp_path / "s.sqlite"
    with SqliteSink(path) as sink:
        run = EmbeddedRun(Endless(frames()), Pipeline(settings()), sink, Heard(), keep_state=True)
        tally = run.run()
    assert tally.readings == 800
    with SqliteSink(path) as sink:
        position = sink.position("listed")
        assert position is not None
        assert position.count == len(frames())
        assert len(dict(sink.snapshots())) == 2


def test_what_the_source_raises_comes_out_after_its_items(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="unplugged"):
        run(tmp_path / "s.sqlite", Listed(frames(), OSError("unplugged")))
    assert len(content(tmp_path / "s.sqlite")["a/b/c/d/m1"][0]) == 400  # type: ignore[index]


def test_large_input_is_worked_on_in_batches(tmp_path: Path) -> None:
    n, each = 3 * BATCH, 512
    time, values = 1_700_000_000_000 + np.arange(each) * 1000, np.zeros((each, 1))
    many: list[Item] = [Frame(f"a/b/c/d/m{i}", time, ("x",), values) for i in range(n // each)]
    tally, heard = run(tmp_path / "s.sqlite", Listed(many), keep_state=False)
    assert tally.readings == n
    assert max(one.readings for one in heard.batches) <= BATCH + each


class Remembering(Sink):
    """Keeps what it was given, once it is no longer busy; refuses one thing for good."""

    def __init__(self) -> None:
        self.busy, self.times, self.refused = 2, set[tuple[str, int]](), [Refused(b"bad line", "never")]

    def write(self, results: Results) -> None:
        if self.busy:
            self.busy -= 1
            raise SinkUnavailableError("busy", retry_after=0.001)
        self.times |= {(scored.machine, int(at)) for scored in results.scored for at in scored.time}

    def drain_refused(self) -> list[Refused]:
        refused, self.refused = self.refused, []
        return refused


def test_another_sink_has_everything_too_and_what_it_refuses_is_kept(tmp_path: Path) -> None:
    heard, other = Heard(), Remembering()
    with SqliteSink(tmp_path / "s.sqlite") as store:
        tally = EmbeddedRun(
            Listed(frames()), Pipeline(settings()), store, heard, keep_state=True, sinks={"other": other}
        ).run()
    assert len(other.times) == tally.readings == 800
    assert heard.troubles == 1
    kept = content(tmp_path / "s.sqlite")
    assert len(kept["a/b/c/d/m1"][0]) == 400  # type: ignore[index]
    assert len(kept["rejections"]) == 1  # type: ignore[arg-type]


def test_a_store_that_is_no_sink_keeps_the_models_alone(tmp_path: Path) -> None:
    other = Remembering()
    with SqliteSink(tmp_path / "s.sqlite") as store:
        EmbeddedRun(
            Listed(frames()),
            Pipeline(settings()),
            store,
            Heard(),
            keep_state=True,
            sinks={"other": other},
            keep_results=False,
        ).run()
        assert len(dict(store.snapshots())) == 2
    assert len(other.times) == 800
    assert "a/b/c/d/m1" not in content(tmp_path / "s.sqlite")


class Waiting:
    """Verdicts that wait."""

    def __init__(self, *verdicts: Verdict) -> None:
        self.verdicts = list(verdicts)

    def drain(self) -> list[Verdict]:
        taken, self.verdicts = self.verdicts, []
        return taken


def test_what_verdicts_taught_is_saved_with_the_batch_that_follows_them(tmp_path: Path) -> None:
    start = int(recording("a/b/c/d/m1", 1, 1).time[0])
    verdict = Verdict(
        id="v1",
        machine="a/b/c/d/m1",
        machine_class="default",
        kind=VerdictKind.PLANNED_WORK,
        start=start + 150_000,
        end=start + 160_000,
        at=start + 400_000,
        by="Kim",
    )
    path = tmp_path / "s.sqlite"
    run(path, Listed(frames()))
    with SqliteSink(path) as store:
        EmbeddedRun(
            Listed(frames()),
            Pipeline(settings()),
            store,
            Heard(),
            keep_state=True,
            verdicts=Waiting(verdict),
        ).run()
        again = Pipeline(settings())
        for data in dict(store.snapshots()).values():
            again.restore(data)
    assert not again.feedback(verdict), "the models know it already"
    assert again.feedback(replace(verdict, id="v2"))
