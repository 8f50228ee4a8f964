"""The settings of a source that listens on HTTP: address, tokens, TLS."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from connectors.base.source_settings import SourceSettings
from connectors.mapping.settings import MappingSettings
from pipeline.settings import Section


class TokenSettings(Section):
    """A sender's token, and where its machines stand."""

    token: SecretStr = Field(description="what the sender shows; give it as a variable")
    under: str = Field(
        description="levels that its machines stand under, as acme/gwangju: put before a machine with fewer "
        "than five levels, and one that stands elsewhere is rejected"
    )


class HttpSettings(SourceSettings):
    """Readings that others send to us over HTTP (docs/http.md)."""

    kind: Literal["http"] = Field("http", description="this section's kind")
    host: str = Field(
        "127.0.0.1", description="address to listen on; 0.0.0.0 = every one, which needs tokens"
    )
    port: int = Field(8090, ge=0, le=65535, description="port to listen on; 0 = any free one")
    tokens: dict[str, TokenSettings] = Field(
        default_factory=dict, description="senders by name; none = anyone on this machine may send"
    )
    cert_file: Path | None = Field(None, description="PEM file of our certificate; none = not encrypted")
    key_file: Path | None = Field(None, description="PEM file of its key")
    max_body_bytes: int = Field(10_000_000, ge=1000, description="larger requests are refused, also unfolded")
    patience: float = Field(
        20.0,
        gt=0,
        description="seconds that a request waits until its readings are safe; then it is told to repeat",
    )
    mapping: MappingSettings = Field(default_factory=MappingSettings)

    @model_validator(mode="after")
    def _guarded(self) -> HttpSettings:
        if not self.tokens and not _own(self.host):
            raise ValueError(f"host {self.host} is reached from elsewhere: set tokens, or host to 127.0.0.1")
        return self


def _own(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
