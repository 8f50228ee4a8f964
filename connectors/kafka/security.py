"""How each Kafka client of Yeji is told where the brokers are, whom to trust, and how to log in."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic import SecretStr

from connectors.kafka.errors import KafkaError
from connectors.kafka.settings import KafkaSettings
from connectors.kafka.tokens import AsyncTokens, ClientCredentials, SyncTokens, TokenError, from_file


def brokers(settings: KafkaSettings) -> list[str]:
    """The brokers, one per string.

    >>> brokers(KafkaSettings(brokers="a:9092, b:9092"))
    ['a:9092', 'b:9092']
    """
    return [broker.strip() for broker in settings.brokers.split(",") if broker.strip()]


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext | None:
    """The TLS context: the CA of ``kafka.ca_file``, our certificate; None when nothing is encrypted.

    TLS 1.2 at least; the broker's name is checked. Raises `KafkaError` for files that cannot be used.
    """
    if "SSL" not in settings.security.split("_"):
        return None
    for name in ("ca_file", "cert_file", "key_file"):
        path = getattr(settings, name)
        if path is not None and not path.is_file():
            raise KafkaError(f"kafka.{name} names {path}, which is no file. Correct the path.")
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.cert_file is not None:
            # A function, so that a key that asks for a password never asks the terminal.
            context.load_cert_chain(
                settings.cert_file, settings.key_file, lambda: _plain(settings.key_password)
            )
    except (ssl.SSLError, OSError, ValueError) as error:
        raise KafkaError(
            f"The certificates of Kafka cannot be used ({type(error).__name__}: {error.args[-1]}). Check "
            "kafka.ca_file, kafka.cert_file, kafka.key_file and the key's password."
        ) from None
    return context


def _plain(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


def login(settings: KafkaSettings) -> tuple[str, str] | None:
    """User and password of PLAIN and SCRAM; None for other ways. Raises `KafkaError` when one is missing."""
    if not settings.security.startswith("SASL") or settings.mechanism == "OAUTHBEARER":
        return None
    if settings.username is None or settings.password is None:
        raise KafkaError(
            f"kafka.security is {settings.security}: set kafka.username and YEJI_KAFKA__PASSWORD (or "
            "YEJI_KAFKA__PASSWORD_FILE), or set kafka.security to PLAINTEXT or SSL."
        )
    return settings.username, settings.password.get_secret_value()


def token_source(settings: KafkaSettings) -> Callable[[], str] | None:
    """What returns a bearer token; None when the mechanism is another. Raises `KafkaError`."""
    if not settings.security.startswith("SASL") or settings.mechanism != "OAUTHBEARER":
        return None
    if settings.token_file is not None:
        return partial(from_file, settings.token_file)
    if settings.token_url is None or settings.client_id is None or settings.client_secret is None:
        raise KafkaError(
            "kafka.mechanism is OAUTHBEARER: set kafka.token_file, or kafka.token_url, kafka.client_id and "
            "YEJI_KAFKA__CLIENT_SECRET (or YEJI_KAFKA__CLIENT_SECRET_FILE)."
        )
    try:
        return ClientCredentials(
            settings.token_url,
            settings.client_id,
            settings.client_secret.get_secret_value(),
            settings.ca_file,
        )
    except TokenError as error:
        raise KafkaError(str(error)) from None


def _options(settings: KafkaSettings, tokens: Callable[[Callable[[], str]], Any]) -> dict[str, Any]:
    options: dict[str, Any] = {
        "bootstrap_servers": brokers(settings),
        "security_protocol": settings.security,
        "ssl_context": ssl_context(settings),
    }
    credentials, source = login(settings), token_source(settings)
    if credentials is not None:
        options["sasl_mechanism"] = settings.mechanism
        options["sasl_plain_username"], options["sasl_plain_password"] = credentials
    if source is not None:
        options["sasl_mechanism"] = settings.mechanism
        options["sasl_oauth_token_provider"] = tokens(source)
    return options


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Options of kafka-python's clients. Raises `KafkaError`."""
    return _options(settings, SyncTokens)


def async_options(settings: KafkaSettings) -> dict[str, Any]:
    """The same for aiokafka's. Raises `KafkaError`."""
    return _options(settings, AsyncTokens)
