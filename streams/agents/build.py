"""Builds the worker's Faust app from settings: its configuration, and one agent for each stream."""

from __future__ import annotations

from typing import Any

import faust

from connectors.kafka.batches import install
from connectors.kafka.security import brokers, login, ssl_context, token_source
from connectors.kafka.tokens import AsyncTokens
from connectors.kafka.topics import FRAME_BYTES
from streams.agents import alerts, readings, rejects, verdicts
from streams.agents.stream_app import StreamApp
from streams.settings import Settings

_WEEK = 7 * 24 * 3600.0


def build_app(settings: Settings) -> StreamApp:
    """The app with its agents; nothing is connected or loaded yet."""
    install()
    kafka, session = settings.kafka, settings.worker.session
    app = StreamApp(
        kafka.group,
        settings=settings,
        autodiscover=list(settings.worker.agents),
        broker=[f"kafka://{broker}" for broker in brokers(kafka)],
        broker_credentials=_credentials(settings),
        broker_session_timeout=session,
        broker_heartbeat_interval=session / 10,
        broker_request_timeout=max(90.0, 2 * session),
        # While a sink is away the worker waits, and keeps its partitions: heartbeats tell that it lives.
        broker_max_poll_interval=_WEEK,
        consumer_auto_offset_reset="earliest",
        # Partitions that were added are found within this time.
        consumer_metadata_max_age_ms=20_000,
        producer_acks=-1,
        producer_linger=0.005,
        producer_max_batch_size=512 << 10,
        producer_max_request_size=2 * FRAME_BYTES,
        # A worker with a name of its own gets its partitions back when it comes back in time.
        consumer_group_instance_id=settings.worker.name,
        datadir=str(settings.data / "faust"),
        web_enabled=False,
        worker_redirect_stdouts=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
    )
    for agent in (readings, verdicts, alerts, rejects):
        agent.add_to(app)
    return app


def _credentials(settings: Settings) -> Any:
    kafka = settings.kafka
    context, user, tokens = ssl_context(kafka), login(kafka), token_source(kafka)
    if tokens is not None:
        return faust.OAuthCredentials(oauth_cb=AsyncTokens(tokens), ssl_context=context)
    if user is not None:
        return faust.SASLCredentials(
            username=user[0], password=user[1], mechanism=kafka.mechanism, ssl_context=context
        )
    return None if context is None else faust.SSLCredentials(context)
