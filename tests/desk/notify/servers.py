"""A mail server and a webhook receiver that can go down, come up again, and misbehave."""

import json
import socket
import threading
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Mailbox:
    """Takes mail. ``replies``: address → SMTP reply to RCPT; ``data_reply``: instead of taking a letter."""

    def __init__(self):
        self.notifications, self.replies, self.data_reply, self.vanish = [], {}, None, False

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.replies:
            return self.replies[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.data_reply:
            return self.data_reply
        message = message_from_bytes(envelope.content, policy=default)
        self.notifications.append((envelope.rcpt_tos, message))
        if self.vanish:
            server.transport.abort()
        return "250 taken"


class MailServer:
    """A real SMTP server on one port, that can stop and start again."""

    def __init__(self):
        self.port, self.box, self._controller = free_port(), Mailbox(), None

    def start(self):
        self._controller = Controller(self.box, hostname="127.0.0.1", port=self.port, ready_timeout=30)
        self._controller.start()
        return self

    def stop(self):
        if self._controller is not None:
            self._controller.stop()
            self._controller = None


class HookServer:
    """A real HTTP server that keeps every request; ``answer(request number)`` gives the status."""

    def __init__(self):
        self.port, self.requests, self.answer, self._server = free_port(), [], lambda n: 200, None

    def start(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.requests.append((self.path, headers, body))
                status = outer.answer(len(outer.requests))
                if status == 0:  # takes the request, and says nothing
                    self.connection.close()
                    return
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def bodies(self):
        return [json.loads(body) for _, _, body in self.requests]


__all__ = ["HookServer", "MailServer", "free_port"]
