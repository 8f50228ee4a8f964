"""Files that are written whole or not at all, and files that one process alone may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


def write_whole(path: Path, data: bytes) -> None:
    """Put ``data`` into ``path``: after a loss of power it holds this or what it held before, never a part.

    Its folder is made if it is not there. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in ``folder`` to the disk: a file that was made or renamed is found again."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class InUseError(Exception):
    """Another process has it."""


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Use ``path`` in this process alone, by a lock beside it that ends with the process.

    Raises `InUseError` at once when another process has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(path.name + ".lock"), blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise InUseError(f"{path} is in use by another process") from None
    try:
        yield
    finally:
        lock.release()
