"""The API as an application of FastAPI, and the OpenAPI 3.1 document that FastAPI makes of its calls."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from desk.access.roles import Role
from desk.service.desk import Desk
from desk.service.on_call import OnCallBook
from desk.service.rationalisation import RationalisationList
from desk.service.work_orders import WorkOrders
from desk.web.access.guard import AccessGuard
from desk.web.api import calls, order_calls, rationalisation_calls
from desk.web.api.guarded import PREFIX, Guarded, with_problems
from desk.web.api.models import ProblemOut

ABOUT = """Alarms of machines that are about to fail, for a maintenance system (CMMS) and other programs.

**Work orders.** The desk has its own: follow them (`GET /orders`, or a signed webhook), move them on as work
goes on (`POST /orders/{id}/start`, `/finish`, …) and keep your number on them (`PUT /orders/{id}/link`). A
system that makes its own orders asks `GET /alarms?priority=high` (or follows `GET /journal?after=…`), tells
the desk with `PUT /alarms/{id}/work-order`, and when the work is done says what was found with
`POST /alarms/{id}/close`, from which the models learn.

**Keys** are made by the desk's administrator, with a role and the tenants or areas that they reach. What lies
outside looks as if it did not exist (404). Times are RFC 3339. Errors are `application/problem+json`.
"""
ROUTERS = (*calls.ROUTERS, *order_calls.ROUTERS, *rationalisation_calls.ROUTERS)
_PROBLEM = {"application/problem+json": {"schema": {"$ref": f"#/components/schemas/{ProblemOut.__name__}"}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"description": "no key, or one that is not known", "content": _PROBLEM},
    403: {"description": "the key's role does not allow it", "content": _PROBLEM},
    404: {"description": "not there, or out of the key's reach", "content": _PROBLEM},
    409: {
        "description": "not possible in the alarm's present state; `code` and `detail` say why",
        "content": _PROBLEM,
    },
    422: {"description": "the call is not formed as described here", "content": _PROBLEM},
    429: {"description": "too many calls; `Retry-After` says for how long to wait", "content": _PROBLEM},
}


def make_api(
    guard: AccessGuard, desk: Desk, orders: WorkOrders, book: OnCallBook, records: RationalisationList
) -> FastAPI:
    """The API over ``desk``, to be mounted at `PREFIX`."""
    api = FastAPI(
        title="Yeji alarm desk",
        version=version("yeji"),
        description=ABOUT,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=False,  # programs that send JSON without saying so are understood
        responses=PROBLEMS,
    )
    api.state.guard, api.state.shown = guard, calls.Shown(desk, orders, book, records)
    for router in ROUTERS:
        api.include_router(router)
    with_problems(api, [call for router in ROUTERS for call in router.routes])
    described: dict[str, Any] = {}

    def document() -> dict[str, Any]:
        if not described:
            described.update(_document(api, f"{desk.settings.desk.url}{PREFIX}"))
        return described

    # As FastAPI's own documentation extends its document.
    api.openapi = document  # type: ignore[method-assign]
    return api


def _document(api: FastAPI, url: str) -> dict[str, Any]:
    made = get_openapi(
        title=api.title,
        version=api.version,
        description=api.description,
        routes=api.routes,
        servers=[{"url": url}],
    )
    parts = made["components"]
    parts["schemas"][ProblemOut.__name__] = ProblemOut.model_json_schema(
        ref_template="#/components/schemas/{model}"
    )
    parts["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "an API key, yeji_…"}
    }
    made["security"] = [{"key": []}]
    for route in (one for router in ROUTERS for one in router.routes):
        if isinstance(route, Guarded) and route.least > Role.VIEWER:
            for method in route.methods or ():
                operation = made["paths"][route.path_format][method.lower()]
                operation["description"] += f"\n\nNeeds the role {route.least.key}."
    return made
