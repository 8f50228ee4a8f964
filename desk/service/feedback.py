"""Crews' verdicts from the desk to the models: over Kafka, or straight into the pipeline of this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kafka import KafkaProducer
from kafka.errors import KafkaError as ClientError

from connectors.kafka.broadcast import broadcast
from connectors.kafka.errors import KafkaError
from connectors.kafka.security import client_options
from connectors.kafka.settings import KafkaSettings
from desk.service.desk import Desk
from pipeline.records import Verdict
from pipeline.wire.alerts import encode_verdict


class VerdictOutlet(Protocol):
    """Where verdicts go."""

    def send(self, verdicts: Sequence[Verdict]) -> None:
        """Return when they are safe there. Raises `KafkaError`."""
        ...


class KafkaOutlet:
    """Writes to `maintenance.feedback`, a copy to each partition: the worker that has the machine gets it."""

    def __init__(self, settings: KafkaSettings, timeout: float = 10.0) -> None:
        """``timeout`` in seconds for finding the brokers."""
        self._settings, self._timeout = settings, timeout
        self._producer: KafkaProducer | None = None

    def close(self) -> None:
        """Let go of the connection."""
        if self._producer is not None:
            self._producer.close()
            self._producer = None

    def send(self, verdicts: Sequence[Verdict]) -> None:
        """Return when every replica has them."""
        try:
            if self._producer is None:
                self._producer = KafkaProducer(
                    **client_options(self._settings),
                    client_id="yeji-desk",
                    acks="all",
                    enable_idempotence=True,
                    bootstrap_timeout_ms=round(self._timeout * 1000),
                    allow_auto_create_topics=False,
                )
            sent = [
                future
                for verdict in verdicts
                for future in broadcast(
                    self._producer, self._settings.feedback, verdict.machine.encode(), encode_verdict(verdict)
                )
            ]
            for one in sent:
                one.get(timeout=30)
        except (ClientError, OSError) as error:
            self.close()
            raise KafkaError(
                f"Verdicts cannot be written to {self._settings.feedback} at {self._settings.brokers}: "
                f"{type(error).__name__}: {error}. They are kept, and tried again."
            ) from error


def pass_on(desk: Desk, outlet: VerdictOutlet) -> int:
    """Send the verdicts that have not gone out, the oldest first; returns how many went.

    At least once: a verdict is known by its id, and taking it twice changes nothing.
    """
    total = 0
    while True:
        with desk.store.reading() as r:
            verdicts = r.unpublished()
        if not verdicts:
            return total
        outlet.send(verdicts)
        with desk.store.writing() as t:
            for verdict in verdicts:
                t.mark_published(verdict.id, desk.clock())
        total += len(verdicts)
