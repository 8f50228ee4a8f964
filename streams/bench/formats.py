"""The data sets that the bench knows: one module each, with `run(path, watch) -> Report`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from streams.bench.report import Report, Watch

#: Named, not imported: a run loads only its own format.
FORMATS: dict[str, str] = {
    "skab": "streams.bench.skab",
    "nab": "streams.bench.nab",
    "cmapss": "streams.bench.cmapss",
    "ims": "streams.bench.ims",
    "events": "streams.bench.events",
}


def runner(name: str) -> Callable[[Path, Watch], Report]:
    """The `run` of a format. Raises KeyError for one that does not exist."""
    found: Callable[[Path, Watch], Report] = import_module(FORMATS[name]).run
    return found
