"""Serves the local page from a thread of the process that runs the pipeline."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import threading

import uvicorn
from starlette.applications import Starlette

from connectors.base.history import History
from desk.settings.whole import SettingsWithDesk
from desk.web.kit.live import Listeners
from desk.web.page.app import Page


class PageError(Exception):
    """The page cannot be served; the message says why and what to do."""


class PageServer:
    """The local page over ``history``: `start`, then `url`, at last `stop`.

    ``remark`` says what a reader should know, for example that the port was taken and another is used.
    """

    def __init__(self, history: History, settings: SettingsWithDesk) -> None:
        page = Page(history, settings)
        self._open_to_all = not _loopback(settings.page.host)
        self._served = ThreadedServer(
            page.app(), page.changes, settings.page.host, settings.page.port, "page"
        )

    @property
    def url(self) -> str:
        """Where the page is, once started."""
        return self._served.url

    @property
    def remark(self) -> str:
        """What a reader should know; empty = nothing."""
        remarks = [self._served.remark]
        if self._open_to_all:
            remarks.append(
                "page.host lets everybody on the network see this page, which asks for no password. "
                "Set it to 127.0.0.1, or use the desk (`yeji run --desk`)."
            )
        return " ".join(filter(None, remarks))

    def start(self) -> str:
        """Serve from now on, and give the address. Raises `PageError`."""
        return self._served.start()

    def stop(self) -> None:
        """End every open connection and the thread."""
        self._served.stop()


def _loopback(host: str) -> bool:
    """Whether ``host`` is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class ThreadedServer:
    """Runs ``app`` on a thread of its own; ``changes`` are its open event streams, ended by `stop`.

    ``setting`` is the section of the settings that ``host`` and ``port`` come from: for what errors say.
    ``moves``: another port is taken when ``port`` is in use.
    """

    def __init__(
        self, app: Starlette, changes: Listeners, host: str, port: int, setting: str, *, moves: bool = True
    ) -> None:
        self.app, self.moves = app, moves
        self.host, self.port, self.setting = host, port, setting
        self.url = ""
        self.remark = ""
        self._changes = changes
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> str:
        """Serve from now on, and give the address. Raises `PageError`."""
        listening = self._bind()
        host, port = listening.getsockname()[:2]
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
        self.url = f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"
        config = uvicorn.Config(
            self.app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=3,
        )
        self._server = uvicorn.Server(config)
        ready = threading.Event()
        self._thread = threading.Thread(
            target=asyncio.run, args=(self._serve(listening, ready),), name="yeji-page", daemon=True
        )
        self._thread.start()
        ready.wait()
        return self.url

    async def _serve(self, listening: socket.socket, ready: threading.Event) -> None:
        assert self._server is not None  # noqa: S101 - `start` made it
        self._loop = asyncio.get_running_loop()
        # The socket listens already: whoever asks from now on is answered as soon as the server runs.
        ready.set()
        await self._server.serve(sockets=[listening])

    def stop(self) -> None:
        """End every open connection and the thread."""
        if self._server is None or self._thread is None or self._loop is None:
            return
        self._server.should_exit = True
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._changes.stop)
            self._thread.join(10)
        self._server = self._thread = self._loop = None

    def _bind(self) -> socket.socket:
        host, port, setting = self.host, self.port, self.setting
        try:
            return _listen(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and not self.moves:
                raise PageError(
                    f"Port {port} is in use by another program: end it, or set {setting}.port (and "
                    f"{setting}.url, which links in messages lead to)."
                ) from error
            if error.errno == errno.EADDRINUSE:
                self.remark = (
                    f"Port {port} is in use by another program, so another one was taken. To choose: "
                    f"{setting}.port in yeji.toml or YEJI_{setting.upper()}__PORT."
                )
                return _listen(host, 0)
            raise PageError(
                f"The page cannot listen on {host} port {port}: {error}. Set {setting}.host to an address of "
                f"this machine (127.0.0.1 for this machine alone) and {setting}.port to one over 1023."
            ) from error


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except BaseException:
        listening.close()
        raise
    return listening
