"""When to ask whether machines have fallen silent: only a clock can tell, where readings are live."""

from __future__ import annotations

from pipeline.pipeline import Pipeline
from pipeline.records import Results

#: Readings are live once the newest is no older than this (ms); a replay of the past never is.
_LIVE = 60_000


class SilenceWatch:
    """Asks a pipeline for machines from which nothing comes any more, once its readings are live."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.live = False

    def check(self, now: int) -> Results:
        """Alarms raised at ``now`` (ms UTC). Ask when nothing that has arrived waits to be worked on."""
        if not self.live and self._pipeline.newest >= now - _LIVE:
            self.live = True
        return self._pipeline.silent(now) if self.live else Results()
