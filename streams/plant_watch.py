"""plant.toml that changes while a program runs: the settings follow, without a restart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import structlog

from pipeline.settings import SettingsError
from streams.settings import Settings, load_settings

log = structlog.get_logger()
#: Seconds between two looks at the file.
EVERY = 2.0


class PlantWatch:
    """Looks at the file now and then, and puts what it says into ``settings``, which others hold too.

    A file that cannot be used changes nothing: `trouble` says why, and so does the log.
    """

    def __init__(
        self,
        settings: Settings,
        read: Callable[[], Settings] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._read = read or partial(load_settings, plant=settings.plant, data=settings.data)
        self._stands = self._state()
        self._looked = clock()
        self.trouble = ""
        # what a command has added to the settings that were read (the simulated plant's classes)
        loaded = {} if self._stands is None else self._read().classes
        self._added = {name: one for name, one in settings.classes.items() if name not in loaded}

    def due(self) -> bool:
        """Whether the settings are others now. To be asked often; looks at the file every `EVERY` seconds."""
        now = self._clock()
        if now - self._looked < EVERY:
            return False
        self._looked = now
        return self.look()

    def look(self) -> bool:
        """Look at once."""
        state = self._state()
        if state == self._stands:
            return False
        self._stands = state
        try:
            fresh = self._read()
        except SettingsError as error:
            self.trouble = str(error)
            log.error(
                "The plant's description was changed and cannot be used; the one before stays.",
                why=self.trouble,
            )
            return False
        self.trouble = ""
        # each an assignment of its own, for threads that read them
        added = {name: one for name, one in self._added.items() if name not in fresh.classes}
        self._settings.classes = {**added, **fresh.classes}
        self._settings.machines = fresh.machines
        self._settings.places = fresh.places
        log.info(
            "The plant's description was changed.", machines=len(fresh.machines), classes=len(fresh.classes)
        )
        return True

    def watch(self) -> Callable[[], None]:
        """Look in a thread of its own, for a program that only shows; returns what ends it."""
        ended = threading.Event()

        def loop() -> None:
            while not ended.wait(EVERY):
                self.look()

        thread = threading.Thread(target=loop, name="plant", daemon=True)
        thread.start()

        def end() -> None:
            ended.set()
            thread.join()

        return end

    def _state(self) -> tuple[int, int] | None:
        try:
            found = self._settings.plant.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size
