"""Alarms straight to the desk, for a run without a broker."""

from __future__ import annotations

import sqlite3

from connectors.base.contract import Sink, SinkUnavailableError
from connectors.sqlite.files import StoreError
from desk.service.desk import Desk
from pipeline.records import Results


class DeskSink(Sink):
    """Feeds a desk with the alarms of results. Giving the same results again changes nothing."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def write(self, results: Results) -> None:
        """Take in the alarms, all or none."""
        if not results.alarms:
            return
        try:
            self.desk.take_in(results.alarms)
        except (StoreError, sqlite3.OperationalError) as error:
            raise SinkUnavailableError(
                f"The desk's store {self.desk.store.path} cannot be written: {error}. Free the disk, or "
                "end what holds the file; the alarms will be given again."
            ) from error
