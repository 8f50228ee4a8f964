"""The OpenAPI 3.1 document of the desk's API, made from its calls and models."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from desk.access.roles import Role
from desk.web.api.call import Call
from desk.web.api.models import ProblemOut

ABOUT = """Alarms of machines that are about to fail, for a maintenance system (CMMS) and other programs.

**Work orders.** Ask `GET /alarms?priority=high` (or follow `GET /journal?after=…`) and make a work order of
each alarm that needs one: `machine`, `likely_modes`, `contributions` and `link` say what to look at. Tell the
desk with `PUT /alarms/{id}/work-order`; when the work is done, say what was found with
`POST /alarms/{id}/close`, from which the models learn.

**Keys** are made by the desk's administrator, with a role and the tenants or areas that they reach. What lies
outside looks as if it did not exist (404). Times are RFC 3339. Errors are `application/problem+json`.
"""
_PROBLEMS = {
    "401": "no key, or one that is not known",
    "403": "the key's role does not allow it",
    "404": "not there, or out of the key's reach",
    "409": "not possible in the alarm's present state; `detail` says why",
    "422": "the call is not formed as described here",
}


def document(calls: Iterable[Call], url: str, prefix: str) -> dict[str, Any]:
    """The whole document."""
    calls = list(calls)
    taken = dict.fromkeys(call.takes for call in calls if call.takes is not None)
    takes: list[tuple[type[BaseModel], Any]] = [(kind, "validation") for kind in taken]
    given: list[type[BaseModel]] = [*(call.gives for call in calls), ProblemOut]
    gives: list[tuple[type[BaseModel], Any]] = [(kind, "serialization") for kind in dict.fromkeys(given)]
    _, schemas = models_json_schema([*takes, *gives], ref_template="#/components/schemas/{model}")
    paths: dict[str, dict[str, Any]] = {}
    for call in calls:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Yeji alarm desk", "version": version("yeji"), "description": ABOUT},
        "servers": [{"url": f"{url}{prefix}"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "an API key, yeji_…"}
            },
        },
    }


def _operation(call: Call) -> dict[str, Any]:
    given: dict[str, Any] = {"$ref": f"#/components/schemas/{call.gives.__name__}"}
    if call.many:
        given = {
            "type": "object",
            "required": ["items"],
            "properties": {"items": {"type": "array", "items": given}},
        }
    answers: dict[str, Any] = {
        str(call.status): {"description": "done", "content": {"application/json": {"schema": given}}}
    }
    problem = {"$ref": f"#/components/schemas/{ProblemOut.__name__}"}
    for status, why in _PROBLEMS.items():
        content = {"application/problem+json": {"schema": problem}}
        answers[status] = {"description": why, "content": content}
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", call.path)
    ]
    parameters += [
        {
            "name": one.name,
            "in": "query",
            "required": one.required,
            "description": one.about,
            "schema": {"type": one.type},
        }
        for one in call.parameters
    ]
    made: dict[str, Any] = {
        "operationId": call.name,
        "summary": call.about,
        "description": f"Needs the role {call.role.key}." if call.role > Role.VIEWER else "",
        "parameters": parameters,
        "responses": answers,
    }
    if call.takes:
        reference = {"$ref": f"#/components/schemas/{call.takes.__name__}"}
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": reference}}}
    return made
