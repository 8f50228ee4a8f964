"""A server as a process: start it, wait until it answers, know it again by its pid file, stop it."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local_services.cache import tail
from local_services.errors import ServiceError

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded here: after fork only the call itself is safe


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listening(port: int) -> bool:
    """Whether somebody accepts connections on 127.0.0.1:``port``."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _began(pid: int) -> int | None:
    """When the process began, in clock ticks since boot; None if there is none (or only its zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


@dataclass(frozen=True)
class Server:
    """One server's process. ``folder`` holds ``<name>.pid`` and ``<name>.log``."""

    name: str
    folder: Path

    @property
    def log(self) -> Path:
        """What the server printed."""
        return self.folder / f"{self.name}.log"

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    def pid(self) -> int | None:
        """The id of the running process, or None. A pid that was given to another process is not ours."""
        try:
            known = json.loads(self._pid_file.read_text())
            pid, began = int(known["pid"]), int(known["began"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return pid if _began(pid) == began else None

    def start(
        self,
        command: list[str],
        *,
        ready: Callable[[], bool],
        tied: bool,
        timeout: float = 60.0,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start the command in a session of its own and wait until ``ready()``.

        tied: the server dies with this process, however that ends. Otherwise it stays in the background.
        Raises ServiceError with the end of the log when it ends early or is not ready in ``timeout`` seconds.
        """
        with self.log.open("ab") as out:
            process = subprocess.Popen(  # noqa: S603
                command,
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to handle, in order
                preexec_fn=_die_with_parent if tied else None,
            )
        self._pid_file.write_text(json.dumps({"pid": process.pid, "began": _began(process.pid)}))
        deadline = time.monotonic() + timeout
        try:
            while not ready():
                if process.poll() is not None:
                    raise ServiceError(
                        f"{self.name} ended with {process.returncode} while starting. "
                        f"The end of {self.log}:\n{tail(self.log)}"
                    )
                if time.monotonic() > deadline:
                    raise ServiceError(
                        f"{self.name} did not answer within {timeout:.0f} s. The end of {self.log}:\n"
                        f"{tail(self.log)}"
                    )
                time.sleep(0.1)
        except BaseException:
            self.stop(grace=2.0)
            raise

    def stop(self, grace: float = 30.0) -> bool:
        """Ask the server to end, and kill it after ``grace`` seconds. False: it was not running."""
        pid = self.pid()
        if pid is None:
            self._pid_file.unlink(missing_ok=True)
            return False
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 10.0)):
            try:
                os.killpg(pid, number)
            except ProcessLookupError:
                break
            deadline = time.monotonic() + patience
            while self.pid() is not None and time.monotonic() < deadline:
                time.sleep(0.05)
            if self.pid() is None:
                break
        self._reap(pid)
        self._pid_file.unlink(missing_ok=True)
        return True

    @staticmethod
    def _reap(pid: int) -> None:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return  # started by another process, which has ended: init reaps it
