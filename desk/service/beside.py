"""A desk in the process of an embedded run: alarms straight in, verdicts straight into the models."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

import structlog

from connectors.base.history import History
from connectors.sqlite.files import StoreError
from desk.service.desk import Desk
from pipeline.records import AlarmEvent, Results, Verdict

log = structlog.get_logger(__name__)
#: This many of the store's latest alarms are given to the desk when a run begins.
_LATEST = 10_000
_DAY = 86_400_000


class Verdicts:
    """Hands verdicts from the desk's threads to the run's own, where the models live."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Verdict] = SimpleQueue()

    def send(self, verdicts: Sequence[Verdict]) -> None:
        """Queue them; called by the desk."""
        for verdict in verdicts:
            self._queue.put(verdict)

    def drain(self) -> list[Verdict]:
        """Those that wait; called by the run, between batches."""
        taken: list[Verdict] = []
        with suppress(Empty):
            while True:
                taken.append(self._queue.get_nowait())
        return taken


class DeskBeside:
    """Feeds ``desk`` with what a run finds.

    The run's own store is written first. Should the process end before the desk has an alarm, or the models
    have saved what a verdict taught them (they take it from `Verdicts`), `catch_up` brings both once more;
    what comes twice changes nothing.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._waiting: list[AlarmEvent] = []

    def catch_up(self, history: History) -> None:
        """Take in the store's alarms, and give the models the last day's verdicts, which they may lack."""
        events: list[AlarmEvent] = []
        for alarm in reversed(history.alarms(limit=_LATEST)):
            events += [alarm.event] + ([alarm.cleared] if alarm.cleared else [])
        events.sort(key=lambda event: event.time)
        self.desk.receive(events)
        with self.desk.store.writing() as t:
            t.publish_again(self.desk.clock() - _DAY)

    def batch(self, results: Results) -> None:
        """Take in a batch's alarms. The run's thread calls it."""
        self._waiting += results.alarms
        if not self._waiting:
            return
        try:
            self.desk.receive(self._waiting)
            self._waiting = []
        except (StoreError, sqlite3.OperationalError) as error:
            log.error("the desk cannot take alarms in, and they wait", why=str(error))
