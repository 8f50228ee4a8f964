"""A form that somebody filled in and could not send: kept until they have signed in or proved themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_ACTION = "kept.action"
_FIELD = "kept.field."
_NOT_KEPT = frozenset({"csrf", "password", "old", "code"})
#: What a page put into the form by itself; its reader has not written it.
_OURS = frozenset({"csrf", "back", "also", "kind", "hours"})


@dataclass(frozen=True, slots=True)
class Kept:
    """A form of ours: where it was sent to, and its fields."""

    action: str
    fields: Mapping[str, str]

    @property
    def hidden(self) -> dict[str, str]:
        """The fields that carry it through another form."""
        return {_ACTION: self.action} | {f"{_FIELD}{name}": value for name, value in self.fields.items()}

    @property
    def written(self) -> list[str]:
        """What its reader wrote, to be shown."""
        return [value for name, value in self.fields.items() if value and name not in _OURS]


def keep(action: str, form: Mapping[str, str]) -> Kept:
    """Keep ``form``, which was sent to ``action``, without its token (that is over) and passwords."""
    return Kept(action, {name: value for name, value in form.items() if name not in _NOT_KEPT})


def kept_in(form: Mapping[str, str]) -> Kept | None:
    """What ``form`` carries through, if anything."""
    action = form.get(_ACTION, "")
    if not action.startswith("/") or action.startswith("//") or "\\" in action:
        return None
    fields = {name.removeprefix(_FIELD): value for name, value in form.items() if name.startswith(_FIELD)}
    return Kept(action, fields)
