"""The embedded runner: source ▶ pipeline ▶ sinks in one process, without a broker. See docs/embedded.md."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from connectors.base.clock import now_ms
from connectors.base.contract import Sink, SinkUnavailableError, Source
from connectors.base.refused import rejections_of
from connectors.sqlite.store import Position, SqliteSink
from pipeline.pipeline import Pipeline
from pipeline.records import AlarmPhase, Results, Verdict
from pipeline.snapshots.snapshot import SnapshotError
from streams.embedded.bounded_queue import BoundedQueue
from streams.embedded.silence import SilenceWatch

#: About so many readings are worked on at once, and so many may wait.
BATCH, WAITING = 8192, 65_536
#: Seconds without input after which rows that have waited long enough go on, and machines that fell silent
#: are looked for.
_LISTEN = 1.0


@runtime_checkable
class Resumable(Protocol):
    """A source that can go on where it stood: it returns the same items every time."""

    name: str

    @property
    def detail(self) -> str:
        """What makes its items what they are, kept with the position."""
        ...

    def skip(self, count: int) -> None:
        """Leave out the first ``count`` items."""
        ...


@dataclass(slots=True)
class Tally:
    """What a run has done so far.

    ``rejected`` counts readings by reason, what cannot be counted as one; ``records`` the rejections.
    """

    items: int = 0
    readings: int = 0
    history: int = 0
    machines: set[str] = field(default_factory=set)
    raised: int = 0
    cleared: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None

    def add(self, items: int, results: Results) -> None:
        """Count a batch."""
        self.items += items
        self.readings += results.readings
        self.history += sum(len(late) for late in (*results.history, *results.complements))
        self.machines.update(scored.machine for scored in (*results.scored, *results.history))
        for alarm in results.alarms:
            if alarm.phase is AlarmPhase.RAISED:
                self.raised += 1
            else:
                self.cleared += 1
        for rejection in results.rejections:
            self.rejected[rejection.reason.value] += max(1, rejection.readings)
            self.records[rejection.reason.value] += 1

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return (time.monotonic() if self.ended is None else self.ended) - self.began

    @property
    def rate(self) -> float:
        """Readings a second."""
        return self.readings / max(self.seconds, 1e-9)


class Watcher(Protocol):
    """Who is told what happens, batch by batch."""

    def resumed(self, machines: int, notes: list[str]) -> None:
        """Models were taken up from the store; ``notes`` say which were not, and why."""
        ...

    def batch(self, results: Results, tally: Tally) -> None:
        """A batch's results are durable."""
        ...

    def trouble(self, error: SinkUnavailableError) -> None:
        """The store cannot be written; it is tried again."""
        ...


class VerdictSource(Protocol):
    """Where verdicts of crews come from, for the models to learn."""

    def drain(self) -> Iterable[Verdict]:
        """Those that came since the last call. Called between batches, by the run's thread."""
        ...


class EmbeddedRun:
    """Runs ``source`` through ``pipeline`` into ``sinks``, and then into ``store``.

    The store holds the models' state and how far the source was read; results too, unless ``keep_results`` is
    off. A sink is given results again when the process ended between the two.

    With ``keep_state`` models live on in the store: they are taken up from it first, and saved every
    ``save_every`` seconds and at the end, together with the position of a `Resumable` source. A source
    that is not told how far it was read (standard input) simply goes on. Without ``keep_state`` (a file's
    replay) it starts afresh, returns the same results each time, and writes each of them over itself.

    ``changed`` says whether the pipeline's settings are others now; it is asked before each batch.
    """

    def __init__(
        self,
        source: Source,
        pipeline: Pipeline,
        store: SqliteSink,
        watcher: Watcher,
        *,
        keep_state: bool,
        save_every: float = 5.0,
        sinks: Mapping[str, Sink] | None = None,
        keep_results: bool = True,
        verdicts: VerdictSource | None = None,
        changed: Callable[[], bool] | None = None,
    ) -> None:
        self.source, self.pipeline, self.store, self.watcher = source, pipeline, store, watcher
        self.sinks, self.keep_results, self.verdicts = sinks or {}, keep_results, verdicts
        self.keep_state, self.save_every = keep_state, save_every
        self._changed = changed or (lambda: False)
        self.tally = Tally()
        self._read = 0
        self._queue = BoundedQueue(WAITING)
        self._stop = threading.Event()

    def stop(self) -> None:
        """End soon, with everything that was worked on saved. Safe in a signal handler."""
        self._stop.set()
        self._queue.stop()
        self.source.close()

    def run(self) -> Tally:
        """Until the source ends or `stop` is called. Raises what the source raises, and `StoreError`."""
        if self.keep_state:
            self._resume()
        reader = threading.Thread(target=self._fill, name="source", daemon=True)
        reader.start()
        self.tally = Tally()
        try:
            self._work()
        finally:
            self.tally.ended = time.monotonic()
            self._queue.stop()
            self.source.close()
        return self.tally

    def _resume(self) -> None:
        notes: list[str] = []
        machines = 0
        for machine, data in self.store.snapshots():
            try:
                self.pipeline.restore(data)
                machines += 1
            except SnapshotError as error:
                notes.append(f"{machine} learns anew: {error}")
        notes += self._learning_anew()
        if isinstance(self.source, Resumable):
            position = self.store.position(self.source.name)
            if position is not None:
                self._read = position.count
                self.source.skip(position.count)
        if machines or notes:
            self.watcher.resumed(machines, notes)

    def _learning_anew(self) -> list[str]:
        return [f"{machine} learns anew: {why}" for machine, why in self.pipeline.relearning.items()]

    def _fill(self) -> None:
        try:
            for item in self.source:
                if not self._queue.put(item):
                    return
        except BaseException as error:
            self._queue.end(error)
        else:
            self._queue.end()

    def _work(self) -> None:
        saved = time.monotonic() - self.save_every  # the first batch at once
        # A replay is never live: there is nothing to listen for.
        silence, wait = SilenceWatch(self.pipeline), _LISTEN if self.keep_state else None
        listened = time.monotonic()
        while (items := self._queue.drain(BATCH, wait)) is not None:
            self._learn()
            if self._changed():
                self.pipeline.reconfigure()
                if notes := self._learning_anew():
                    self.watcher.resumed(0, notes)
            results = self.pipeline.process(items)
            if wait and self._queue.empty and time.monotonic() - listened >= wait:
                listened = time.monotonic()
                now = now_ms()
                results.extend(self.pipeline.let_go(now))
                results.alarms += silence.check(now).alarms
            if not items and not results:
                continue
            self._read += len(items)
            due = self.keep_state and time.monotonic() - saved >= self.save_every
            self._done(len(items), results, save=due)
            if due:
                saved = time.monotonic()
            if due or not self.pipeline.waits:  # what waits for stragglers is kept by a snapshot alone
                self.source.durable(self.tally.items)
        self._learn()
        if not (self.keep_state and self._stop.is_set()):  # ended; what is stopped goes on another time
            self._done(0, self.pipeline.finish())
        if self.keep_state:  # not after an error: the store's snapshots then still fit its position
            self._write(Results(), save=True)
        self.source.durable(self.tally.items)

    def _done(self, items: int, results: Results, *, save: bool = False) -> None:
        """Write the results of so many items, and tell of them."""
        self._write(results, save=save)
        self.tally.add(items, results)
        self.watcher.batch(results, self.tally)

    def _write(self, results: Results, *, save: bool) -> None:
        snapshots: dict[str, bytes] | None = None
        position: Position | None = None
        if save:
            snapshots = {machine: self.pipeline.dump(machine) for machine in self.pipeline.changed()}
            if isinstance(self.source, Resumable):
                position = Position(self.source.name, self._read, self.source.detail)
        for name, sink in self.sinks.items():
            self._until_done(lambda sink=sink: sink.write(results))  # type: ignore[misc]
            results.rejections += rejections_of(name, sink.drain_refused(), results)
        kept = results if self.keep_results else Results()
        self._until_done(lambda: self.store.write(kept, snapshots=snapshots, position=position))

    def _learn(self) -> None:
        """Before the batch whose snapshots are to hold it."""
        if self.verdicts is not None:
            for verdict in self.verdicts.drain():
                self.pipeline.feedback(verdict)

    def _until_done(self, write: Callable[[], None]) -> None:
        told = False
        while True:
            try:
                write()
                return
            except SinkUnavailableError as error:
                if self._stop.is_set():
                    raise
                if not told:
                    self.watcher.trouble(error)
                    told = True
                self._stop.wait(error.retry_after)
