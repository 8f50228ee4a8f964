"""Serves the desk from a thread of the process that keeps it."""

from __future__ import annotations

from connectors.base.history import History
from desk.access.store import AccessStore
from desk.service.desk import Desk
from desk.web.app import make_web
from desk.web.page.server import ThreadedServer


class DeskServer:
    """The desk's web application: `start`, then `url`, at last `stop`.

    Accounts are kept in `desk-accounts.sqlite` in the data folder. ``history`` gives the charts; None = none.
    """

    def __init__(self, desk: Desk, history: History | None = None) -> None:
        """Raises `connectors.sqlite.files.StoreError`."""
        settings = desk.settings.desk
        self.store = AccessStore(desk.settings.data / "desk-accounts.sqlite")
        self.web = make_web(desk, self.store, history)
        # Links lead to the port that people know: the desk never moves to another by itself.
        self._public = settings.url
        self._served = ThreadedServer(
            self.web.app, self.web.live_updates, settings.host, settings.port, "desk", moves=False
        )

    @property
    def url(self) -> str:
        """Where it listens, once started."""
        return self._served.url

    def first_link(self) -> str | None:
        """The one-time link that makes the first administrator; None when there is one already.

        Each call makes the link before worthless.
        """
        token = self.web.accounts.first_link()
        return None if token is None else f"{self._public}/welcome/{token}"

    def start(self) -> str:
        """Serve from now on. Raises `desk.web.page.PageError`."""
        url = self._served.start()
        self.web.push.start()
        return url

    def stop(self) -> None:
        """End every open connection, the thread and the accounts' file."""
        self._served.stop()
        self.web.push.stop()
        self.web.training.close()
        self.web.phones.close()
        self.store.close()
