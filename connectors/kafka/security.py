"""How each Kafka client of ours is told where the brokers are and how to log in."""

from __future__ import annotations

import ssl
from typing import Any

from connectors.kafka.settings import KafkaSettings


class KafkaError(Exception):
    """Kafka cannot be used as set up; the message says what to do."""


class KafkaUnreachableError(KafkaError):
    """No broker answers; waiting may mend it."""


def brokers(settings: KafkaSettings) -> list[str]:
    """The brokers, one a string.

    >>> brokers(KafkaSettings(brokers="a:9092, b:9092"))
    ['a:9092', 'b:9092']
    """
    return [broker.strip() for broker in settings.brokers.split(",") if broker.strip()]


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext | None:
    """The TLS context, with the CA of ``kafka.ca_file``; None when the connection is not encrypted."""
    if "SSL" not in settings.security.split("_"):
        return None
    if settings.ca_file is not None and not settings.ca_file.is_file():
        raise KafkaError(f"kafka.ca_file names {settings.ca_file}, which is no file. Correct the path.")
    return ssl.create_default_context(cafile=settings.ca_file)


def login(settings: KafkaSettings) -> tuple[str, str] | None:
    """User and password, when SASL is set. Raises `KafkaError` when one is missing."""
    if not settings.security.startswith("SASL"):
        return None
    if settings.username is None or settings.password is None:
        raise KafkaError(
            f"kafka.security is {settings.security}: set kafka.username and YEJI_KAFKA__PASSWORD, "
            "or set kafka.security to PLAINTEXT or SSL."
        )
    return settings.username, settings.password.get_secret_value()


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Options that kafka-python and aiokafka have in common."""
    options: dict[str, Any] = {
        "bootstrap_servers": brokers(settings),
        "security_protocol": settings.security,
        "ssl_context": ssl_context(settings),
    }
    credentials = login(settings)
    if credentials is not None:
        options["sasl_mechanism"] = "PLAIN"
        options["sasl_plain_username"], options["sasl_plain_password"] = credentials
    return options
