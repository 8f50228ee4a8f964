"""Puts a desk together: store, clock, channels, Kafka; runs until it is told to end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import structlog

from connectors.base.history import History, HistoryUnavailableError
from desk.learning.modes import ModeBook
from desk.service.alerts import AlertReader
from desk.service.desk import Desk, desk_path
from desk.service.feedback import KafkaOutlet, VerdictOutlet
from desk.service.measures import measurer
from desk.service.runner import DeskRunner, only_runner
from desk.settings.alarms import NotifySettings
from streams.cli.ending import ended_by_signals
from streams.cli.errors import CommandError
from streams.plant_watch import PlantWatch
from streams.settings import Settings

log = structlog.get_logger(__name__)


def run_desk(settings: Settings, *, kafka: bool) -> None:
    """Run the desk of ``settings`` until SIGINT or SIGTERM.

    Raises `StoreError` when another desk runs on the same file.
    """
    with ExitStack() as stack:
        ending = stack.enter_context(ended_by_signals())
        outlet = KafkaOutlet(settings.kafka) if kafka else None
        if outlet is not None:
            stack.callback(outlet.close)
        desk = started_desk(settings, stack, kafka=kafka, outlet=outlet)
        stack.callback(PlantWatch(settings).watch())
        serve_desk(desk, _history(settings, stack), stack, lambda line: print(line, flush=True))
        print(f"Desk     {desk.store.path}", flush=True)
        print(f"Alarms   {settings.kafka.alerts if kafka else 'fed in by other programs'}", flush=True)
        for name, channel in settings.notify.channels.items():
            print(f"Channel  {name} ({channel.kind})", flush=True)
        ending.wait()


def run_training(settings: Settings, *, port: int, own: bool) -> None:
    """Serve the training until SIGINT or SIGTERM; ``own``: the folder `data` is the training's own.

    Raises `StoreError` when another one runs on the same folder.
    """
    url = f"http://127.0.0.1:{port}"
    settings = settings.model_copy(
        update={
            "data": settings.data if own else settings.data / "train",
            "desk": settings.desk.model_copy(update={"host": "127.0.0.1", "port": port, "url": url}),
            "notify": NotifySettings(),  # practice tells nobody
        }
    )
    with ExitStack() as stack:
        ending = stack.enter_context(ended_by_signals())
        stack.enter_context(only_runner(desk_path(settings)))
        desk = Desk(desk_path(settings), settings)
        stack.callback(desk.close)
        serve_desk(desk, None, stack, lambda line: print(line, flush=True))
        print(f"Training {url}/training", flush=True)
        ending.wait()


def started_desk(
    settings: Settings,
    stack: ExitStack,
    *,
    kafka: bool,
    outlet: VerdictOutlet | None,
    path: Path | None = None,
) -> Desk:
    """A desk with everything that keeps it going; ``stack`` ends it. ``path`` None = in the folder `data`."""
    path = path or desk_path(settings)
    stack.enter_context(only_runner(path))
    desk = Desk(path, settings)
    stack.callback(desk.close)
    ModeBook(desk, desk.advice.advisor)
    runner = DeskRunner(
        desk,
        alerts=(lambda: AlertReader(settings.kafka, desk)) if kafka else None,
        outlet=outlet,
        measure=measurer(desk, settings.influx),
    )
    runner.start()
    stack.callback(runner.stop)
    return desk


def serve_desk(desk: Desk, history: History | None, stack: ExitStack, say: Callable[[str], None]) -> None:
    """Serve the desk's pages, and say where; the first time with the link that makes its administrator.

    Raises CommandError when its port is taken.
    """
    from desk.web import DeskServer
    from desk.web.page import PageError

    if history is not None:
        desk.fleet = lambda: _machines(history)
    server = DeskServer(desk, history)
    stack.callback(server.stop)
    try:
        server.start()
    except PageError as error:
        raise CommandError(str(error)) from error
    say(f"Pages    {desk.settings.desk.url} (listens on {server.url})")
    link = server.first_link()
    if link is not None:
        hours = desk.settings.desk.access.invitation
        say(f"First    {link}")
        say(f"         makes the administrator's account, once, within {hours:g} hours")


def _machines(history: History) -> list[str]:
    """Every machine with readings; none while they cannot be read: a window must open all the same."""
    try:
        return [one.machine for one in history.fleet()]
    except HistoryUnavailableError as error:
        log.warning("which machines there are cannot be read", why=str(error))
        return []


def _history(settings: Settings, stack: ExitStack) -> History | None:
    """The readings of a stream deployment, for the charts; without a token the desk has none."""
    if settings.influx.token is None or not settings.influx.token.get_secret_value():
        print("Charts   none: set influx.token (YEJI_INFLUX__TOKEN) to show readings", flush=True)
        return None
    from connectors.influx.history import InfluxHistory

    history = InfluxHistory(settings.influx)
    stack.callback(history.close)
    return history
