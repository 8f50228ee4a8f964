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
from desk.access.attempts import Attempts
from desk.access.on_call import OnCallAccess
from desk.access.passkeys import Passkeys
from desk.access.pending import Pending
from desk.access.second_factor import SecondFactors
from desk.access.sessions import Sessions
from desk.access.store import AccessStore
from desk.notify.push import Phones, PushSender
from desk.notify.push_message import Vapid
from desk.service.attachments import MOST_PHOTO
from desk.service.desk import Desk
from desk.service.on_call import OnCallBook
from desk.service.rationalisation import RationalisationList
from desk.service.work_orders import WorkOrders
from desk.settings.whole import SettingsWithDesk
from desk.training.practice import Training
from desk.web.access.guard import AccessGuard
from desk.web.access.oidc import OidcSignIn
from desk.web.access.own_account import OwnAccount
from desk.web.access.sign_in import SignIn
from desk.web.api.app import make_api
from desk.web.api.guarded import PREFIX
from desk.web.kit.render import Renderer
from desk.web.kit.security import HEADERS, BodyLimit, KnownHosts, SecurityHeaders, own_names, packed
from desk.web.page.app import STATIC, preferences
from desk.web.pages.advice import AdvicePages
from desk.web.pages.alarms import AlarmPages
from desk.web.pages.hall import HallPages
from desk.web.pages.live_updates import LiveUpdates
from desk.web.pages.machines import MachinePages
from desk.web.pages.on_call import OnCallPages
from desk.web.pages.orders import OrderPages
from desk.web.pages.people import PeoplePages
from desk.web.pages.phone import PhonePages
from desk.web.pages.rationalisation import RationalisationPages
from desk.web.pages.reports import ReportPages
from desk.web.pages.training import TrainingPages
from desk.web.pages.work import WorkPages

OWN_STATIC = Path(__file__).parent / "pages" / "static"


@dataclass(frozen=True, slots=True)
class DeskWeb:
    """The desk's web application over ``desk``, ``store`` (accounts) and ``history`` (readings, if any)."""

    app: Starlette
    live_updates: LiveUpdates
    accounts: Accounts
    sessions: Sessions
    guard: AccessGuard
    training: Training
    phones: Phones
    push: PushSender


def make_web(desk: Desk, store: AccessStore, history: History | None) -> DeskWeb:
    """Put it together; nothing runs yet."""
    settings = desk.settings.desk
    secure = settings.url.startswith("https://")
    accounts = Accounts(store, settings.access, desk.clock, desk.record)
    sessions = Sessions(store, accounts, settings.access)
    phones = Phones(desk.settings.data / "desk-phones.sqlite")
    vapid = Vapid(
        desk.settings.data / "desk-push-key.pem", settings.url if secure else "mailto:yeji@localhost"
    )
    training = Training(desk.settings.data / "training", desk.settings, desk.clock)

    def guard_of(shown: SettingsWithDesk) -> AccessGuard:
        render = Renderer(
            shown,
            language=settings.language,
            navigation=[],
            loaders=[PackageLoader("desk.web.pages")],
            zone=settings.timezone,  # as in forms and messages
            more={"advise": desk.advice.advise, "mode_titles": desk.advice.advisor.titles},
        )
        return AccessGuard(
            accounts,
            sessions,
            render,
            secure=secure,
            seen=lambda: str(desk.head()),
            calls=settings.access.calls,
        )

    guard = guard_of(desk.settings)
    orders, book, records = WorkOrders(desk), OnCallBook(desk), RationalisationList(desk)
    people = OnCallAccess(store, accounts)
    desk.addresses = people.addresses
    factors = SecondFactors(store, desk.clock)
    live_updates = LiveUpdates(desk)
    store.move_work_orders(desk.adopt_work_orders)
    oidc = settings.access.oidc
    sign_in = SignIn(
        guard,
        Attempts(store, accounts, settings.access),
        factors,
        Passkeys(store, accounts, settings.url, desk.clock),
        Pending(store, accounts),
        oidc=oidc.name if oidc else None,
        longest=settings.access.longest,
    )

    async def live(request: Request) -> Response:
        session = await guard.session(request)
        if session is None:
            return Response("Sign in first.\n", 401)
        return live_updates.response(session.account.scope, request.query_params.get("seen", ""))

    def healthz(request: Request) -> Response:
        desk.head()  # the store can be read; how much is in it is nothing for whoever has not signed in
        return JSONResponse({"status": "ok"})

    routes: list[BaseRoute] = [
        *AlarmPages(guard, desk, orders, records, history).routes(),
        *RationalisationPages(guard, desk, records).routes(),
        *OrderPages(guard, desk, orders).routes(),
        *OnCallPages(guard, book, people, settings.url).routes(),
        *AdvicePages(guard, desk).routes(),
        *MachinePages(guard, desk, history).routes(),
        *PhonePages(guard, phones, vapid, settings.push_hosts).routes(),
        *HallPages(guard, desk, history).routes(),
        *WorkPages(guard, desk, history).routes(),
        *ReportPages(guard, desk, records).routes(),
        # The practice plant's sensors have names of their own.
        *TrainingPages(guard_of(training.settings), training, settings.timezone).routes(),
        *PeoplePages(guard, factors, settings.url).routes(),
        *sign_in.routes(),
        *OwnAccount(guard, sign_in).routes(),
        *(OidcSignIn(oidc, settings.url, sign_in).routes() if oidc else ()),
        Mount(PREFIX, make_api(guard, desk, orders, book, records), name="api"),
        Route("/live", live, name="live"),
        Route("/healthz", healthz, name="public healthz"),
        Route("/preferences", preferences, methods=["POST"], name="public preferences"),
        Mount("/static/desk", packed(StaticFiles(directory=OWN_STATIC)), name="public desk static"),
        Mount("/static", packed(StaticFiles(directory=STATIC)), name="public static"),
    ]
    return DeskWeb(
        _application(routes, guard, _names(settings.url, settings.access.hosts), secure),
        live_updates,
        accounts,
        sessions,
        guard,
        training,
        phones,
        PushSender(desk, accounts, phones, vapid),
    )


def _names(url: str, more: Sequence[str]) -> set[str]:
    return own_names([urlsplit(url).hostname or "", *more])


def _application(routes: Sequence[BaseRoute], guard: AccessGuard, names: set[str], secure: bool) -> Starlette:
    # A voice note is recorded on the alarm's page, and nowhere else.
    more = {"Permissions-Policy": HEADERS["Permissions-Policy"].replace("microphone=()", "microphone=(self)")}
    strict = more | {"Strict-Transport-Security": "max-age=31536000"} if secure else more
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(SecurityHeaders, more=strict),
            # A photo as a phone takes it; forms stay small.
            Middleware(BodyLimit, larger={"/attach": MOST_PHOTO + 100_000}),
            Middleware(KnownHosts, names=names, setting="desk.access.hosts"),
        ],
        exception_handlers={HTTPException: guard.wrong},
    )
