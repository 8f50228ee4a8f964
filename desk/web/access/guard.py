"""The desk's gate: who asks, whether they may, and whether a form is theirs. Every route goes through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from connectors.base.history import HistoryUnavailableError
from connectors.sqlite.files import StoreError
from desk.access.accounts import AccessError, Accounts
from desk.access.roles import Account, Role
from desk.access.sessions import Session, Sessions
from desk.rules.desk import RefusedError
from desk.rules.scope import Scope
from desk.service.desk import NotFoundError
from desk.web.access.kept import Kept, keep
from desk.web.access.limits import CallLimit
from desk.web.kit.render import Renderer
from desk.web.kit.security import local_address

#: (path, key of the text, least role)
NAVIGATION: tuple[tuple[str, str, Role], ...] = (
    ("/", "desk", Role.VIEWER),
    ("/fleet", "fleet", Role.VIEWER),
    ("/orders", "orders", Role.VIEWER),
    ("/on-call", "on.call", Role.VIEWER),
    ("/windows", "work", Role.VIEWER),
    ("/report", "report", Role.VIEWER),
    ("/advice", "catalogue", Role.VIEWER),
    ("/kpis", "kpis", Role.VIEWER),
    ("/training", "training", Role.VIEWER),
    ("/journal", "journal", Role.ENGINEER),
    ("/people", "people", Role.ADMIN),
)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request by somebody who may make it."""

    request: Request
    account: Account
    csrf: str = ""
    form: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    session: Session | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """The network address that it came from."""
        return self.request.client.host if self.request.client else ""

    @property
    def scope(self) -> Scope:
        """The machines that they may see and act on."""
        return self.account.scope

    @property
    def by(self) -> str:
        """Whose name stands in the journal; a program can never be taken for a person."""
        return f"api:{self.account.name}" if self.account.key else self.account.name


Handler = Callable[[Visit], Response]
#: A body of more bytes is not read of somebody who is not signed in.
KEPT_BYTES = 1_000_000


class AccessGuard:
    """Makes routes that let in whom they are for."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        render: Renderer,
        *,
        secure: bool,
        seen: Callable[[], str],
        calls: int = 600,
    ) -> None:
        """``secure``: people reach us over TLS; ``seen``: what a page shows that is made now.

        ``calls`` a minute may be made to the API by each key or person.
        """
        self.limit = CallLimit(calls)
        self.accounts, self.sessions, self.render = accounts, sessions, render
        self.secure, self.seen = secure, seen
        self.cookie = self.cookie_name("yeji-desk")
        self.note_cookie = self.cookie_name("yeji-note")
        self.signed_out = "/sign-in"
        #: what the sign-in page offers; set by `SignIn`
        self.entrance: dict[str, Any] = {"oidc": None, "passkeys": False}

    def cookie_name(self, name: str) -> str:
        """``name`` as it is used: the prefix lets a browser take it from this host over TLS alone."""
        return f"__Host-{name}" if self.secure else name

    # -- routes

    def page(self, path: str, handler: Handler, role: Role = Role.VIEWER) -> Route:
        """A page to look at."""

        async def endpoint(request: Request) -> Response:
            session = await self.session(request)
            if session is None:
                return self._to_sign_in(request)
            request.state.seen = await run_in_threadpool(self.seen)
            visit = Visit(request, session.account, session.csrf, session=session)
            return await self._answer(visit, handler, role)

        return Route(path, endpoint, methods=["GET"], name=f"page {path} {role.key}")

    def act(self, path: str, handler: Handler, role: Role = Role.CREW, *, fresh: bool = False) -> Route:
        """A form that changes something; the handler's answer, or a note and the page that it came from.

        ``fresh``: only somebody who proved a short while ago who they are may send it; others are asked to,
        and then it goes on. A form is never lost: it is kept while somebody signs in again.
        """

        async def endpoint(request: Request) -> Response:
            session = await self.session(request)
            if session is None and _length(request) > KEPT_BYTES:
                return self._to_sign_in(request)  # a photo is read of whom we know
            sent = await request.form()
            form = texts_of(sent)
            ours = same_origin(request)
            if session is None:
                return self._to_sign_in(request, keep(request.url.path, form) if ours else None)
            files = {name: await one.read() for name, one in sent.items() if isinstance(one, UploadFile)}
            visit = Visit(request, session.account, session.csrf, form, session=session, files=files)
            if not ours:
                return self._wrong(request, 403, "forbidden", "form.stale", session)
            if not session.vouches(form.get("csrf", "")):
                return self.again(visit, keep(request.url.path, form), status=403)
            if fresh and not session.fresh and visit.account.role >= role:
                return self.show(visit, "access/prove.html", kept=keep(request.url.path, form), wrong="")
            return await self._answer(visit, handler, role)

        return Route(path, endpoint, methods=["POST"], name=f"act {path} {role.key}")

    # -- who

    async def session(self, request: Request) -> Session | None:
        """Who is signed in."""
        token = request.cookies.get(self.cookie)
        return await run_in_threadpool(self.sessions.find, token) if token else None

    async def caller(self, request: Request, *, reading: bool) -> Account | None:
        """The program whose key came along, or (to read) who is signed in."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token:
            return await run_in_threadpool(self.accounts.by_key, token.strip())
        session = await self.session(request) if reading and not kind else None
        return session.account if session else None

    def _to_sign_in(self, request: Request, kept: Kept | None = None) -> Response:
        address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if kept is not None:  # shown in place of the page, so that nothing of the form is lost
            back = local_address(kept.fields.get("back", "/"))
            status = 200 if request.headers.get("hx-request") else 401  # htmx shows no page of an error
            return self.public(
                request,
                "access/sign_in.html",
                status=status,
                back=back,
                wrong="",
                name="",
                kept=kept,
                **self.entrance,
            )
        if request.headers.get("hx-request"):  # a page that updates itself: its script knows what is begun
            return Response(
                status_code=204, headers={"HX-Trigger": "signed-out", "Cache-Control": "no-store"}
            )
        place = f"{self.signed_out}?back={quote(address if request.method == 'GET' else '/', safe='')}"
        return RedirectResponse(place, 303)

    def again(self, visit: Visit, kept: Kept, status: int = 200) -> Response:
        """The form that was kept, to be sent with one more tap by whom it is now."""
        return self.show(visit, "access/again.html", status=status, kept=kept)

    async def _answer(self, visit: Visit, handler: Handler, role: Role) -> Response:
        request = visit.request
        if visit.account.role < role:
            return self._wrong(request, 403, "forbidden", "forbidden.how", visit, role=role)
        try:
            return await run_in_threadpool(handler, visit)
        except NotFoundError:
            return self._wrong(request, 404, "not.found", "not.found.how", visit)
        except RefusedError as error:
            return self.back(visit, "refused", why=self.render.texts(request).refused(error))
        except AccessError as error:
            return self.back(visit, error.key)
        except (HistoryUnavailableError, StoreError) as error:
            return self._wrong(request, 503, "unavailable", "", visit, detail=str(error))

    # -- answers

    def show(self, visit: Visit, template: str, *, status: int = 200, **values: object) -> Response:
        """A page for ``visit``, with what was noted for it."""
        note = unquote(visit.request.cookies.get(self.note_cookie, ""))
        refused = note.startswith("!")
        answer = self.render.html(
            visit.request,
            template,
            status=status,
            navigation=[(path, key) for path, key, role in NAVIGATION if visit.account.role >= role],
            account=visit.account,
            csrf=visit.csrf,
            note=note.removeprefix("!"),
            refused=refused,
            Role=Role,
            **values,
        )
        if note:
            answer.delete_cookie(self.note_cookie, secure=self.secure)
        return answer

    def public(self, request: Request, template: str, *, status: int = 200, **values: object) -> Response:
        """A page for nobody in particular."""
        return self.render.html(
            request,
            template,
            status=status,
            navigation=[],
            account=None,
            csrf="",
            refused=False,
            **({"note": ""} | values),
        )

    def back(self, visit: Visit, key: str, **values: object) -> Response:
        """To the page that a form came from, with a note."""
        words = ("" if key.startswith("done.") or key == "account.done" else "!") + self.render.texts(
            visit.request
        )(key, **values)
        answer = RedirectResponse(local_address(visit.form.get("back", "/")), 303)
        answer.set_cookie(
            self.note_cookie,
            quote(words),
            max_age=20,
            httponly=True,
            secure=self.secure,
            samesite="strict",
        )
        return answer

    def _wrong(
        self,
        request: Request,
        status: int,
        title: str,
        text: str,
        who: Visit | Session,
        *,
        role: Role | None = None,
        detail: str = "",
    ) -> Response:
        t = self.render.texts(request)
        words = detail
        if text:
            words = t(text, role=t(f"role.{role.key}")) if role else t(text)
        visit = who if isinstance(who, Visit) else Visit(request, who.account, who.csrf)
        return self.show(visit, "wrong.html", status=status, title=title, text="", detail=words)

    def wrong(self, request: Request, error: Exception) -> Response:
        """Answer an address that does not exist (404), and errors of requests."""
        status = getattr(error, "status_code", 500)
        if request.url.path.startswith("/api/"):
            return problem(status, "There is no such call; see /api/v1/openapi.json.")
        return self.public(
            request, "wrong.html", status=status, title="not.found", text="not.found.how", detail=""
        )


def texts_of(form: FormData) -> dict[str, str]:
    """The fields of a form that are no files."""
    return {name: value for name, value in form.items() if isinstance(value, str)}


def same_origin(request: Request) -> bool:
    """Whether the browser says that a form stood on our own page; a client that says nothing is believed.

    What it says cannot be made up by a foreign page. The form's token is the proof; this is the belt.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object
) -> JSONResponse:
    """An error of the API (RFC 9457); ``more`` members for programs, as the code of a refusal."""
    body = {"type": "about:blank", "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers=dict(headers or {}), media_type="application/problem+json")


def _length(request: Request) -> int:
    """How long a body is said to be; one that does not say is as long as it may be."""
    told = request.headers.get("content-length", "")
    return int(told) if told.isdecimal() and len(told) < 12 else KEPT_BYTES + 1
