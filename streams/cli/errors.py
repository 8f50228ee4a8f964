"""Which errors end a command with their message alone: each says what to do."""

from __future__ import annotations

from connectors.base.contract import SinkUnavailableError
from connectors.kafka.errors import KafkaError
from connectors.sqlite.files import StoreError
from pipeline.settings import SettingsError
from streams.agents.errors import WorkerError
from streams.operator_error import OperatorError


class CommandError(Exception):
    """A command cannot do what was asked; the message says why and what to do."""


EXPECTED = (
    CommandError,
    KafkaError,
    OperatorError,
    SettingsError,
    SinkUnavailableError,
    StoreError,
    WorkerError,
)
