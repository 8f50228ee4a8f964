"""The agent that publishes the alarm events of each batch."""

from __future__ import annotations

import faust

from connectors.kafka.outgoing import alert_records
from pipeline.records import AlarmEvent
from streams.agents.channels import Outgoing
from streams.agents.stream_app import StreamApp


def add_to(app: StreamApp) -> None:
    """Register the agent."""
    topic = app.settings.kafka.alerts

    @app.agent(app.alerts, name="alerts")  # type: ignore[untyped-decorator]
    async def alerts(batches: faust.StreamT[Outgoing[AlarmEvent]]) -> None:
        """Publish alarm events, keyed by alarm, for the desk."""
        async for batch in batches:
            with batch as alarms:
                await app.send_records(list(alert_records(alarms, topic)))
