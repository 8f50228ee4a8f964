"""The kinds of sources that settings may name: our own, and those of installed packages (`yeji.sources`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from connectors.base.contract import Source
from connectors.base.kinds import kinds_of, settings_by_kind
from connectors.base.source_settings import SourceSettings
from connectors.folder.settings import FolderSettings
from connectors.http.settings import HttpSettings
from connectors.kafka.topic_settings import KafkaTopicSettings
from connectors.modbus.settings import ModbusSettings
from connectors.mqtt.settings import MqttSettings
from connectors.opcua.settings import OpcUaSettings
from connectors.sparkplug.settings import SparkplugSettings
from pipeline.settings import SettingsError

#: Entry points of this group each name a `SourceKind` of another package.
GROUP = "yeji.sources"


@dataclass(frozen=True, slots=True)
class SourceKind:
    """A kind of source. ``path`` is ``module:class``, imported only where one is opened.

    The class is called with the source's name and its settings.
    """

    kind: str
    settings: type[SourceSettings]
    path: str

    def open(self, name: str, settings: SourceSettings) -> Source:
        """A source of this kind. Raises `SettingsError` when the settings cannot be used."""
        module, _, attribute = self.path.partition(":")
        try:
            made = getattr(import_module(module), attribute)(name, settings)
        except SettingsError as error:
            raise SettingsError(f"[sources.{name}]: {error}") from error
        if not isinstance(made, Source):
            raise SettingsError(f"{self.path} of kind {self.kind!r} makes no Source: mend that package.")
        return made


class HasSources(Protocol):
    """Settings with sources by name."""

    @property
    def sources(self) -> Mapping[str, SourceSettings]:
        """The sources."""


OWN: tuple[SourceKind, ...] = (
    SourceKind("mqtt", MqttSettings, "connectors.mqtt.source:MqttSource"),
    SourceKind("sparkplug", SparkplugSettings, "connectors.sparkplug.source:SparkplugSource"),
    SourceKind("opcua", OpcUaSettings, "connectors.opcua.source:OpcUaSource"),
    SourceKind("modbus", ModbusSettings, "connectors.modbus.source:ModbusSource"),
    SourceKind("http", HttpSettings, "connectors.http.source:HttpSource"),
    SourceKind("kafka", KafkaTopicSettings, "connectors.kafka.topic_source:KafkaTopicSource"),
    SourceKind("folder", FolderSettings, "connectors.folder.source:FolderSource"),
)


@cache
def source_kinds() -> Mapping[str, SourceKind]:
    """Every kind by its name. Raises `SettingsError` when two packages bring the same one."""
    return kinds_of(GROUP, SourceKind, OWN)


def settings_of_kind(value: Any) -> SourceSettings:
    """The settings of a source as its ``kind`` has them. Raises ValueError when the kind is not known."""
    return settings_by_kind(
        value, SourceSettings, {name: kind.settings for name, kind in source_kinds().items()}
    )


def open_source(name: str, settings: SourceSettings) -> Source:
    """The source ``[sources.NAME]``. Raises `SettingsError`."""
    return source_kinds()[settings.kind].open(name, settings)


def chosen_sources(settings: HasSources, names: list[str] | None) -> list[str]:
    """The sources to run. Raises `SettingsError` when one is not there, or none is."""
    if not settings.sources:
        raise SettingsError(
            "There is no source: write one into yeji.toml, for example [sources.hall-3] with "
            'kind = "mqtt" and broker.host = "10.1.1.5". See docs/connect.md.'
        )
    unknown = [name for name in names or [] if name not in settings.sources]
    if unknown:
        raise SettingsError(
            f"There is no [sources.{unknown[0]}]; the settings have {', '.join(sorted(settings.sources))}."
        )
    return names or list(settings.sources)
