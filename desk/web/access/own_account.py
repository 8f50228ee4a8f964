"""One's own account: password, second factors, and the browsers that one is signed in with."""

from __future__ import annotations

import segno
from markupsafe import Markup
from starlette.responses import Response
from starlette.routing import BaseRoute

from desk.access.accounts import AccessError
from desk.access.roles import Role
from desk.rules.journal import Action
from desk.web.access.guard import AccessGuard, Visit
from desk.web.access.sign_in import SignIn


class OwnAccount:
    """Routes of `/me`."""

    def __init__(self, guard: AccessGuard, sign_in: SignIn) -> None:
        self.guard, self.sign_in = guard, sign_in
        self.accounts, self.sessions = guard.accounts, guard.sessions
        self.factors, self.passkeys = sign_in.factors, sign_in.passkeys
        self.asked_cookie = guard.cookie_name("yeji-new-passkey")

    def routes(self) -> list[BaseRoute]:
        """Routes of these pages."""
        viewer, act = Role.VIEWER, self.guard.act
        return [
            self.guard.page("/me", self.me),
            act("/me/password", self.password, viewer),
            act("/me/totp", self.begin_totp, viewer, fresh=True),
            act("/me/totp/confirm", self.confirm_totp, viewer),
            act("/me/second/remove", self.remove, viewer, fresh=True),
            act("/me/passkey/new", self.ask_passkey, viewer, fresh=True),
            act("/me/passkey", self.add_passkey, viewer),
            act("/me/passkey/remove", self.remove_passkey, viewer, fresh=True),
            act("/me/sessions/end", self.end_session, viewer),
        ]

    def me(self, visit: Visit) -> Response:
        """The page."""
        return self._page(visit)

    def _page(self, visit: Visit, *, status: int = 200, **more: object) -> Response:
        account = visit.account
        given: dict[str, object] = {
            "codes": [],
            "secret": "",
            "square": "",
            "wrong": "",
            "options": "",
            "key_name": "",
        }
        return self.guard.show(
            visit,
            "access/me.html",
            status=status,
            factors=self.factors.of(account),
            keys=self.passkeys.all(account),
            possible=self.passkeys.possible,
            sessions=self.sessions.all(account),
            here=visit.session.id if visit.session else "",
            **(given | more),
        )

    def password(self, visit: Visit) -> Response:
        """Another password; the present one has to be known, and every other session ends."""
        device = visit.request.cookies.get(self.sign_in.device, "")
        try:
            self.sign_in.attempts.prove(visit.account.name, visit.form.get("old", ""), visit.address, device)
        except AccessError as error:
            raise AccessError("password.other" if error.key == "sign.in.wrong" else error.key) from None
        self.accounts.set_password(visit.account, visit.form.get("password", ""))
        answer = self.guard.back(visit, "account.done")
        return self.sign_in.enter(answer, self._begin(visit))

    def _begin(self, visit: Visit) -> str:
        agent = visit.request.headers.get("user-agent", "")
        return self.sessions.begin(visit.account, visit.address, agent)

    def begin_totp(self, visit: Visit) -> Response:
        """The secret for the app, as a square to photograph and as text."""
        if visit.account.external:
            raise AccessError("password.elsewhere")
        return self._totp(visit)

    def _totp(self, visit: Visit, wrong: str = "") -> Response:
        secret, address = self.factors.begin_totp(visit.account)
        drawn = segno.make(address, error="m").svg_inline(scale=5, border=4, dark="#000", light="#fff")
        square = Markup(drawn)  # noqa: S704 - made by segno from our own address
        spaced = " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))
        return self._page(visit, status=400 if wrong else 200, secret=spaced, square=square, wrong=wrong)

    def confirm_totp(self, visit: Visit) -> Response:
        """A code of the app: from now on it is asked for."""
        try:
            codes = self.factors.confirm_totp(visit.account, visit.form.get("code", ""))
        except AccessError as error:
            return self._totp(visit, self.guard.render.texts(visit.request)(error.key))
        self.accounts.log_action(Action.FACTOR_ADDED, visit.account, address=visit.address)
        return self._page(visit, codes=codes)

    def remove(self, visit: Visit) -> Response:
        """The password alone from now on."""
        self.factors.remove(visit.account)
        self.accounts.log_action(Action.FACTOR_REMOVED, visit.account, address=visit.address)
        return self.guard.back(visit, "account.done")

    def ask_passkey(self, visit: Visit) -> Response:
        """What the browser is to make a key from; the page's script hands it on at a tap."""
        if visit.account.external or not self.passkeys.possible:
            raise AccessError("password.elsewhere")
        options, token = self.passkeys.ask_registration(visit.account)
        answer = self._page(visit, options=options, key_name=visit.form.get("name", ""))
        answer.set_cookie(
            self.asked_cookie,
            token,
            max_age=300,
            httponly=True,
            secure=self.guard.secure,
            samesite="strict",
        )
        return answer

    def add_passkey(self, visit: Visit) -> Response:
        """The key that the browser made."""
        codes = self.passkeys.register(
            visit.account,
            visit.request.cookies.get(self.asked_cookie, ""),
            visit.form.get("answer", ""),
            visit.form.get("name", ""),
        )
        self.accounts.log_action(Action.FACTOR_ADDED, visit.account, address=visit.address)
        return self._page(visit, codes=codes)

    def remove_passkey(self, visit: Visit) -> Response:
        """One key less."""
        self.passkeys.remove(visit.account, visit.form.get("id", ""))
        self.accounts.log_action(Action.FACTOR_REMOVED, visit.account, address=visit.address)
        return self.guard.back(visit, "account.done")

    def end_session(self, visit: Visit) -> Response:
        """Sign out another browser, or all others."""
        here = visit.session.id if visit.session else ""
        self.sessions.end_of(visit.account, id=visit.form.get("id", ""), but=here, by=visit.by)
        return self.guard.back(visit, "account.done")
