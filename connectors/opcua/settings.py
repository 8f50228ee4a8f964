"""The settings of an OPC UA source: server, security, machines by browse path."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.base.source_settings import SourceSettings
from connectors.mapping.settings import MappingSettings
from connectors.opcua.paths import PathError, parse_path
from pipeline.settings import Section


class OpcUaSecuritySettings(Section):
    """How messages are signed and encrypted (docs/opcua.md)."""

    policy: Literal["none", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"] = Field(
        "none", description="the server's security policy; none = neither signed nor encrypted"
    )
    mode: Literal["SignAndEncrypt", "Sign"] = Field("SignAndEncrypt", description="what is done to messages")
    cert_file: Path | None = Field(
        None, description="our certificate (DER); made with its key where it is not there yet"
    )
    key_file: Path | None = Field(None, description="its key (PEM)")
    server_cert_file: Path | None = Field(None, description="the server's certificate, DER or PEM")
    trust_any: bool = Field(
        False, description="speak to whichever server answers, without knowing its certificate"
    )

    @model_validator(mode="after")
    def _whole(self) -> OpcUaSecuritySettings:
        if self.policy == "none":
            return self
        if self.cert_file is None or self.key_file is None:
            raise ValueError(
                "a policy needs cert_file and key_file; they are made where they are not there yet"
            )
        if self.server_cert_file is None and not self.trust_any:
            raise ValueError("give server_cert_file, the server's certificate, or trust_any = true")
        return self


class OpcUaMachineSettings(Section):
    """One machine, or all below a folder."""

    path: str = Field(
        description="browse path from Objects, as plant:Hall/plant:Press; a last level * = each object "
        "there is a machine"
    )
    machine: str = Field("{name}", description="the machine's name; {name} = the browse name of its object")
    sensors: dict[str, str] = Field(
        default_factory=dict,
        description="sensors and their paths from the machine; none = every number below it",
    )

    @field_validator("path")
    @classmethod
    def _path(cls, text: str) -> str:
        _parsed(text.removesuffix("/*"))
        return text

    @field_validator("sensors")
    @classmethod
    def _paths(cls, sensors: dict[str, str]) -> dict[str, str]:
        for text in sensors.values():
            _parsed(text)
        return sensors


class OpcUaSettings(SourceSettings):
    """Readings from an OPC UA server by subscription (docs/opcua.md)."""

    kind: Literal["opcua"] = Field("opcua", description="this section's kind")
    url: str = Field("opc.tcp://127.0.0.1:4840", description="the server's endpoint")
    username: str | None = Field(None, description="user; none = anonymous")
    password: SecretStr | None = Field(None, description="that user's password")
    security: OpcUaSecuritySettings = Field(default_factory=OpcUaSecuritySettings)
    namespaces: dict[str, str] = Field(
        default_factory=dict,
        description="prefixes of paths and the URIs of the namespaces that they stand for",
    )
    machines: list[OpcUaMachineSettings] = Field(min_length=1, description="what is read")
    interval: float = Field(0.5, gt=0, description="seconds between two notifications (publishing interval)")
    sampling: float = Field(
        0.1, ge=0, description="seconds between two samples of a value at the server; 0 = its fastest"
    )
    queue: int = Field(
        100, ge=1, description="values of one node that the server keeps between two notifications"
    )
    look: float = Field(30.0, gt=0, description="seconds between looks for nodes that were not there")
    timeout: float = Field(10.0, gt=0, description="seconds to wait for an answer")
    history: float = Field(
        86_400.0,
        ge=0,
        description="seconds of a gap that are read from the server's history at most; 0 = none",
    )
    mapping: MappingSettings = Field(
        default_factory=MappingSettings,
        description="`levels`, `machines`, `names` and `ignore` of it count here",
    )

    @model_validator(mode="after")
    def _known_prefixes(self) -> OpcUaSettings:
        for machine in self.machines:
            for text in (machine.path.removesuffix("/*"), *machine.sensors.values()):
                for prefix, _ in parse_path(text):
                    if prefix and not prefix.isdecimal() and prefix not in self.namespaces:
                        raise ValueError(
                            f"path {text!r} has the prefix {prefix!r}: say its URI in `namespaces`"
                        )
        return self


def _parsed(text: str) -> None:
    try:
        parse_path(text)
    except PathError as error:
        raise ValueError(str(error)) from None
