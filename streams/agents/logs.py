"""How a worker logs."""

from __future__ import annotations

import logging

import structlog

from streams.repeats import Repeats
from streams.settings import Settings


def set_up_logging(settings: Settings) -> None:
    """Our lines through structlog, in the form of ``settings.log``; of the libraries only warnings."""
    shared: list[structlog.types.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.types.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if settings.log == "json"
        else [structlog.dev.ConsoleRenderer(colors=False)]
    )
    structlog.configure(processors=[*shared, *last])
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(Repeats())
