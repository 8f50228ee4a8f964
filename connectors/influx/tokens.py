"""Tokens of InfluxDB that may do one thing with one bucket: write, for workers, or read, for charts."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Any

from influxdb_client.domain.permission import Permission
from influxdb_client.domain.permission_resource import PermissionResource

from connectors.base.contract import SinkSettingsError, SinkUnavailableError
from connectors.influx.client import TROUBLE, influx_client, message
from connectors.influx.settings import InfluxSettings


class Purpose(StrEnum):
    """What a token is for."""

    WORKER = "worker"  # writes to the bucket, and cannot read it
    READER = "reader"  # reads the bucket: Grafana, the desk, tuning


def make_token(settings: InfluxSettings, purpose: Purpose) -> str:
    """A new token for the bucket of ``settings``, whose own token must have the right to make some.

    Raises `SinkSettingsError`, and `SinkUnavailableError` when InfluxDB is away.
    """
    client = influx_client(settings, 2)
    try:
        bucket = client.buckets_api().find_bucket_by_name(settings.bucket)
        if bucket is None:
            raise SinkSettingsError(
                f"InfluxDB has no bucket {settings.bucket!r}. Create it with `yeji check --create`."
            )
        permission: Any = Permission  # influxdb-client is only half typed
        resource: Any = PermissionResource
        action = "write" if purpose is Purpose.WORKER else "read"
        what = resource(type="buckets", id=bucket.id, org_id=bucket.org_id)
        made = client.authorizations_api().create_authorization(
            org_id=bucket.org_id, permissions=[permission(action=action, resource=what)]
        )
        return str(made.token)
    except TROUBLE as error:
        status = getattr(getattr(error, "response", error), "status", None)
        if status in (401, 403):
            raise SinkSettingsError(
                f"InfluxDB at {settings.url}: influx.token may not make tokens. Use an operator's or an "
                "all-access token for this one command."
            ) from None
        raise SinkUnavailableError(
            f"InfluxDB at {settings.url} makes no token: {status or type(error).__name__} {message(error)}."
        ) from None
    finally:
        client.close()


def keep_token(token: str, to: Path) -> None:
    """Write a token into a new file that only its owner may read. Raises `SinkSettingsError`."""
    try:
        with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token + "\n")
    except OSError as error:
        raise SinkSettingsError(f"{to} cannot be written ({error.strerror}). Name a new file.") from error
