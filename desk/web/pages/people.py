"""Accounts and API keys, for administrators: never more than their own reach."""

from __future__ import annotations

import re

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from desk.access.accounts import AccessError, Accounts
from desk.access.roles import Account, Role
from desk.access.second_factor import SecondFactors
from desk.rules.journal import Action
from desk.web.access.guard import AccessGuard, Visit
from desk.web.access.shown_once import ShownOnce


class PeoplePages:
    """Routes of `/people` and `/keys`."""

    def __init__(self, guard: AccessGuard, factors: SecondFactors, url: str) -> None:
        """``url``: the desk as people reach it, for one-time links."""
        self.guard, self.factors, self.url = guard, factors, url
        self.accounts: Accounts = guard.accounts
        self.shown = ShownOnce()

    def routes(self) -> list[BaseRoute]:
        """Routes of these pages."""
        return [
            self.guard.page("/people", self.everyone, Role.ADMIN),
            self.guard.act("/people", self.add, Role.ADMIN, fresh=True),
            self.guard.act("/people/shown/dismiss", self.dismiss, Role.ADMIN),
            self.guard.act("/people/{id:int}", self.change, Role.ADMIN, fresh=True),
            self.guard.act("/people/{id:int}/link", self.link, Role.ADMIN, fresh=True),
            self.guard.act("/people/{id:int}/second", self.second, Role.ADMIN, fresh=True),
            self.guard.act("/people/{id:int}/sessions", self.sessions, Role.ADMIN),
            self.guard.act("/keys", self.new_key, Role.ADMIN, fresh=True),
            self.guard.act("/keys/{id:int}/end", self.end_key, Role.ADMIN, fresh=True),
        ]

    def everyone(self, visit: Visit) -> Response:
        """Who may sign in, and which keys there are: those within the administrator's reach."""
        me = visit.account
        people = [one for one in self.accounts.all() if me.may_manage(one.places, one.role)]
        return self.guard.show(
            visit,
            "people.html",
            people=people,
            second={one.id: self.factors.of(one).any for one in people},
            keys=[key for key in self.accounts.all_keys() if me.may_manage(key.places, key.role)],
            roles=list(Role),
            shown=self.shown.of(_session(visit)),
        )

    def add(self, visit: Visit) -> Response:
        """A new account, and the link that its owner sets a password with."""
        role, places = self._reach(visit)
        account, token = self.accounts.add(
            visit.form.get("name", "").strip(), visit.form.get("shown", "")[:80], role, places, visit.by
        )
        return self._link(visit, account, token)

    def change(self, visit: Visit) -> Response:
        """Another role, other places, or no access at all."""
        account = self._theirs(visit)
        role, places = self._reach(visit)
        self.accounts.change(
            account.id, role=role, places=places, disabled="disabled" in visit.form, by=visit.by
        )
        return self.guard.back(visit, "account.done")

    def link(self, visit: Visit) -> Response:
        """A link with which its owner sets a new password."""
        account = self._theirs(visit)
        return self._link(visit, account, self.accounts.reset_link(account, visit.by))

    def _link(self, visit: Visit, account: Account, token: str) -> Response:
        ends = self.accounts.clock() + round(self.accounts.settings.invitation * 3_600_000)
        self.shown.add(_session(visit), "account.link", account.shown, f"{self.url}/welcome/{token}", ends)
        return RedirectResponse("/people", 303)

    def second(self, visit: Visit) -> Response:
        """Somebody lost their phone: no second factor until they set up another."""
        account = self._theirs(visit)
        self.factors.remove(account)
        self.accounts.log_action(Action.FACTOR_REMOVED, account, visit.by, visit.address)
        return self.guard.back(visit, "account.done")

    def sessions(self, visit: Visit) -> Response:
        """Sign somebody out everywhere."""
        self.guard.sessions.end_of(self._theirs(visit), but=_session(visit), by=visit.by)
        return self.guard.back(visit, "account.done")

    def dismiss(self, visit: Visit) -> Response:
        """They have the link or key."""
        self.shown.dismiss(_session(visit), visit.form.get("id", ""))
        return RedirectResponse("/people", 303)

    def new_key(self, visit: Visit) -> Response:
        """A new API key, shown once."""
        role, places = self._reach(visit)
        name = visit.form.get("name", "")
        key = self.accounts.new_key(name, role, places, visit.by)
        self.shown.add(_session(visit), "key.shown", name, key)
        return RedirectResponse("/people", 303)

    def end_key(self, visit: Visit) -> Response:
        """The key is of no use any more."""
        id = visit.request.path_params["id"]
        if not any(
            key.id == id and visit.account.may_manage(key.places, key.role)
            for key in self.accounts.all_keys()
        ):
            raise AccessError("account.unknown")
        self.accounts.end_key(id, visit.by)
        return self.guard.back(visit, "account.done")

    def _reach(self, visit: Visit) -> tuple[Role, tuple[str, ...]]:
        """The role and places of a form, when they are the administrator's to give."""
        places = tuple(
            filter(None, (one.strip().strip("/") for one in re.split(r"[\n,]", visit.form.get("places", ""))))
        )
        try:
            role = Role[visit.form.get("role", "").upper()]
        except KeyError:
            raise AccessError("account.places") from None
        if not visit.account.may_manage(places, role):
            raise AccessError("account.places")
        return role, places

    def _theirs(self, visit: Visit) -> Account:
        account = self.accounts.get(visit.request.path_params["id"])
        if not visit.account.may_manage(account.places, account.role):
            raise AccessError("account.unknown")
        return account


def _session(visit: Visit) -> str:
    return visit.session.id if visit.session else ""
