"""A plant as the text of plant.toml."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pipeline.plant import Plant, PlantSensor

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def plant_toml(plant: Plant, remarks: Mapping[tuple[str, ...], str] | None = None) -> str:
    """The text; `parse_plant` reads it back as the same plant.

    ``remarks`` become comments: on a class (``("classes", NAME)``), a machine (``("machines", ID)``) or one
    of their sensors (with the sensor's name after it).

    >>> print(plant_toml(Plant(site="gwangju", machines=[{"id": "#7", "class": "press"}])), end="")
    site = "gwangju"
    <BLANKLINE>
    [[machines]]
    id = "#7"
    class = "press"
    """
    said = remarks or {}
    lines = _pairs(plant.model_dump(include={"enterprise", "site", "name"}, exclude_unset=True))
    for area, one in plant.areas.items():
        lines += ["", f"[areas.{_key(area)}]", *_pairs({"name": one.name})]
        for line, other in one.lines.items():
            lines += ["", f"[areas.{_key(area)}.lines.{_key(line)}]", *_pairs({"name": other.name})]
    for name, kind in plant.classes.items():
        lines += ["", *_remark(said, "classes", name), f"[classes.{_key(name)}]"]
        lines += _pairs(kind.model_dump(exclude={"sensors"}, exclude_unset=True))
        lines += _sensors(f"classes.{_key(name)}", kind.sensors, said, ("classes", name))
    for machine in plant.machines:
        lines += ["", *_remark(said, "machines", machine.id), "[[machines]]"]
        own = machine.model_dump(exclude={"sensors"}, exclude_unset=True)
        order = ("id", "class", "area", "line", "name", "source", "aliases")
        own["class"] = own.pop("machine_class", "")
        lines += _pairs({key: own.get(key, "") for key in order})
        lines += _sensors("machines", machine.sensors, said, ("machines", machine.id))
    return "\n".join(lines).lstrip("\n") + "\n"


def _sensors(
    table: str,
    sensors: Mapping[str, PlantSensor],
    said: Mapping[tuple[str, ...], str],
    of: tuple[str, ...],
) -> list[str]:
    lines: list[str] = []
    for name, one in sensors.items():
        lines += ["", *_remark(said, *of, name), f"[{table}.sensors.{_key(name)}]"]
        lines += _pairs(one.model_dump(exclude_unset=True))
    return lines


def _remark(said: Mapping[tuple[str, ...], str], *of: str) -> list[str]:
    return [f"# {said[of]}"] if of in said else []


def _pairs(values: Mapping[str, Any]) -> list[str]:
    """A line for each value that is there."""
    return [f"{_key(k)} = {_value(v)}" for k, v in values.items() if v not in (None, "", [], {})]


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(_pairs(value)) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return _text(value) if isinstance(value, str) else repr(value)


def _text(value: str) -> str:
    """A basic string: JSON's are TOML's too, but for the one control character that JSON leaves as it is."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
