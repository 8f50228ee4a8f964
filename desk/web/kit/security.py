"""What every answer carries and every request must show, whatever the page."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Mapping

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Scripts and styles come from us alone, and none stands in a page: what a page shows can run nothing.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class SecurityHeaders:
    """Adds `HEADERS` (and ``more``) to every answer that does not say otherwise."""

    def __init__(self, app: ASGIApp, more: dict[str, str] | None = None) -> None:
        self.app = app
        self.headers = HEADERS | (more or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and the headers back."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, add)


class BodyLimit:
    """Answers 413 to a body of more than ``most`` bytes, told beforehand or not.

    ``larger``: how many where a path ends so.
    """

    def __init__(self, app: ASGIApp, most: int = 1_000_000, larger: Mapping[str, int] | None = None) -> None:
        self.app, self._most, self._larger = app, most, dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its body as far as it is allowed."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = str(scope["path"])
        most = next((n for end, n in self._larger.items() if path.endswith(end)), self._most)
        told = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if told.isdigit() and int(told) > most:
            await PlainTextResponse(f"At most {most} bytes.\n", status_code=413)(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise HTTPException(413)
            return message

        await self.app(scope, counted, send)


def packed(app: ASGIApp) -> ASGIApp:
    """Files that hold nothing secret, compressed on their way.

    Pages are not: with a token in them, their length would tell it bit by bit (BREACH).
    """
    return GZipMiddleware(app, minimum_size=1000, compresslevel=6)


class KnownHosts:
    """Turns away requests for a name that is not ours.

    Without this a foreign page could point its own name at 127.0.0.1 and read ours through the visitor's
    browser (DNS rebinding). An address in figures cannot be pointed elsewhere, so each is let in.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str], setting: str = "page.hosts") -> None:
        """``setting`` is where a name is added."""
        self.app, self.setting = app, setting
        self.names = {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 421."""
        if scope["type"] != "http" or self._ours(scope):
            await self.app(scope, receive, send)
            return
        answer = PlainTextResponse(
            f"This name is not known here. Use the machine's address, or add the name to {self.setting} "
            f"(YEJI_{self.setting.upper().replace('.', '__')}) and start again.\n",
            status_code=421,
        )
        await answer(scope, receive, send)

    def _ours(self, scope: Scope) -> bool:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        return len(hosts) == 1 and is_known(hosts[0], self.names)


def is_known(host: str, names: set[str]) -> bool:
    """Whether ``host`` (a Host header) is an address in figures or one of ``names``.

    >>> [is_known(host, {"localhost"}) for host in ("127.0.0.1:80", "[::1]:80", "LocalHost", "evil.example")]
    [True, True, True, False]
    """
    name = host.lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.rstrip(".") in names
    return True


def own_names(more: Iterable[str] = ()) -> set[str]:
    """The names that this machine is known by, and ``more``."""
    return {"localhost", socket.gethostname().lower(), *(name.lower() for name in more)}


def local_address(address: str) -> str:
    """``address`` when it stays on this site, else the first page.

    >>> [local_address(a) for a in ("/alarms?past=9", "//evil.example", "https://evil.example", "/\\\\evil")]
    ['/alarms?past=9', '/', '/', '/']
    """
    ours = address.startswith("/") and not address.startswith("//") and "\\" not in address
    return address if ours and address.isprintable() else "/"
