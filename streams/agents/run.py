"""Runs the worker's app until SIGTERM or SIGINT: what `yeji worker` does."""

from __future__ import annotations

import asyncio
import signal

from mode.utils.imports import cwd_in_path

from pipeline.settings import SettingsError
from streams.agents.errors import WorkerError
from streams.agents.stream_app import StreamApp
from streams.waiting import StoppedError


def run_worker(app: StreamApp) -> None:
    """Work until SIGTERM or SIGINT. Raises an error with the remedy when something needed is missing."""
    asyncio.run(_run(app))


def load_agents(app: StreamApp) -> None:
    """Import the modules of setting ``worker.agents``, from the current folder too. Raises SettingsError."""
    try:
        with cwd_in_path():
            app.discover()
    except ImportError as error:
        raise SettingsError(
            f"A module of worker.agents cannot be imported: {error.__cause__ or error.__context__ or error}. "
            "Correct the setting, or install the module where this Python finds it."
        ) from error


async def _run(app: StreamApp) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    told = asyncio.create_task(stop.wait())
    told.add_done_callback(lambda _: app.stopping.set())
    try:
        await app.start()
    except StoppedError:
        told.cancel()
        return
    crashed = asyncio.create_task(app.wait_until_stopped())
    await asyncio.wait({told, crashed}, return_when=asyncio.FIRST_COMPLETED)
    for task in (told, crashed):
        task.cancel()
    await app.stop()
    await asyncio.gather(told, crashed, return_exceptions=True)
    if app.crashed:
        reason: BaseException | None = app.crash_reason
        if isinstance(reason, WorkerError):
            raise reason
        raise WorkerError(f"The worker failed: {reason!r}. Start it again; nothing is lost.") from reason
