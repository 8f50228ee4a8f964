"""Files that nobody but their owner may read."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def own_alone(path: Path) -> None:
    """Make ``path`` if need be, and close it to all but its owner; SQLite's files beside it follow it.

    A file of another owner stays as it is.
    """
    path.touch(mode=0o600)
    for one in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        with suppress(FileNotFoundError, PermissionError):
            if one.stat().st_mode & 0o077:
                one.chmod(0o600)
