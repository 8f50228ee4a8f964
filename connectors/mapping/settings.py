"""Settings of a mapping: how the payloads of a source become readings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from connectors.mapping.paths import PathError, parse_path, parse_template
from connectors.mapping.times import UNITS, zone_of
from pipeline.settings import Section

PresetName = Literal[
    "plain", "telegraf", "thingsboard", "thingsboard-gateway", "neuron", "umh", "node-red", "sparkplug-json"
]


class MappingSettings(Section):
    """Where machine, time and values stand in a source's payloads. What is left out is found by its name."""

    preset: PresetName = Field("plain", description="shape of another system's payloads, to begin with")
    format: Literal["auto", "json", "line", "value"] = Field(
        "auto",
        description="json, InfluxDB line protocol, or one bare value; auto = by the payload's beginning",
    )
    topic: str = Field("", description="pattern that names levels of the topic, as plant/{line}/{machine}/#")
    each: str = Field("", description="path of what is one reading or value each, as metrics[*]")
    machine: str = Field("", description="path or template of the machine, as {line}/{tags.host}")
    levels: str = Field("", description="levels in front of a machine with fewer than five, as acme/gwangju")
    time: str = Field("", description="path of the time; none there = when the message arrived")
    time_unit: str = Field("auto", description="auto, s, ms, us, ns, excel, or a format as %d.%m.%Y %H:%M:%S")
    timezone: str = Field("UTC", description="zone of times that name none, as Asia/Seoul")
    sensors: str = Field("", description="path of the object that holds a value for each sensor")
    sensor: str = Field(
        "", description="path or template of the sensor's name, where a message has one value"
    )
    value: str = Field("", description="path of the value, where a message has one")
    quality: str = Field("", description="path of the quality: of a value, or of all values of a message")
    unit: str = Field("", description="path of the unit of a value")
    ignore: list[str] = Field(default_factory=list, description="patterns of sensor names to leave out")
    machines: dict[str, str] = Field(
        default_factory=dict,
        description="machines by another name: what the source calls it = what it is called",
    )
    names: dict[str, str] = Field(
        default_factory=dict,
        description="sensors by another name: what the source calls it = what it is called",
    )

    @field_validator("each", "time", "sensors", "value", "quality", "unit")
    @classmethod
    def _paths(cls, text: str) -> str:
        _parsed(parse_path, text)
        return text

    @field_validator("machine", "sensor")
    @classmethod
    def _templates(cls, text: str) -> str:
        _parsed(parse_template, text)
        return text

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        zone_of(name)
        return name

    @field_validator("levels")
    @classmethod
    def _levels(cls, text: str) -> str:
        parts = [part for part in text.split("/") if part.strip()]
        if len(parts) > 4:
            raise ValueError(f"{text!r} has {len(parts)} levels: at most enterprise/site/area/line")
        return "/".join(parts)

    @field_validator("time_unit")
    @classmethod
    def _unit(cls, text: str) -> str:
        if text not in ("auto", "excel", *UNITS) and "%" not in text:
            raise ValueError(
                f"{text!r} is no unit of time: write auto, s, ms, us, ns, excel or a format with %"
            )
        return text


def _parsed(parse: object, text: str) -> None:
    try:
        parse(text)  # type: ignore[operator]
    except PathError as error:
        raise ValueError(str(error)) from None
