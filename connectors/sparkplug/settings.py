"""The settings of a Sparkplug B host."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from connectors.base.source_settings import SourceSettings
from connectors.mapping.settings import MappingSettings
from connectors.mqtt.settings import MqttConnectionSettings
from pipeline.settings import Section


class RebirthSettings(Section):
    """When edge nodes are asked to send their births again."""

    first: float = Field(
        10.0, gt=0, description="seconds until a node is asked a second time; doubled each time"
    )
    most: float = Field(300.0, gt=0, description="seconds between requests to one node at most")
    each_second: float = Field(20.0, gt=0, description="requests a second to all nodes together")
    tries: int = Field(
        3, ge=1, description="unanswered requests after which a node's data is read by its last birth again"
    )


class SparkplugSettings(SourceSettings):
    """Readings from the edge nodes and devices of Sparkplug B (docs/sparkplug.md)."""

    kind: Literal["sparkplug"] = Field("sparkplug", description="this section's kind")
    broker: MqttConnectionSettings = Field(default_factory=MqttConnectionSettings)
    host_id: str | None = Field(
        None,
        description="we publish STATE as this host application; none = we only listen and ask for rebirths",
    )
    groups: list[str] = Field(
        default_factory=lambda: ["+"], min_length=1, description="groups that are read; + = all"
    )
    machine: str = Field(
        "{group}/{node}/{device}",
        description="the machine of a device; a level that is empty (a node's own metrics) is left out",
    )
    ignore: list[str] = Field(
        default_factory=lambda: [
            "bdSeq",
            "Node Control/*",
            "Device Control/*",
            "Node Info/*",
            "Device Info/*",
        ],
        description="patterns of metrics that are no sensors",
    )
    rebirth: RebirthSettings = Field(default_factory=RebirthSettings)
    mapping: MappingSettings = Field(
        default_factory=MappingSettings,
        description="`levels`, `machines`, `names` and `ignore` of it count here",
    )
