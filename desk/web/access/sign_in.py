"""The way in and out: sign-in with its second step, one-time links, and proving again who one is."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from desk.access.accounts import AccessError
from desk.access.attempts import Attempts
from desk.access.passkeys import Passkeys
from desk.access.pending import Pending
from desk.access.roles import Account, Role
from desk.access.second_factor import SecondFactors
from desk.web.access.guard import AccessGuard, Visit, same_origin, texts_of
from desk.web.access.kept import Kept, kept_in
from desk.web.kit.security import local_address

_YEAR = 31_536_000


class SignIn:
    """Routes that somebody who is not signed in may ask for."""

    def __init__(
        self,
        guard: AccessGuard,
        attempts: Attempts,
        factors: SecondFactors,
        passkeys: Passkeys,
        pending: Pending,
        *,
        oidc: str | None,
        longest: float,
    ) -> None:
        """``oidc``: what the button of the identity provider says; ``longest``: hours a session lasts."""
        self.guard, self.longest = guard, longest
        self.accounts, self.sessions = guard.accounts, guard.sessions
        self.attempts, self.factors, self.passkeys, self.pending = attempts, factors, passkeys, pending
        self.device = guard.cookie_name("yeji-device")
        self.second_cookie = guard.cookie_name("yeji-second")
        self.asked_cookie = guard.cookie_name("yeji-passkey")
        guard.entrance = {"oidc": oidc, "passkeys": passkeys.possible}

    def routes(self) -> list[BaseRoute]:
        """Routes of these pages."""
        both = ["GET", "POST"]
        return [
            Route("/sign-in", self.sign_in, methods=both, name="public sign-in"),
            Route("/sign-in/second", self.second, methods=both, name="public second"),
            Route("/sign-in/passkey/ask", self.ask_passkey, methods=["POST"], name="public passkey ask"),
            Route("/sign-in/passkey", self.passkey, methods=["POST"], name="public passkey"),
            Route("/welcome/{token}", self.welcome, methods=both, name="public welcome"),
            self.guard.act("/sign-out", self.sign_out, Role.VIEWER),
            self.guard.act("/prove", self.prove, Role.VIEWER),
        ]

    # -- name and password

    async def sign_in(self, request: Request) -> Response:
        """The form, and what becomes of it."""
        if request.method == "GET":
            if await self.guard.session(request):
                return RedirectResponse(local_address(request.query_params.get("back", "/")), 303)
            return self._form(request, back=request.query_params.get("back", "/"))
        form = texts_of(await request.form())
        kept, name = kept_in(form), form.get("name", "").strip()
        back = local_address(form.get("back", "/"))
        if not same_origin(request):
            return self._form(request, back=back, wrong="form.stale", name=name, status=403)
        device = request.cookies.get(self.device, "")
        try:
            account = await run_in_threadpool(
                self.attempts.prove, name, form.get("password", ""), address_of(request), device
            )
        except AccessError as error:
            status = 429 if error.key == "sign.in.wait" else 401
            return self._form(request, back=back, wrong=error.key, name=name, status=status, kept=kept)
        factors = await run_in_threadpool(self.factors.of, account)
        if factors.any:
            token = await run_in_threadpool(self.pending.begin, account)
            answer = self._second_form(request, back=back, kept=kept)
            self._set(answer, self.second_cookie, token, 600)
            return answer
        return await run_in_threadpool(self._in, request, account, back, kept)

    def _in(self, request: Request, account: Account, back: str, kept: Kept | None) -> Response:
        """Signed in: on to where they wanted, or to the form that was kept."""
        if kept is None:
            return self._enter(request, account, RedirectResponse(back, 303))[0]
        cookies, csrf = self._enter(request, account, Response())
        answer = self.guard.again(Visit(request, account, csrf), kept)
        answer.raw_headers += [header for header in cookies.raw_headers if header[0] == b"set-cookie"]
        return answer

    def _enter(self, request: Request, account: Account, answer: Response) -> tuple[Response, str]:
        """Begin a session: ``answer`` with its cookies, and the token of its forms."""
        agent = request.headers.get("user-agent", "")
        token = self.sessions.begin(account, address_of(request), agent)
        session = self.sessions.find(token)
        if not self.attempts.knows(account, request.cookies.get(self.device, "")):
            self._set(answer, self.device, self.attempts.know(account), _YEAR)
        return self.enter(answer, token), session.csrf if session else ""

    def _form(
        self,
        request: Request,
        *,
        back: str,
        wrong: str = "",
        name: str = "",
        status: int = 200,
        note: str = "",
        kept: Kept | None = None,
    ) -> Response:
        return self.guard.public(
            request,
            "access/sign_in.html",
            status=status,
            back=local_address(back),
            wrong=self.guard.render.texts(request)(wrong) if wrong else "",
            name=name,
            note=note,
            kept=kept,
            **self.guard.entrance,
        )

    def refuse(self, request: Request, key: str, **values: object) -> Response:
        """The form again, with what went wrong elsewhere."""
        words = self.guard.render.texts(request)(key, **values)
        return self.guard.public(
            request,
            "access/sign_in.html",
            status=401,
            back="/",
            wrong=words,
            name="",
            kept=None,
            **self.guard.entrance,
        )

    def enter(self, answer: Response, token: str) -> Response:
        """Put the session's cookie on ``answer``."""
        # strict would have people sign in again who come from a message's link
        self._set(answer, self.guard.cookie, token, round(self.longest * 3600), samesite="lax")
        answer.delete_cookie(self.second_cookie, secure=self.guard.secure)
        return answer

    def _set(
        self, answer: Response, name: str, value: str, seconds: int, *, samesite: str = "strict"
    ) -> None:
        answer.set_cookie(
            name,
            value,
            max_age=seconds,
            httponly=True,
            secure=self.guard.secure,
            samesite="lax" if samesite == "lax" else "strict",
        )

    # -- the second step

    async def second(self, request: Request) -> Response:
        """A code of the app, or a recovery code, by somebody whose password was right."""
        if request.method == "GET":
            return self._second_form(request, back=request.query_params.get("back", "/"))
        form = texts_of(await request.form())
        back, kept = local_address(form.get("back", "/")), kept_in(form)
        if not same_origin(request):
            return self._form(request, back=back, wrong="form.stale", status=403, kept=kept)
        token = request.cookies.get(self.second_cookie, "")
        account = await run_in_threadpool(self.pending.of, token)
        if account is None:
            return self._form(request, back=back, wrong="second.over", status=401, kept=kept)
        try:
            await run_in_threadpool(
                self.attempts.second,
                account,
                address_of(request),
                lambda: self.factors.prove(account, form.get("code", "")),
            )
        except AccessError as error:
            status = 429 if error.key == "sign.in.wait" else 401
            return self._second_form(request, back=back, wrong=error.key, status=status, kept=kept)
        await run_in_threadpool(self.pending.end, token)
        return await run_in_threadpool(self._in, request, account, back, kept)

    def _second_form(
        self, request: Request, *, back: str, wrong: str = "", status: int = 200, kept: Kept | None = None
    ) -> Response:
        return self.guard.public(
            request,
            "access/second.html",
            status=status,
            back=local_address(back),
            wrong=self.guard.render.texts(request)(wrong) if wrong else "",
            kept=kept,
            **self.guard.entrance,
        )

    # -- passkeys

    async def ask_passkey(self, request: Request) -> Response:
        """What the browser is to ask its key."""
        if not (self.passkeys.possible and same_origin(request)):
            return JSONResponse({"wrong": "passkey.wrong"}, 404)
        options, token = await run_in_threadpool(self.passkeys.ask)
        answer = Response(options, media_type="application/json", headers={"Cache-Control": "no-store"})
        self._set(answer, self.asked_cookie, token, 300)
        return answer

    async def passkey(self, request: Request) -> Response:
        """The key's answer: it proves the person and the device at once."""
        t = self.guard.render.texts(request)
        if not same_origin(request):
            return JSONResponse({"wrong": t("form.stale")}, 403)
        body = (await request.body()).decode("utf-8", "replace")
        token = request.cookies.get(self.asked_cookie, "")
        try:
            account = await run_in_threadpool(self.passkeys.vouched, token, body)
        except AccessError as error:
            await run_in_threadpool(self.attempts.failed, None, address_of(request))
            return JSONResponse({"wrong": t(error.key)}, 401)
        session = await self.guard.session(request)
        if session is not None and session.account.id == account.id:
            # Somebody who is signed in proves again who they are.
            await run_in_threadpool(self.sessions.proved, request.cookies.get(self.guard.cookie, ""))
            return JSONResponse({"to": "", "csrf": session.csrf})
        back = local_address(request.query_params.get("back", "/"))
        entered, csrf = await run_in_threadpool(self._enter, request, account, RedirectResponse(back))
        answer = JSONResponse({"to": back, "csrf": csrf})
        for name, value in entered.raw_headers:
            if name == b"set-cookie":
                answer.raw_headers.append((name, value))
        return answer

    # -- proving again

    def prove(self, visit: Visit) -> Response:
        """The password again, before something is done that it guards; then that goes on."""
        kept = kept_in(visit.form)
        if kept is None:
            return RedirectResponse("/", 303)
        if visit.session is None or not visit.session.fresh:
            device = visit.request.cookies.get(self.device, "")
            try:
                if visit.account.external:
                    raise AccessError("prove.elsewhere")
                self.attempts.prove(visit.account.name, visit.form.get("password", ""), visit.address, device)
            except AccessError as error:
                wrong = "password.other" if error.key == "sign.in.wrong" else error.key
                words = self.guard.render.texts(visit.request)(wrong)
                return self.guard.show(visit, "access/prove.html", status=401, kept=kept, wrong=words)
            self.sessions.proved(visit.request.cookies.get(self.guard.cookie, ""))
        return self.guard.again(visit, kept)

    # -- one-time links, and the way out

    async def welcome(self, request: Request) -> Response:
        """A one-time link: the first administrator, or somebody's new password."""
        token = request.path_params["token"]
        try:
            account = await run_in_threadpool(self.accounts.invited, token)
        except AccessError as error:
            return self.refuse(request, error.key)
        wrong, name, shown = "", account.name if account else "", ""
        if request.method == "POST":
            form = texts_of(await request.form())
            name, shown = account.name if account else form.get("name", "").strip(), form.get("shown", "")
            if not same_origin(request):
                wrong = "form.stale"
            else:
                try:
                    await run_in_threadpool(
                        self.accounts.accept, token, form.get("password", ""), name, shown
                    )
                except AccessError as error:
                    wrong = error.key
                else:
                    note = self.guard.render.texts(request)("welcome.done")
                    return self._form(request, back="/", name=name, note=note)
        return self.guard.public(
            request,
            "access/welcome.html",
            status=400 if wrong else 200,
            who=account,
            wrong=self.guard.render.texts(request)(wrong) if wrong else "",
            name=name,
            shown=shown,
        )

    def sign_out(self, visit: Visit) -> Response:
        """End this session, and have the browser forget what it kept of the desk."""
        self.sessions.end(visit.request.cookies.get(self.guard.cookie, ""))
        # Not "cookies": the language stays, and that this browser is known.
        answer = RedirectResponse("/sign-in", 303, headers={"Clear-Site-Data": '"cache", "storage"'})
        answer.delete_cookie(self.guard.cookie, secure=self.guard.secure, httponly=True)
        return answer


def address_of(request: Request) -> str:
    """The network address that a request came from."""
    return request.client.host if request.client else ""
