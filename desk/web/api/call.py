"""One call of the API, as the routes and the OpenAPI document are both made from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel
from starlette.responses import Response

from desk.access.roles import Role
from desk.web.access.guard import Visit


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter: its name, JSON type, and what it is for."""

    name: str
    type: str
    about: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API: what the routes and the OpenAPI document are both made from."""

    method: str
    path: str
    name: str
    about: str
    role: Role
    handler: Callable[[Visit], Response]
    gives: type[BaseModel]
    many: bool = False
    takes: type[BaseModel] | None = None
    status: int = 200
    parameters: Sequence[Parameter] = field(default_factory=tuple)
