"""A TCP proxy on loopback in front of a broker: it passes bytes on, late or not at all, or cuts."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress

_CHUNK = 16 << 10


class CuttingProxy:
    """Listens on ``port`` and passes on to the port ``target`` of loopback.

    ``delay`` (s): each chunk waits so long. ``silent``: nothing is passed on, and no connection ends: a cable
    that is pulled. `cut` resets all connections in the middle of what they say.
    """

    def __init__(self, port: int, target: int) -> None:
        self.delay, self.silent = 0.0, False
        self.cuts = 0
        self._target = target
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def honest(self) -> None:
        """From now on everything gets through at once."""
        self.delay, self.silent = 0.0, False

    def cut(self) -> None:
        """Reset all connections that there are; new ones are let in."""
        with self._lock:
            victims, self._open = self._open, set()
        for one in victims:
            with suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.cuts += len(victims)

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()
        self.honest()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(_CHUNK):
                time.sleep(self.delay)
                while self.silent:
                    time.sleep(0.05)
                sink.sendall(data)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open -= {source, sink}
            for one in (source, sink):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)  # or the other thread's `recv` keeps it open
                one.close()
