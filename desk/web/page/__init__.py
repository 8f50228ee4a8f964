"""The local page: the fleet, each machine's charts, alarms and rejected input, in a browser."""

from desk.web.page.server import PageError, PageServer

__all__ = ["PageError", "PageServer"]
