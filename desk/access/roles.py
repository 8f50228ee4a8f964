"""Who somebody is to the desk: an account with a role and the places it reaches."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from desk.rules.scope import EVERYTHING, Scope

#: As a place: all tenants. Only an administrator may have it.
ALL = "*"


class Role(IntEnum):
    """What one may do; each may do what the ones before may."""

    VIEWER = 1  # look
    CREW = 2  # acknowledge, take, shelve, comment, close
    ENGINEER = 3  # plan work, take out of service, read the journal
    ADMIN = 4  # accounts and API keys

    @property
    def key(self) -> str:
        """Its name in the database, the API and the texts."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody who may sign in, or (``key``) a program that uses the API.

    ``places`` are tenants or areas; `ALL` for every one. ``external`` accounts sign in by OIDC alone.
    """

    id: int
    name: str
    shown: str
    role: Role
    places: tuple[str, ...]
    external: bool = False
    disabled: bool = False
    key: bool = False

    @property
    def scope(self) -> Scope:
        """The machines that it may see and act on."""
        return EVERYTHING if ALL in self.places else Scope.of(*self.places)

    def may_manage(self, places: tuple[str, ...], role: Role) -> bool:
        """Whether an administrator may give out ``places`` and ``role``: never more than their own."""
        if self.role is not Role.ADMIN:
            return False
        if ALL in places:
            return ALL in self.places and role is Role.ADMIN
        return bool(places) and all(self.scope.allows(place) for place in places)
