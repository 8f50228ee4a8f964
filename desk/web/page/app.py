"""The local page's routes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from connectors.base.history import History, HistoryUnavailableError
from desk.rules.standing import of_alarms
from desk.settings.whole import SettingsWithDesk
from desk.texts.catalogue import languages
from desk.web.kit.live import Changes
from desk.web.kit.render import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, Renderer
from desk.web.kit.security import (
    BodyLimit,
    KnownHosts,
    SecurityHeaders,
    local_address,
    own_names,
    packed,
)
from desk.web.page.machine import MachinePage, recent_alarms
from desk.web.page.views import choose, fleet_view, judge

STATIC = Path(__file__).parents[1] / "kit" / "static"
#: This many machines are drawn unless all are asked for: the worst.
FLEET_SHOWN = 120
PAST_STEP = 50
NAVIGATION = (("/", "fleet"), ("/alarms", "alarms"), ("/rejected", "rejected"))
_YEAR = 31_536_000


class Page:
    """Answers the local page's requests from ``history``."""

    def __init__(self, history: History, settings: SettingsWithDesk) -> None:
        self.history = history
        self.settings = settings
        self.changes = Changes(history.version)
        self.render = Renderer(settings, language=settings.page.language, navigation=NAVIGATION)
        self.machine = MachinePage(history, settings, self.render)

    def app(self) -> Starlette:
        """The web application."""
        return Starlette(
            routes=[
                Route("/", self._page(self.fleet)),
                Route("/machines/{machine:path}", self._page(self.machine.page)),
                Route("/api/series", self.machine.charts.series),
                Route("/api/series.csv", self.machine.charts.table),
                Route("/api/usual", self.machine.charts.usual),
                Route("/api/sisters", self.machine.charts.sisters),
                Route("/alarms", self._page(self.alarms)),
                Route("/alarms/{id}", self.alarm),
                Route("/rejected", self._page(self.rejected)),
                Route("/preferences", preferences, methods=["POST"]),
                Route("/live", self.live),
                Route("/healthz", self.healthz),
                Mount("/static", packed(StaticFiles(directory=STATIC))),
            ],
            middleware=[
                Middleware(SecurityHeaders),
                Middleware(BodyLimit),
                Middleware(KnownHosts, names=own_names([*self.settings.page.hosts, self.settings.page.host])),
            ],
            exception_handlers={
                HTTPException: self.wrong,
                HistoryUnavailableError: self.unavailable,
            },
        )

    def _page(self, handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
        """A page that knows what it shows, so that what comes while it is on its way is not missed."""

        def endpoint(request: Request) -> Response:
            request.state.seen = str(self.history.version())
            return handler(request)

        return endpoint

    def fleet(self, request: Request) -> Response:
        """Every machine, the worst first."""
        known = self.history.fleet()
        often = self.settings.desk.repeat
        latest = max((one.last for one in known), default=0)
        machines = judge(known, of_alarms(recent_alarms(self.history, latest), often), often)
        query = request.query_params.get("q", "")
        most = len(machines) if "all" in request.query_params else FLEET_SHOWN
        language = self.render.language(request)
        shown, found = choose(machines, query, most, lambda machine: self.settings.name_of(machine, language))
        trends = self.history.trends([one.now.machine for one in shown])
        return self.render.html(
            request, "fleet.html", fleet=fleet_view(machines, shown, found, trends), query=query
        )

    def alarms(self, request: Request) -> Response:
        """Open and past alarms."""
        past = whole(request.query_params.get("past"), PAST_STEP, most=5000)
        return self.render.html(
            request,
            "alarms.html",
            open=self.history.alarms(open=True, limit=1000),
            past=self.history.alarms(open=False, limit=past),
            asked=past,
            step=PAST_STEP,
        )

    def alarm(self, request: Request) -> Response:
        """One alarm: its machine's page around it."""
        alarm = self.history.alarm(request.path_params["id"])
        if alarm is None:
            raise HTTPException(404)
        return RedirectResponse(f"/machines/{quote(alarm.event.machine)}?alarm={quote(alarm.event.id)}", 303)

    def rejected(self, request: Request) -> Response:
        """Rejected input: how often for which reason, and the latest."""
        return self.render.html(
            request,
            "rejected.html",
            counts=self.history.rejection_counts(),
            rejections=self.history.rejections(100),
        )

    async def live(self, request: Request) -> Response:
        """Server-sent events: something is new."""
        return self.changes.response(seen=request.query_params.get("seen", ""))

    def healthz(self, request: Request) -> Response:
        """Whether the store can be read: for a container's health check."""
        self.history.version()
        return JSONResponse({"status": "ok"})

    def wrong(self, request: Request, error: Exception) -> Response:
        """A page for what went wrong."""
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
        return self.render.html(
            request,
            "wrong.html",
            status=error.status_code,
            title="not.found",
            text="not.found.how",
            detail="",
        )

    def unavailable(self, request: Request, error: Exception) -> Response:
        """A page for a store that cannot be read."""
        return self.render.html(
            request, "wrong.html", status=503, title="unavailable", text="", detail=str(error)
        )


async def preferences(request: Request) -> Response:
    """Keep the reader's language and appearance, and go back to where they were."""
    form = await request.form()
    answer = RedirectResponse(local_address(str(form.get("back", "/"))), 303)
    for field, cookie, allowed in (
        ("language", LANGUAGE_COOKIE, languages()),
        ("theme", THEME_COOKIE, THEMES),
    ):
        if form.get(field) in allowed:
            answer.set_cookie(cookie, str(form[field]), max_age=_YEAR, httponly=True, samesite="strict")
    return answer


def whole(text: str | None, otherwise: int, *, most: int) -> int:
    """A whole number of 0 .. ``most`` from a query; ``otherwise`` when it is none.

    >>> whole("12", 5, most=10), whole("x", 5, most=10), whole(None, 5, most=10)
    (10, 5, 5)
    """
    return min(int(text), most) if text and text.isascii() and text.isdigit() else otherwise
