"""Where built services are kept: a cache outside the repository, filled once and shared by every clone."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from local_services.errors import ServiceError

PROGRESS_EVERY = 10.0  # seconds between two lines of progress of a long build


def cache_folder() -> Path:
    """``$YEJI_CACHE``, or ``yeji`` in ``$XDG_CACHE_HOME`` (``~/.cache``)."""
    own = os.environ.get("YEJI_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "yeji"


def key_of(version: str, sources: Iterable[Path]) -> str:
    """A name for what is built from these files: it changes when any of them does."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return f"{version}-{digest.hexdigest()[:12]}"


def is_built(kind: str, key: str) -> bool:
    """Whether the cache holds it already."""
    return (cache_folder() / kind / key).is_dir()


def built(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder ``kind/key`` of the cache, filled by ``build(folder)`` when it is not there yet.

    Others that want the same thing wait for the first to finish. A build that fails or is killed leaves
    nothing behind under the final name.
    """
    parent = cache_folder() / kind
    final = parent / key
    if final.is_dir():
        return final
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServiceError(
            f"The cache {parent} cannot be written ({error.strerror}). Set YEJI_CACHE to a folder that can."
        ) from error
    with (parent / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not final.is_dir():
            with tempfile.TemporaryDirectory(dir=parent, prefix=f"{key}.part-") as scratch:
                folder = Path(scratch) / "made"
                folder.mkdir()
                build(folder)
                folder.rename(final)
    return final


def say(text: str) -> None:
    """One line of progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def run_build(
    what: str, command: list[str], *, cwd: Path, log: Path, env: Mapping[str, str] | None = None
) -> None:
    """Run one step of a build, its output in ``log``, and tell every few seconds that it goes on.

    Raises ServiceError with the end of the log when the command fails.
    """
    began = told = time.monotonic()
    with log.open("ab") as out:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None:
                time.sleep(0.1)
                if time.monotonic() - told >= PROGRESS_EVERY:
                    told = time.monotonic()
                    say(f"  {what}: {told - began:.0f} s … {last_line(log)[:90]}")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode:
        kept = Path(tempfile.mkdtemp(prefix="yeji-build-")) / log.name
        shutil.copy(log, kept)
        raise ServiceError(
            f"{what} failed: `{' '.join(command)}` ended with {process.returncode}.\n{tail(log)}\n"
            f"The whole log is {kept}. Check that the package registry can be reached, and run it again."
        )


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, indented."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return "  (no log)"
    return "\n".join("  " + line for line in text.splitlines()[-lines:]) or "  (the log is empty)"


def last_line(log: Path) -> str:
    """The last line of a log, or nothing."""
    return tail(log, 1).strip()
