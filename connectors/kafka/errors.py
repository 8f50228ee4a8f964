"""What goes wrong with Kafka, without loading a client of it."""

from __future__ import annotations


class KafkaError(Exception):
    """Kafka cannot be used as set up; the message says what to do."""


class KafkaUnreachableError(KafkaError):
    """No broker answers; waiting may mend it."""
