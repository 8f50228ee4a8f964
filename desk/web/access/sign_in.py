"""The way in and out: sign-in, one-time links, one's own password."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from desk.access.accounts import AccessError
from desk.access.roles import Role
from desk.web.access.guard import AccessGuard, Visit, same_origin, texts_of
from desk.web.page.app import local_address


class SignIn:
    """Routes that somebody who is not signed in may ask for, and those of one's own account."""

    def __init__(self, guard: AccessGuard, *, oidc: str | None, longest: float) -> None:
        """``oidc``: what the button of the identity provider says; ``longest``: hours a session lasts."""
        self.guard, self.oidc, self.longest = guard, oidc, longest
        self.accounts, self.sessions = guard.accounts, guard.sessions

    def routes(self) -> list[BaseRoute]:
        """All of them."""
        return [
            Route("/sign-in", self.sign_in, methods=["GET", "POST"], name="public sign-in"),
            Route("/welcome/{token}", self.welcome, methods=["GET", "POST"], name="public welcome"),
            self.guard.act("/sign-out", self.sign_out, Role.VIEWER),
            self.guard.page("/me", self.me),
            self.guard.act("/me/password", self.password, Role.VIEWER),
        ]

    async def sign_in(self, request: Request) -> Response:
        """The form, and what becomes of it."""
        if request.method == "GET":
            if await self.guard.session(request):
                return RedirectResponse(local_address(request.query_params.get("back", "/")), 303)
            return self._form(request, back=request.query_params.get("back", "/"))
        form = texts_of(await request.form())
        back, name = local_address(form.get("back", "/")), form.get("name", "").strip()
        if not same_origin(request):
            return self._form(request, back=back, wrong="form.stale", name=name, status=403)
        address = request.client.host if request.client else ""
        try:
            token = await run_in_threadpool(self.sessions.sign_in, name, form.get("password", ""), address)
        except AccessError as error:
            status = 429 if error.key == "sign.in.wait" else 401
            return self._form(request, back=back, wrong=error.key, name=name, status=status)
        return self.enter(RedirectResponse(back, 303), token)

    def _form(
        self,
        request: Request,
        *,
        back: str,
        wrong: str = "",
        name: str = "",
        status: int = 200,
        note: str = "",
    ) -> Response:
        return self.guard.public(
            request,
            "sign_in.html",
            status=status,
            back=local_address(back),
            wrong=self.guard.render.texts(request)(wrong) if wrong else "",
            name=name,
            oidc=self.oidc,
            note=note,
        )

    def refuse(self, request: Request, key: str, **values: object) -> Response:
        """The form again, with what went wrong elsewhere."""
        words = self.guard.render.texts(request)(key, **values)
        return self.guard.public(
            request, "sign_in.html", status=401, back="/", wrong=words, name="", oidc=self.oidc
        )

    def enter(self, answer: Response, token: str) -> Response:
        """Put the session's cookie on ``answer``."""
        answer.set_cookie(
            self.guard.cookie,
            token,
            max_age=round(self.longest * 3600),
            httponly=True,
            secure=self.guard.secure,
            samesite="lax",  # strict would have people sign in again who come from a message's link
        )
        return answer

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
            "welcome.html",
            status=400 if wrong else 200,
            who=account,
            wrong=self.guard.render.texts(request)(wrong) if wrong else "",
            name=name,
            shown=shown,
        )

    def sign_out(self, visit: Visit) -> Response:
        """End this session."""
        self.sessions.end(visit.request.cookies.get(self.guard.cookie, ""))
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(self.guard.cookie, secure=self.guard.secure, httponly=True)
        return answer

    def me(self, visit: Visit) -> Response:
        """One's own account."""
        return self.guard.show(visit, "me.html")

    def password(self, visit: Visit) -> Response:
        """Another password; the present one has to be known, and every other session ends."""
        address = visit.request.client.host if visit.request.client else ""
        try:
            self.sessions.prove(visit.account.name, visit.form.get("old", ""), address)
        except AccessError as error:
            raise AccessError("password.other" if error.key == "sign.in.wrong" else error.key) from None
        self.accounts.set_password(visit.account, visit.form.get("password", ""))
        answer = self.guard.back(visit, "account.done")
        return self.enter(answer, self.sessions.begin(visit.account))
