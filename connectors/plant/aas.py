"""A plant from Asset Administration Shells (AAS v3): a JSON environment, or an AASX package that holds one.

IDTA 01001-3-0 (metamodel), IDTA 01005-3-0 (AASX), IDTA 02017-1-0 (Asset Interfaces Description). Eclipse
BaSyx's SDK would read them too, but holds python-dateutil below 3; what is needed here is little.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from pipeline.plant import Plant, PlantError, parse_plant
from pipeline.settings import SettingsError

#: Bytes of JSON that are read of a package at most: a zip may unpack to anything.
_MOST = 64 << 20
#: Submodels (by idShort or semantic id) that describe a machine and measure nothing.
_DESCRIBING = (
    "nameplate",
    "technicaldata",
    "documentation",
    "contactinformation",
    "carbonfootprint",
    "hierarchicalstructures",
    "bill",
)
_WHOLE = ("integer", "int", "long", "short", "byte")
_UNSIGNED = ("unsignedInt", "unsignedLong", "unsignedShort", "unsignedByte")
_NUMBERS = frozenset(f"xs:{kind}" for kind in ("double", "float", "decimal", *_WHOLE, *_UNSIGNED))


def read_aas(path: Path) -> tuple[Plant, list[str]]:
    """The machines of every shell in a file, and notes on what was left out. Raises `SettingsError`.

    A shell of an asset is a machine; numeric properties of its submodels, and the properties of its asset
    interfaces, are its sensors, with the unit of their concept description (IEC 61360) and the `Range` that
    carries their name.
    """
    environments = list(_environments(path))
    shells = [one for env in environments for one in _list(env, "assetAdministrationShells")]
    if not shells:
        raise SettingsError(f"{path} holds no Asset Administration Shell (version 3, as JSON).")
    submodels = {one.get("id"): one for env in environments for one in _list(env, "submodels")}
    concepts = {one.get("id"): one for env in environments for one in _list(env, "conceptDescriptions")}
    machines: list[dict[str, Any]] = []
    notes: list[str] = []
    for shell in shells:
        name = shell.get("idShort") or str(shell.get("id", "")).rstrip("/").rpartition("/")[2]
        if _dict(shell, "assetInformation").get("assetKind") == "Type":
            notes.append(f"{name} is a type of machine and not one: left out")
            continue
        sensors: dict[str, Any] = {}
        for reference in _list(shell, "submodels"):
            submodel = submodels.get(_last_key(reference))
            if submodel is None:
                notes.append(f"{name}: submodel {_last_key(reference)} is not in the file")
            elif not _describes(submodel):
                sensors |= _sensors(submodel, concepts)
        if not sensors:
            notes.append(f"{name}: no numeric property was found in its submodels")
        machines.append({"id": name, "name": _texts(shell.get("displayName")), "sensors": sensors})
    try:
        return parse_plant({"machines": machines}), notes
    except PlantError as error:
        raise SettingsError(f"{path} holds what is no plant: {error}.") from None


def _environments(path: Path) -> Iterator[dict[str, Any]]:
    try:
        if path.suffix.lower() != ".aasx":
            yield _environment(path.read_bytes(), str(path))
            return
        with ZipFile(path) as package:
            members = [one for one in package.infolist() if one.filename.lower().endswith(".json")]
            for member in members:
                if member.file_size > _MOST:
                    raise SettingsError(f"{path}: {member.filename} is larger than {_MOST} bytes.")
                with package.open(member) as file:
                    found = _environment(file.read(_MOST), f"{path}, {member.filename}")
                if "assetAdministrationShells" in found or "submodels" in found:
                    yield found
            if not members:
                raise SettingsError(
                    f"{path} holds its shells as XML only. Export it with JSON inside, or the environment "
                    "as JSON (AASX Package Explorer: Save as)."
                )
    except (OSError, BadZipFile) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error


def _environment(data: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.load(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{where} is no JSON: {error}.") from None
    if not isinstance(found, dict):
        raise SettingsError(f"{where} is no AAS environment: its JSON is no object.")
    return found


def _sensors(submodel: dict[str, Any], concepts: dict[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    ranges: dict[str, list[float]] = {}
    for path, element in _elements(_list(submodel, "submodelElements"), ()):
        kind, name = element.get("modelType"), element.get("idShort") or ""
        if kind == "Property" and element.get("valueType") in _NUMBERS and not _within_interface(path):
            made = {"unit": _unit(element, concepts), "name": _texts(element.get("displayName"))}
            found[".".join([*path, name])] = {key: value for key, value in made.items() if value}
        elif kind == "SubmodelElementCollection" and path and path[-1] == "properties":
            described = {one.get("idShort"): one for one in _list(element, "value")}
            if _value(described.get("type")) in ("number", "integer", "float", None):
                made = {"unit": _value(described.get("unit")), "name": _value(described.get("title"))}
                found[name] = {key: value for key, value in made.items() if value}
                ends = _ends(described.get("min_max"))
                if ends:
                    ranges[name] = ends
        elif kind == "Range" and (ends := _ends(element)) and not _within_interface(path):
            ranges[".".join([*path, name])] = ends
    for name, ends in ranges.items():
        for sensor, made in found.items():
            if name == sensor or name.removesuffix("Range").rstrip("_") == sensor:
                made["range"] = ends
    return found


def _elements(elements: list[Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    for element in elements:
        if isinstance(element, dict) and len(path) < 16:
            yield path, element
            if element.get("modelType") in ("SubmodelElementCollection", "SubmodelElementList"):
                yield from _elements(_list(element, "value"), (*path, str(element.get("idShort") or "")))


def _within_interface(path: tuple[str, ...]) -> bool:
    """Inside an asset interface's description, properties describe it; they are no values."""
    return any(one in ("InteractionMetadata", "EndpointMetadata") for one in path)


def _describes(submodel: dict[str, Any]) -> bool:
    named = f"{submodel.get('idShort', '')} {_last_key(submodel.get('semanticId'))}".lower().replace("_", "")
    return any(one in named for one in _DESCRIBING)


def _unit(element: dict[str, Any], concepts: dict[Any, Any]) -> str:
    concept = concepts.get(_last_key(element.get("semanticId")))
    for holder in (element, concept or {}):
        for one in _list(holder, "embeddedDataSpecifications"):
            unit = _dict(one, "dataSpecificationContent").get("unit") if isinstance(one, dict) else None
            if unit:
                return str(unit)
    return ""


def _ends(element: Any) -> list[float]:
    try:
        low, high = float(element["min"]), float(element["max"])
    except (KeyError, TypeError, ValueError):
        return []
    return [low, high] if low < high else []


def _texts(strings: Any) -> dict[str, str]:
    if not isinstance(strings, list):
        return {}
    return {
        str(string["language"])[:2]: str(string["text"])
        for string in strings
        if "language" in string and "text" in string
    }


def _value(element: Any) -> Any:
    return element.get("value") if isinstance(element, dict) else None


def _last_key(reference: Any) -> str:
    keys = _list(reference, "keys") if isinstance(reference, dict) else []
    return str(keys[-1].get("value", "")) if keys and isinstance(keys[-1], dict) else ""


def _list(of: Any, key: str) -> list[Any]:
    found = of.get(key) if isinstance(of, dict) else None
    return found if isinstance(found, list) else []


def _dict(of: Any, key: str) -> dict[str, Any]:
    found = of.get(key) if isinstance(of, dict) else None
    return found if isinstance(found, dict) else {}
