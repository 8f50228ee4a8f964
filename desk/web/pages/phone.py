"""One's own phone: how to install the desk on it, and whether it is told of new alarms."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from desk.access.roles import Role
from desk.notify.push import Phones, phone_of
from desk.notify.push_message import Vapid
from desk.rules.desk import RefusedError
from desk.web.access.guard import AccessGuard, Visit
from pipeline.priority import Priority


class PhonePages:
    """Routes of `/phone`."""

    def __init__(self, guard: AccessGuard, phones: Phones, vapid: Vapid, hosts: list[str]) -> None:
        self.guard, self.phones, self.vapid, self.hosts = guard, phones, vapid, hosts

    def routes(self) -> list[BaseRoute]:
        """Every route of these pages."""
        return [
            self.guard.page("/phone", self.own),
            self.guard.act("/phone/tell", self.tell, Role.VIEWER),
            self.guard.act("/phone/quiet", self.quiet, Role.VIEWER),
        ]

    def own(self, visit: Visit) -> Response:
        """What a phone can do, and its forms."""
        return self.guard.show(
            visit, "phone.html", key=self.vapid.public, priorities=sorted(Priority, reverse=True)
        )

    def tell(self, visit: Visit) -> Response:
        """Tell this browser of new alarms."""
        form = visit.form
        phone = phone_of(
            visit.account.id,
            form.get("endpoint", ""),
            form.get("p256dh", ""),
            form.get("auth", ""),
            self.guard.render.language(visit.request),
            form.get("least", "high"),
            self.hosts,
        )
        if phone is None:
            raise RefusedError("push-service")
        self.phones.put(phone)
        return self.guard.back(visit, "done.phone")

    def quiet(self, visit: Visit) -> Response:
        """Tell it no more."""
        self.phones.remove(visit.form.get("endpoint", ""), visit.account.id)
        return self.guard.back(visit, "done.quiet")
