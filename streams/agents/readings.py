"""The agent that scores each reading: a fetch of the frames topic, to the processor's next batch."""

from __future__ import annotations

import faust

from streams.agents.fetch import Fetch
from streams.agents.stream_app import StreamApp


def add_to(app: StreamApp) -> None:
    """Register the agent."""

    @app.agent(app.frames, name="readings")  # type: ignore[untyped-decorator]
    async def readings(fetches: faust.StreamT[Fetch]) -> None:
        """Score each reading, find alarms, write both to the sinks."""
        async for fetch in fetches:
            app.submit(fetch)
