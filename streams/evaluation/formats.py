"""The data sets that the bench knows: one module each, with `run(path, watch) -> Report`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from streams.evaluation.report import Report, Watch

#: Named, not imported: a run loads only its own format.
FORMATS: dict[str, str] = {
    "skab": "streams.evaluation.skab",
    "nab": "streams.evaluation.nab",
    "cmapss": "streams.evaluation.cmapss",
    "ims": "streams.evaluation.ims",
    "events": "streams.evaluation.events",
}


def runner(name: str) -> Callable[[Path, Watch], Report]:
    """The `run` of a format. Raises KeyError for one that does not exist."""
    found: Callable[[Path, Watch], Report] = import_module(FORMATS[name]).run
    return found
