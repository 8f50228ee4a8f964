"""Kinds of sources and sinks by name: our own, and those that installed packages bring as entry points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from pipeline.settings import SettingsError


class Kind(Protocol):
    """Anything with a name."""

    @property
    def kind(self) -> str:
        """Its name."""


_K = TypeVar("_K", bound=Kind)
_S = TypeVar("_S", bound=BaseModel)


def kinds_of(group: str, wanted: type[_K], own: Iterable[_K]) -> Mapping[str, _K]:
    """Our ``own`` kinds and those of the entry points of ``group``, by name.

    Raises `SettingsError` when a package cannot be loaded, brings something else, or a name that is taken.
    """
    kinds = {one.kind: one for one in own}
    for point in entry_points(group=group):
        where = f"The entry point {point.name!r} ({point.value}) of {group}"
        try:
            one = point.load()
        except Exception as error:
            raise SettingsError(
                f"{where} cannot be loaded: {type(error).__name__}: {error}. Mend or remove that package."
            ) from error
        if not isinstance(one, wanted) or one.kind in kinds:
            raise SettingsError(f"{where} is no {wanted.__name__} with a name of its own.")
        kinds[one.kind] = one
    return kinds


def settings_by_kind(value: Any, base: type[_S], known: Mapping[str, type[_S]]) -> _S:
    """The settings in ``value`` by its ``kind``, one of ``known``; settings of ``base`` stay as they are.

    Raises ValueError when the kind is not known.
    """
    if isinstance(value, base):
        return value
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in known:
        raise ValueError(f"kind {kind!r} is not known; write one of {', '.join(sorted(known))}")
    return known[kind].model_validate(value)
