"""plant.toml: read, checked with the line of each mistake, and laid over the settings."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from connectors.base.settings import ConnectorsSettings
from connectors.plant.lines import line_of
from pipeline.plant import Described, Mistake, Plant, PlantError, describe, parse_plant
from pipeline.settings import PipelineSettings, SettingsError

AnySettings = TypeVar("AnySettings", bound=ConnectorsSettings)


def read_plant(path: Path) -> tuple[Plant, str]:
    """The plant in a TOML file, and the file's text. Raises `SettingsError`: a line each mistake."""
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The plant's description {path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is no TOML: {error}.") from error
    try:
        return parse_plant(values), text
    except PlantError as error:
        raise _told(error, path, text) from None


def described_in(path: Path, settings: PipelineSettings) -> Described:
    """What the file at ``path`` adds to ``settings``. Raises `SettingsError`."""
    plant, text = read_plant(path)
    try:
        return describe(plant, settings)
    except PlantError as error:
        raise _told(error, path, text) from None


def with_plant(settings: AnySettings) -> AnySettings:
    """``settings`` with what `plant.toml` says; where there is none, as they are. Raises `SettingsError`."""
    path = settings.plant
    if not path.is_file():
        if "plant" in settings.model_fields_set:
            raise SettingsError(f"`plant` names {path}, which is no file. Correct the path or leave it out.")
        return settings
    plant, text = read_plant(path)
    try:
        if settings.sources:
            _known_sources(plant, settings.sources)
        found = describe(plant, settings)
    except PlantError as error:
        raise _told(error, path, text) from None
    return settings.model_copy(
        update={
            "classes": found.classes,
            "machines": found.machines,
            "places": found.places,
            "sources": {name: _aliased(name, one, found) for name, one in settings.sources.items()},
        }
    )


def _known_sources(plant: Plant, sources: dict[str, Any]) -> None:
    unknown = [
        Mistake(("machines", at, "source"), f"no [sources.{one.source}]; there are {', '.join(sources)}")
        for at, one in enumerate(plant.machines)
        if one.source and one.source not in sources
    ]
    if unknown:
        raise PlantError(unknown)


def _aliased(name: str, source: Any, found: Described) -> Any:
    """The source with the machines that the plant knows by another name there, if it has a mapping."""
    aliases = found.aliases.get("", {}) | found.aliases.get(name, {})
    mapping = getattr(source, "mapping", None)
    if not aliases or mapping is None:
        return source
    machines = aliases | mapping.machines  # what the source's own settings say is nearer
    return source.model_copy(update={"mapping": mapping.model_copy(update={"machines": machines})})


def _told(error: PlantError, path: Path, text: str) -> SettingsError:
    lines = sorted((line_of(text, mistake.path), mistake.key, mistake.what) for mistake in error.mistakes)
    return SettingsError(
        f"{path} cannot be used:\n" + "\n".join(f"  line {n}: {key}: {what}" for n, key, what in lines)
    )
