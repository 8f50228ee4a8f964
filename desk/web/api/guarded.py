"""Calls of the API by role: who calls is asked before anything of the call is read; errors are problems."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from connectors.base.history import HistoryUnavailableError
from connectors.sqlite.files import StoreError
from desk.access.roles import Role
from desk.rules.desk import RefusedError
from desk.service.desk import NotFoundError
from desk.texts.catalogue import ENGLISH, Texts
from desk.web.access.guard import AccessGuard, Visit, problem

PREFIX = "/api/v1"


class Guarded(APIRoute):
    """A call that needs the role ``least``: by key, or (to read) by somebody signed in."""

    least = Role.VIEWER

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The call, after it was asked who calls."""
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            guard: AccessGuard = request.app.state.guard
            account = await guard.caller(request, reading=request.method == "GET")
            if account is None:
                headers = {"WWW-Authenticate": 'Bearer realm="yeji"'}
                return problem(401, "Send an API key: Authorization: Bearer yeji_…", headers)
            if wait := guard.limit.wait(f"{'key' if account.key else 'person'}:{account.id}"):
                said = f"Too many calls; go on in {wait} s (desk.access.calls)."
                return problem(429, said, {"Retry-After": str(wait)})
            if account.role < self.least:
                return problem(403, f"This needs the role {self.least.key}; the key has {account.role.key}.")
            request.state.visit = Visit(request, account)
            answer = await handler(request)
            answer.headers["Cache-Control"] = "no-store"
            return answer

        return guarded


class ForCrew(Guarded):
    """A call that needs the role crew."""

    least = Role.CREW


class ForEngineers(Guarded):
    """A call that needs the role engineer."""

    least = Role.ENGINEER


def visit(request: Request) -> Visit:
    """Who calls."""
    return cast(Visit, request.state.visit)


def with_problems(api: FastAPI, calls: Sequence[BaseRoute]) -> None:
    """Answer every error of ``api``, whose own calls are ``calls``, as a problem (RFC 9457)."""

    def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)  # noqa: S101 - it is registered for these
        words = Texts(ENGLISH).refused(error)
        return problem(409, words, code=error.cause.code, values=error.cause.values)

    def malformed(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        return problem(422, "; ".join(_line(one) for one in error.errors()))

    def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        if error.status_code == 400:  # a body that is no text at all
            return problem(422, f"body: {error.detail}")
        headers = {"Allow": _allowed(calls, request)} if error.status_code == 405 else None
        return problem(error.status_code, f"There is no such call; see {PREFIX}/openapi.json.", headers)

    api.add_exception_handler(RefusedError, refused)
    api.add_exception_handler(RequestValidationError, malformed)
    api.add_exception_handler(HTTPException, unknown)
    api.add_exception_handler(NotFoundError, lambda _, error: problem(404, str(error)))
    for kind in (HistoryUnavailableError, StoreError):
        api.add_exception_handler(kind, lambda _, error: problem(503, str(error)))


def _allowed(calls: Sequence[BaseRoute], request: Request) -> str:
    """The methods that an address has, over all calls of that address; GET of what is no call of ours."""
    routes = [call for call in calls if isinstance(call, Route)]
    found = {
        method
        for route in routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    return ", ".join(sorted(found or {"GET"}))


def _line(error: dict[str, Any]) -> str:
    """What is wrong with one field: its name, without where it was looked for, and why."""
    where, *names = error["loc"]
    return f"{'.'.join(map(str, names)) or where}: {error['msg']}"
