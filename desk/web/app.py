"""The desk's web application, put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import PackageLoader
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from connectors.base.history import History
from desk.access.accounts import Accounts
from desk.access.oidc import OidcSignIn
from desk.access.sessions import Sessions
from desk.access.store import AccessStore
from desk.service.desk import Desk
from desk.web.access.entrance import Entrance
from desk.web.access.gate import Gate
from desk.web.api.calls import Api
from desk.web.kit.render import Renderer
from desk.web.kit.security import BodyLimit, KnownHosts, SecurityHeaders, own_names
from desk.web.page.app import STATIC, preferences
from desk.web.pages.alarms import AlarmPages
from desk.web.pages.machines import MachinePages
from desk.web.pages.news import News
from desk.web.pages.people import PeoplePages
from desk.web.pages.reports import ReportPages
from desk.web.pages.texts import TEXTS
from desk.web.pages.work import WorkPages
from desk.web.pages.work_orders import WorkOrders

OWN_STATIC = Path(__file__).parent / "pages" / "static"


@dataclass(frozen=True, slots=True)
class DeskWeb:
    """The desk's web application over ``desk``, ``store`` (accounts) and ``history`` (readings, if any)."""

    app: Starlette
    news: News
    accounts: Accounts
    sessions: Sessions
    gate: Gate


def make_web(desk: Desk, store: AccessStore, history: History | None) -> DeskWeb:
    """Put it together; nothing runs yet."""
    settings = desk.settings.desk
    secure = settings.url.startswith("https://")
    accounts = Accounts(store, settings.access, desk.clock)
    sessions = Sessions(store, accounts, settings.access)
    render = Renderer(
        desk.settings,
        language=settings.language,
        navigation=[],
        loaders=[PackageLoader("desk.web.pages")],
        texts=[TEXTS],
        zone=settings.timezone,  # as in forms and messages
    )
    gate = Gate(accounts, sessions, render, secure=secure, seen=lambda: str(desk.head()))
    news = News(desk)
    orders = WorkOrders(store, desk.clock)
    oidc = settings.access.oidc
    entrance = Entrance(gate, oidc=oidc.name if oidc else None, longest=settings.access.longest)

    async def live(request: Request) -> Response:
        session = await gate.session(request)
        if session is None:
            return Response("Sign in first.\n", 401)
        return news.response(session.account.scope, request.query_params.get("seen", ""))

    def healthz(request: Request) -> Response:
        desk.head()  # the store can be read; how much is in it is nothing for whoever has not signed in
        return JSONResponse({"status": "ok"})

    routes: list[BaseRoute] = [
        *AlarmPages(gate, desk, orders).routes(),
        *MachinePages(gate, desk, history).routes(),
        *WorkPages(gate, desk, history).routes(),
        *ReportPages(gate, desk).routes(),
        *PeoplePages(gate, settings.url).routes(),
        *entrance.routes(),
        *(OidcSignIn(oidc, settings.url, entrance).routes() if oidc else ()),
        *Api(gate, desk, orders).routes(),
        Route("/live", live, name="live"),
        Route("/healthz", healthz, name="public healthz"),
        Route("/preferences", preferences, methods=["POST"], name="public preferences"),
        Mount("/static/desk", StaticFiles(directory=OWN_STATIC), name="public desk static"),
        Mount("/static", StaticFiles(directory=STATIC), name="public static"),
    ]
    return DeskWeb(
        _application(routes, gate, _names(settings.url, settings.access.hosts), secure),
        news,
        accounts,
        sessions,
        gate,
    )


def _names(url: str, more: Sequence[str]) -> set[str]:
    return own_names([urlsplit(url).hostname or "", *more])


def _application(routes: Sequence[BaseRoute], gate: Gate, names: set[str], secure: bool) -> Starlette:
    strict = {"Strict-Transport-Security": "max-age=31536000"} if secure else {}
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(SecurityHeaders, more=strict),
            Middleware(BodyLimit),
            Middleware(KnownHosts, names=names),
        ],
        exception_handlers={HTTPException: gate.wrong},
    )
