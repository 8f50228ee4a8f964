"""Puts an embedded run together: source, pipeline, store, page and terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.base.contract import SinkUnavailableError
from connectors.base.sinks import open_sinks
from connectors.files.priors import adopted_priors
from connectors.files.whole import InUseError, alone_with
from connectors.sqlite.store import SqliteSink
from desk.service.beside import DeskBeside, Verdicts
from detectors.compiled import kept
from pipeline.pipeline import Pipeline
from pipeline.records import Results
from streams.cli.ending import ended_by_signals
from streams.cli.errors import CommandError
from streams.cli.sources import Chosen
from streams.cli.terminal import Terminal
from streams.embedded.run import EmbeddedRun, Tally
from streams.plant_watch import PlantWatch
from streams.prepare import prepare
from streams.settings import Settings

if TYPE_CHECKING:
    from desk.web.page import PageServer


#: The run's own store, among the names of its sinks.
STORE = "sqlite"


@dataclass(frozen=True, slots=True)
class How:
    """The options of a run that are not the source's."""

    store: Path
    fresh: bool = False
    page: bool = True
    exit_at_end: bool = False
    zone: tzinfo = UTC
    desk: bool = False


@contextmanager
def opened_store(path: Path, *, fresh: bool = False, keep_days: float | None = None) -> Iterator[SqliteSink]:
    """The store of one run alone; ``fresh`` removes what is in it, ``keep_days`` what has become too old.

    Raises CommandError when another run writes to it.
    """
    try:
        with alone_with(path):
            if fresh:
                for suffix in ("", "-wal", "-shm"):
                    path.with_name(path.name + suffix).unlink(missing_ok=True)
            with SqliteSink(path, keep_days=keep_days) as sink:
                yield sink
    except InUseError:
        raise CommandError(
            f"Another `yeji run` writes to {path}. End it, or give this one another --store."
        ) from None


def run_embedded(settings: Settings, chosen: Chosen, sink: SqliteSink, how: How) -> Tally:
    """Run ``chosen`` to its end, or until Ctrl-C or SIGTERM; then keep the page up unless told not to."""
    terminal = Terminal(settings, total=chosen.total, live=chosen.live, zone=how.zone)
    pipeline = Pipeline(settings)
    for prior in adopted_priors(settings.data):
        pipeline.adopt(prior)
    with ExitStack() as stack:
        ending = stack.enter_context(ended_by_signals())
        verdicts = Verdicts()
        watcher = _with_desk(settings, how.store, verdicts, terminal, stack) if how.desk else terminal
        names = settings.run.sinks
        sinks = open_sinks([name for name in names if name != STORE], settings)
        for other in sinks.values():
            stack.callback(other.close)
        run = EmbeddedRun(
            chosen.source,
            pipeline,
            sink,
            watcher,
            keep_state=chosen.keep_state,
            sinks=sinks,
            keep_results=STORE in names,
            verdicts=verdicts,
            changed=PlantWatch(settings).due if chosen.keep_state else None,
        )
        ending.stops(run.stop)
        terminal.say(f"Reading {chosen.title}", "bold")
        for note in chosen.notes:
            terminal.say(f"  {note}", "yellow")
        rows = [("store", str(how.store))]
        if how.page:
            page = _page(settings, how.store, stack)
            rows.append(("page", page.url))
            terminal.say(f"Page     {page.url}", "bold")
            if page.remark:
                terminal.say(f"  {page.remark}", "yellow")
        terminal.say(f"Store    {how.store}")
        for name in sinks:
            terminal.say(f"Sink     {name}")
        if not kept():
            terminal.say("Compiling the detectors for this machine, once: half a minute.", "dim")
        prepare(settings)
        with terminal:
            tally = run.run()
        terminal.summary(tally, rows)
        if chosen.unread:
            files = "1 file" if len(chosen.unread) == 1 else f"{len(chosen.unread)} files"
            terminal.say(f"{files} could not be read:", "yellow")
            for why in chosen.unread:
                terminal.say(f"  {why}", "yellow")
        if how.page and not how.exit_at_end and not ending.asked:
            terminal.say("The page stays up: Ctrl-C ends it.", "dim")
            ending.wait()
    return tally


@dataclass(frozen=True, slots=True)
class _WithDesk:
    """Tells the desk first, then the terminal."""

    beside: DeskBeside
    terminal: Terminal

    def resumed(self, machines: int, notes: list[str]) -> None:
        self.terminal.resumed(machines, notes)

    def batch(self, results: Results, tally: Tally) -> None:
        self.beside.batch(results)
        self.terminal.batch(results, tally)

    def trouble(self, error: SinkUnavailableError) -> None:
        self.terminal.trouble(error)


def _with_desk(
    settings: Settings, store: Path, verdicts: Verdicts, terminal: Terminal, stack: ExitStack
) -> _WithDesk:
    from streams.cli.run_desk import serve_desk, started_desk  # only a run with a desk needs its channels

    desk = started_desk(settings, stack, kafka=False, outlet=verdicts)
    beside = DeskBeside(desk)
    from connectors.sqlite.history import SqliteHistory

    history = SqliteHistory(store)
    stack.callback(history.close)
    beside.catch_up(history)
    terminal.say(f"Desk     {desk.store.path}")
    serve_desk(desk, history, stack, lambda line: terminal.say(line, "bold"))
    return _WithDesk(beside, terminal)


def _page(settings: Settings, store: Path, stack: ExitStack) -> PageServer:
    from connectors.sqlite.history import SqliteHistory
    from desk.web.page import PageError, PageServer

    history = SqliteHistory(store)
    stack.callback(history.close)
    page = PageServer(history, settings)
    try:
        page.start()
    except PageError as error:
        raise CommandError(f"{error} Or give --no-page.") from error
    stack.callback(page.stop)
    return page
