"""Avro values with a schema id in front, as Confluent's serializers write them."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import httpx

#: Zero, then the schema's id in four bytes, then the value.
_HEAD = 5


class AvroError(Exception):
    """The value cannot be read; the message says why."""


class RegistryError(Exception):
    """The registry cannot be asked now; the same value is to be read again later."""


class AvroReader:
    """Reads values with the schemas of the registry at ``url``; each schema is asked for once."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._schemas: dict[int, Any] = {}

    def read(self, value: bytes) -> dict[str, Any]:
        """The record. Raises `AvroError` for a value that is none, `RegistryError` when nobody answers."""
        if len(value) < _HEAD or value[0] != 0:
            raise AvroError(
                "It does not begin with a zero and a schema's id, as Confluent's serializers write."
            )
        schema = self._schema(int.from_bytes(value[1:_HEAD], "big"))
        try:
            record = fastavro.schemaless_reader(io.BytesIO(value[_HEAD:]), schema, None)
        except Exception as error:  # fastavro raises whatever its decoding meets
            raise AvroError(f"It is not of its schema: {type(error).__name__}: {error}.") from error
        if not isinstance(record, dict):
            raise AvroError(f"Its schema makes a {type(record).__name__}, not a record.")
        return record

    def _schema(self, number: int) -> Any:
        known = self._schemas.get(number)
        if known is not None:
            return known
        try:
            answer = httpx.get(f"{self._url}/schemas/ids/{number}", timeout=10)
        except httpx.HTTPError as error:
            raise RegistryError(f"The schema registry {self._url} cannot be asked: {error}.") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise AvroError(f"The schema registry {self._url} has no schema {number}.")
        if answer.is_error:
            raise RegistryError(f"The schema registry {self._url} answers {answer.status_code}.")
        try:
            parsed = fastavro.parse_schema(json.loads(answer.json()["schema"]))
        except (ValueError, KeyError, fastavro.schema.SchemaParseException) as error:
            raise AvroError(f"Schema {number} is not of Avro: {error}.") from error
        self._schemas[number] = parsed
        return parsed
