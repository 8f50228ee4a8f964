"""The agent that lets the models learn what crews found: a fetch of the feedback topic, to the next batch."""

from __future__ import annotations

import faust

from streams.agents.fetch import Fetch
from streams.agents.stream_app import StreamApp


def add_to(app: StreamApp) -> None:
    """Register the agent."""

    @app.agent(app.verdicts, name="verdicts")  # type: ignore[untyped-decorator]
    async def verdicts(fetches: faust.StreamT[Fetch]) -> None:
        """Teach the models what crews found at a machine."""
        async for fetch in fetches:
            app.submit(fetch)
