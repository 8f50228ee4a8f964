"""Which errors end a command with their message alone: each says what to do."""

from __future__ import annotations

from connectors.base import SinkUnavailableError
from connectors.kafka_security import KafkaError
from connectors.sqlite_schema import StoreError
from streams.settings import SettingsError
from streams.worker.errors import WorkerError


class CommandError(Exception):
    """A command cannot do what was asked; the message says why and what to do."""


EXPECTED = (CommandError, KafkaError, SettingsError, SinkUnavailableError, StoreError, WorkerError)
