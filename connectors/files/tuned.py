"""Promoted changes of machine classes, kept beside `yeji.toml` in a file of their own: `tuned.toml`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from connectors.base.settings import ConnectorsSettings
from connectors.files.whole import write_whole
from pipeline.settings import ClassSettings, SettingsError

AnySettings = TypeVar("AnySettings", bound=ConnectorsSettings)

_HEAD = """\
# Written by `yeji tune promote` and `yeji tune rollback`; what stands here wins over yeji.toml.
# A worker reads it when it starts: give every worker the same file, in its folder `data`.
"""


def changed(settings: AnySettings, machine_class: str, changes: Mapping[str, Any]) -> AnySettings:
    """``settings`` with ``changes`` of one class, by dotted name.

    >>> tuned = changed(ConnectorsSettings(), "default", {"alarm.threshold": 0.9999})
    >>> tuned.classes["default"].alarm.threshold
    0.9999

    Raises `SettingsError` for a class, a name or a value that cannot be.
    """
    if machine_class not in settings.classes:
        raise SettingsError(
            f"There is no machine class {machine_class!r}; the settings have {', '.join(settings.classes)}."
        )
    whole = settings.classes[machine_class].model_dump()
    for name, value in changes.items():
        *path, last = name.split(".")
        place: Any = whole
        for step in path:
            place = place.get(step) if isinstance(place, dict) else None
        if not isinstance(place, dict) or last not in place:
            raise SettingsError(
                f"{name} is no setting of a machine class; write one as docs/settings.md has it under "
                "`classes`, for example alarm.threshold."
            )
        place[last] = value
    try:
        made = ClassSettings.model_validate(whole)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or ", ".join(changes)
        raise SettingsError(f"{machine_class}: {where}: {first['msg']}.") from None
    return settings.model_copy(update={"classes": {**settings.classes, machine_class: made}})


def tuned_path(settings: ConnectorsSettings) -> Path:
    """Where promoted changes are kept."""
    return settings.data / "tuned.toml"


def read_tuned(path: Path) -> dict[str, dict[str, Any]]:
    """The promoted changes: class → dotted name → value. Raises `SettingsError`."""
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            classes = tomllib.load(file).get("classes", {})
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}. Correct or remove it.") from None
    if not isinstance(classes, dict) or not all(isinstance(section, dict) for section in classes.values()):
        raise SettingsError(f"{path}: write changes under [classes.NAME]. Correct or remove it.")
    return classes


def with_tuned(settings: AnySettings) -> AnySettings:
    """``settings`` with the promoted changes. Raises `SettingsError`, naming the file."""
    path = tuned_path(settings)
    for machine_class, changes in read_tuned(path).items():
        try:
            settings = changed(settings, machine_class, changes)
        except SettingsError as error:
            raise SettingsError(f"{path}: {error} Or remove it from the file.") from None
    return settings


def write_tuned(path: Path, classes: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the promoted changes, whole or not at all."""
    lines = [_HEAD]
    for machine_class, changes in classes.items():
        if changes:
            lines.append(f"[classes.{json.dumps(machine_class, ensure_ascii=False)}]\n")
            # JSON's numbers, texts and lists are TOML's too. A dotted name stands in quotes: one key.
            lines += [
                f"{json.dumps(name)} = {json.dumps(value, ensure_ascii=False)}\n"
                for name, value in changes.items()
            ]
    write_whole(path, "".join(lines).encode())
