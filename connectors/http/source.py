"""Readings sent over HTTP, answered when they are safe: a server in a thread, a mapping for each sender."""

from __future__ import annotations

import asyncio
import hmac
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.base.contract import Item
from connectors.base.gather import gathered
from connectors.base.push import PushSource
from connectors.http.bodies import BodyError, BodyTooLargeError, payloads, unfold
from connectors.http.remote_write import RemoteWriteError, items
from connectors.http.settings import HttpSettings
from connectors.mapping.mapping import Mapped, Mapping
from pipeline.records import Frame, Message, Reason, Rejection
from pipeline.settings import SettingsError
from pipeline.wire.readings import reject

#: This many rejections of one request are told in its answer.
_TOLD = 20


@dataclass(frozen=True, slots=True)
class _Sender:
    """Whose token it is: the mapping, and what its machines' names begin with ("" = anything)."""

    name: str
    mapping: Mapping
    lines: Mapping
    under: str


_Reader = Callable[[_Sender, bytes, Request, int], list[Mapped]]


class HttpSource(PushSource[Mapped]):
    """Listens for requests, and answers each when Kafka or the spool has its readings."""

    can_wait = True

    def __init__(self, name: str, settings: HttpSettings) -> None:
        super().__init__(name, settings.gather)
        self._settings = settings
        for key, path in (("cert_file", settings.cert_file), ("key_file", settings.key_file)):
            if path is not None and not path.is_file():
                raise SettingsError(f"{key} names {path}, which is no file. Correct the path.")
        self._senders = {
            one.token.get_secret_value(): self._sender(sender, one.under.strip("/"))
            for sender, one in settings.tokens.items()
        }
        self._anyone = None if settings.tokens else self._sender("", "")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.port = settings.port

    def _sender(self, name: str, under: str) -> _Sender:
        settings = self._settings.mapping
        if under:
            settings = settings.model_copy(update={"levels": under})
        lines = settings.model_copy(update={"format": "line"})
        return _Sender(name, Mapping(settings, source=self.name), Mapping(lines, source=self.name), under)

    # -- the server

    def open(self) -> None:
        """Listen, in a thread of its own. Raises OSError when the port is taken."""
        listening = socket.create_server((self._settings.host, self._settings.port))
        self.port = int(listening.getsockname()[1])
        app = Starlette(
            routes=[
                Route("/readings", self._readings, methods=["POST"]),
                Route("/api/v2/write", self._lines, methods=["POST"]),
                Route("/write", self._lines, methods=["POST"]),
                Route("/api/v1/write", self._remote_write, methods=["POST"]),
                Route("/healthz", _healthy, methods=["GET"]),
                Route("/ping", _ping, methods=["GET", "HEAD"]),
            ]
        )
        tls = (self._settings.cert_file, self._settings.key_file)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ssl_certfile=tls[0],
            ssl_keyfile=tls[1],
        )
        server = self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=asyncio.run, args=(self._serve(server, listening),), name=f"http-{self.name}", daemon=True
        )
        self._thread.start()

    async def _serve(self, server: uvicorn.Server, listening: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self.status.connected, self.status.detail = True, ""
        await server.serve(sockets=[listening])

    def shut(self) -> None:
        """Answer what is being asked, and stop listening."""
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(10)

    def acknowledge(self, tokens: list[object]) -> None:
        """Answer the requests whose readings are safe."""
        if self._loop is None or self._loop.is_closed():
            return

        def answer() -> None:
            for token in tokens:
                if isinstance(token, asyncio.Future) and not token.done():
                    token.set_result(None)

        self._loop.call_soon_threadsafe(answer)

    def convert(self, arrivals: list[Mapped]) -> Iterable[Item]:
        """One frame a machine of all that was sent, and what could not be used."""
        frames = gathered(frame for mapped in arrivals for frame in mapped.frames)
        rejections = [one for mapped in arrivals for one in mapped.rejections]
        self.status.readings += sum(len(frame) for frame in frames)
        self.status.rejected += len(rejections)
        return [*frames, *rejections]

    # -- requests

    async def _readings(self, request: Request) -> Response:
        """JSON as docs/wire.md and the mapping have it, one object, a list, or NDJSON."""
        return await self._take(request, self._map_json)

    async def _lines(self, request: Request) -> Response:
        """InfluxDB line protocol, as Telegraf's output influxdb and influxdb_v2 send it."""
        return await self._take(request, self._map_lines)

    async def _remote_write(self, request: Request) -> Response:
        """Prometheus remote write 1.0."""
        return await self._take(request, self._map_remote_write, folded=True)

    def _map_json(self, sender: _Sender, body: bytes, request: Request, received: int) -> list[Mapped]:
        kind = request.headers.get("content-type", "")
        return [sender.mapping.apply(payload, None, received) for payload in payloads(body, kind)]

    def _map_lines(self, sender: _Sender, body: bytes, request: Request, received: int) -> list[Mapped]:
        return [sender.lines.apply(body, None, received)]

    def _map_remote_write(
        self, sender: _Sender, body: bytes, request: Request, received: int
    ) -> list[Mapped]:
        found = items(body, self._settings.max_body_bytes)
        return [sender.mapping.apply(found, None, received)] if found else []

    async def _take(self, request: Request, read: _Reader, *, folded: bool = False) -> Response:
        sender = self._sender_of(request)
        if sender is None:
            return _refusal(401, "No token that is known: send Authorization: Bearer TOKEN.")
        received = time.time_ns() // 1_000_000
        try:
            body = await self._body(request)
            if not folded:
                body = unfold(
                    body, request.headers.get("content-encoding", ""), self._settings.max_body_bytes
                )
            found = read(sender, body, request, received)
        except BodyTooLargeError:
            return _refusal(413, f"At most {self._settings.max_body_bytes} bytes a request, also unfolded.")
        except (BodyError, RemoteWriteError) as error:
            return _refusal(400, str(error))
        whole = _within(sender, found, Message(body, received, topic=self.name))
        if not await self._safe(whole):
            return _refusal(503, "The readings are not safe yet: send them again.", {"retry-after": "5"})
        readings = sum(len(frame) for frame in whole.frames)
        told = [
            {"reason": str(rejection.reason), "detail": rejection.detail}
            for rejection in whole.rejections[:_TOLD]
        ]
        if whole.rejections and not readings:
            return JSONResponse({"readings": 0, "rejected": told}, 400)
        return JSONResponse({"readings": readings, "rejected": told}) if told else Response(status_code=204)

    async def _body(self, request: Request) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > self._settings.max_body_bytes:
                raise BodyTooLargeError
            parts.append(part)
        return b"".join(parts)

    async def _safe(self, mapped: Mapped) -> bool:
        """Whether what was read became durable in time."""
        if not mapped.frames and not mapped.rejections:
            return True
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.waiting >= self._settings.gather.waiting or not self.put(mapped, future):
            return False
        try:
            await asyncio.wait_for(future, self._settings.patience)
        except TimeoutError:
            return False
        return True

    def _sender_of(self, request: Request) -> _Sender | None:
        if self._anyone is not None:
            return self._anyone
        shown = request.headers.get("authorization", "")
        scheme, _, token = shown.partition(" ")
        if scheme.lower() not in ("bearer", "token"):  # "Token" is what clients of InfluxDB send
            return None
        found: _Sender | None = None
        for known, sender in self._senders.items():
            if hmac.compare_digest(known.encode(), token.strip().encode()):
                found = sender
        return found


def _within(sender: _Sender, found: list[Mapped], origin: Message) -> Mapped:
    """Only machines that this sender may speak for; the others are rejections."""
    frames: list[Frame] = []
    rejections: list[Rejection] = []
    for mapped in found:
        rejections += mapped.rejections
        for frame in mapped.frames:
            if not sender.under or frame.machine.startswith(f"{sender.under}/"):
                frames.append(frame)
                continue
            detail = f"The token of {sender.name!r} may send for machines under {sender.under} only."
            rejections.append(
                reject(origin, Reason.MACHINE_UNKNOWN, detail, machine=frame.machine, readings=len(frame))
            )
    return Mapped(frames, rejections)


def _refusal(code: int, text: str, headers: dict[str, str] | None = None) -> Response:
    # "message" is the field that clients of InfluxDB show
    return JSONResponse({"message": text}, code, headers)


async def _healthy(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _ping(request: Request) -> Response:
    """What clients of InfluxDB ask first."""
    return Response(status_code=204)
