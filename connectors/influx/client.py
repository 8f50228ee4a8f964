"""The HTTP client of InfluxDB, made from the settings; what it raises when the other side is in trouble."""

from __future__ import annotations

from typing import Any

from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from connectors.base.contract import SinkSettingsError
from connectors.influx.settings import InfluxSettings

#: Whatever a call may raise that is the other side's doing. A proxy's page need not even be UTF-8.
TROUBLE: tuple[type[Exception], ...] = (InfluxDBError, ApiException, HTTPError, OSError, UnicodeError)


def influx_token(settings: InfluxSettings) -> str:
    """The token in clear. Raises `SinkSettingsError` when none is set."""
    if settings.token is None or not settings.token.get_secret_value():
        raise SinkSettingsError(
            "No token for InfluxDB: create one with read and write access to the bucket "
            f"{settings.bucket!r} and set YEJI_INFLUX__TOKEN."
        )
    return settings.token.get_secret_value()


def influx_client(settings: InfluxSettings, connections: int) -> Any:  # influxdb-client is only half typed
    """A client with ``connections`` at most. Raises `SinkSettingsError` without a token or with no CA."""
    if settings.ca_file is not None and not settings.ca_file.is_file():
        raise SinkSettingsError(
            f"influx.ca_file names {settings.ca_file}, which is no file. Correct the path."
        )
    return InfluxDBClient(
        settings.url,
        influx_token(settings),
        org=settings.org,
        timeout=int(settings.timeout * 1000),
        ssl_ca_cert=None if settings.ca_file is None else str(settings.ca_file),
        connection_pool_maxsize=connections,
    )


def message(error: BaseException) -> str:
    """What the server said, on one line, with what is no UTF-8 replaced."""
    text = getattr(error, "message", None) or str(error)
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    return " ".join(str(text).split())[:500]
