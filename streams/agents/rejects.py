"""The agent that keeps rejected input of each batch, with the reason."""

from __future__ import annotations

import faust

from connectors.kafka.outgoing import rejected_records
from pipeline.records import Rejection
from streams.agents.channels import Outgoing
from streams.agents.stream_app import StreamApp


def add_to(app: StreamApp) -> None:
    """Register the agent."""
    topic = app.settings.kafka.rejected

    @app.agent(app.rejects, name="rejects")  # type: ignore[untyped-decorator]
    async def rejects(batches: faust.StreamT[Outgoing[Rejection]]) -> None:
        """Keep rejected input: the original bytes and the reason."""
        async for batch in batches:
            with batch as rejections:
                await app.send_records(list(rejected_records(rejections, topic)))
