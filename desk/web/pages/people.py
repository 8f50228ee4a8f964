"""Accounts and API keys, for administrators: never more than their own reach."""

from __future__ import annotations

import re

from starlette.responses import Response
from starlette.routing import BaseRoute

from desk.access.accounts import AccessError, Accounts
from desk.access.roles import Account, Role
from desk.web.access.guard import AccessGuard, Visit


class PeoplePages:
    """Routes of `/people` and `/keys`."""

    def __init__(self, guard: AccessGuard, url: str) -> None:
        """``url``: the desk as people reach it, for one-time links."""
        self.guard, self.url = guard, url
        self.accounts: Accounts = guard.accounts

    def routes(self) -> list[BaseRoute]:
        """All of them."""
        return [
            self.guard.page("/people", self.everyone, Role.ADMIN),
            self.guard.act("/people", self.add, Role.ADMIN),
            self.guard.act("/people/{id:int}", self.change, Role.ADMIN),
            self.guard.act("/people/{id:int}/link", self.link, Role.ADMIN),
            self.guard.act("/keys", self.new_key, Role.ADMIN),
            self.guard.act("/keys/{id:int}/end", self.end_key, Role.ADMIN),
        ]

    def everyone(self, visit: Visit) -> Response:
        """Who may sign in, and which keys there are: those within the administrator's reach."""
        return self._page(visit)

    def _page(
        self, visit: Visit, *, link: str = "", link_name: str = "", link_ends: int = 0, key: str = ""
    ) -> Response:
        me = visit.account
        return self.guard.show(
            visit,
            "people.html",
            people=[one for one in self.accounts.all() if me.may_manage(one.places, one.role)],
            keys=[one for one in self.accounts.all_keys() if me.may_manage(one.places, one.role)],
            roles=list(Role),
            link=link,
            link_name=link_name,
            link_ends=link_ends,
            key=key,
        )

    def add(self, visit: Visit) -> Response:
        """A new account, and the link that its owner sets a password with."""
        role, places = self._reach(visit)
        account, token = self.accounts.add(
            visit.form.get("name", "").strip(), visit.form.get("shown", "")[:80], role, places
        )
        return self._link(visit, account, token)

    def change(self, visit: Visit) -> Response:
        """Another role, other places, or no access at all."""
        account = self._theirs(visit)
        role, places = self._reach(visit)
        self.accounts.change(account.id, role=role, places=places, disabled="disabled" in visit.form)
        return self.guard.back(visit, "account.done")

    def link(self, visit: Visit) -> Response:
        """A link with which its owner sets a new password."""
        account = self._theirs(visit)
        return self._link(visit, account, self.accounts.reset_link(account))

    def _link(self, visit: Visit, account: Account, token: str) -> Response:
        ends = self.accounts.clock() + round(self.accounts.settings.invitation * 3_600_000)
        address = f"{self.url}/welcome/{token}"
        return self._page(visit, link=address, link_name=account.shown, link_ends=ends)

    def new_key(self, visit: Visit) -> Response:
        """A new API key, shown once."""
        role, places = self._reach(visit)
        key = self.accounts.new_key(visit.form.get("name", ""), role, places, visit.by)
        return self._page(visit, key=key)

    def end_key(self, visit: Visit) -> Response:
        """The key is of no use any more."""
        id = visit.request.path_params["id"]
        if not any(
            one.id == id and visit.account.may_manage(one.places, one.role)
            for one in self.accounts.all_keys()
        ):
            raise AccessError("account.unknown")
        self.accounts.end_key(id)
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
