"""An HTTP proxy in front of InfluxDB that is slow, refuses, lies and cuts, as it is told."""

from __future__ import annotations

import http.client
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

#: What it may do to a request instead of passing it on: status, headers and body of an answer; "cut" ends the
#: connection within the answer, "late" passes the request on and loses the answer.
LIES: tuple[tuple[str, int, bytes], ...] = (
    ("busy", 429, b'{"code":"too many requests","message":"wait"}'),
    ("broken", 500, b"\xff\xfe no UTF-8 \x80"),
    ("gateway", 502, "<h1>Gateway überlastet</h1>".encode("latin-1")),
    ("away", 503, b""),
    ("portal", 200, b"<html>sign in</html>"),
    ("refused", 400, b"<html>bad request</html>"),
    ("cut", 204, b""),
    ("late", 204, b""),
)


_KEPT = ("content-type", "x-")


class LyingProxy:
    """Passes requests on, of which ``share`` meet one of `LIES` and the rest ``delay`` seconds of waiting."""

    def __init__(self, target: str, seed: int) -> None:
        self.share, self.delay, self.shut = 0.0, 0.0, False
        self.told: dict[str, int] = {}
        rng, lock = random.Random(seed), threading.Lock()
        parts = urlsplit(target)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with lock:
                    lie = rng.choice(LIES) if rng.random() < proxy.share else None
                    if lie is not None:
                        proxy.told[lie[0]] = proxy.told.get(lie[0], 0) + 1
                if proxy.shut:
                    self.close_connection = True
                    return
                time.sleep(proxy.delay)
                if lie is None or lie[0] == "late":
                    answer = self._pass_on(body)
                    if lie is None:
                        self._answer(*answer)
                    self.close_connection = True
                elif lie[0] == "cut":
                    self.wfile.write(b"HTTP/1.1 204 No Con")
                    self.close_connection = True
                else:
                    self._answer(lie[1], [("Retry-After", "1")], lie[2])

            do_GET = do_POST

            def _pass_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
                connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=30)
                try:
                    headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
                    connection.request(self.command, self.path, body, headers)
                    answer = connection.getresponse()
                    kept = [
                        (k, v) for k, v in answer.getheaders() if k.lower().startswith(("content-type", "x-"))
                    ]
                    return answer.status, kept, answer.read()
                finally:
                    connection.close()

            def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if status != 204:
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def honest(self) -> None:
        """From now on everything gets through at once."""
        self.share, self.delay, self.shut = 0.0, 0.0, False

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
