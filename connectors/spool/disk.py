"""The few things that a spool asks of a disk, and the real disk; tests have one that loses power."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from connectors.files.whole import sync_folder, write_whole


class AppendFile(Protocol):
    """A file that is only appended to. All raise OSError."""

    def write(self, data: bytes) -> None:
        """Append; it may be lost in a power cut until `sync` has returned."""

    def sync(self) -> None:
        """Return when everything that was written is on the disk."""

    def close(self) -> None:
        """Close it, without a `sync`."""


class Disk(Protocol):
    """One flat folder of files. All raise OSError."""

    def names(self) -> list[str]:
        """The files there are."""

    def read(self, name: str, start: int = 0, size: int = -1) -> bytes:
        """``size`` bytes of a file from ``start``; -1 = all the rest."""

    def create(self, name: str) -> AppendFile:
        """A new, empty file to append to; its name lasts from `sync_names` on."""

    def replace(self, name: str, data: bytes) -> None:
        """Put ``data`` in the file's place; after a power cut it is the old or the new, whole."""

    def remove(self, name: str) -> None:
        """Remove a file; it may be back after a power cut."""

    def sync_names(self) -> None:
        """Return when created names are on the disk."""


class FolderDisk:
    """A `Disk` in a folder of the file system."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def names(self) -> list[str]:
        """The files there are."""
        return [path.name for path in self.folder.iterdir() if path.is_file()]

    def read(self, name: str, start: int = 0, size: int = -1) -> bytes:
        """``size`` bytes of a file from ``start``; -1 = all the rest."""
        with (self.folder / name).open("rb") as file:
            file.seek(start)
            return file.read(size)

    def create(self, name: str) -> AppendFile:
        """A new, empty file to append to."""
        return _FolderFile(self.folder / name)

    def replace(self, name: str, data: bytes) -> None:
        """Write a file whole or not at all."""
        write_whole(self.folder / name, data)

    def remove(self, name: str) -> None:
        """Remove a file."""
        (self.folder / name).unlink(missing_ok=True)

    def sync_names(self) -> None:
        """Sync the folder."""
        sync_folder(self.folder)


class _FolderFile:
    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:  # a raw file may take less than it was given
            view = view[self._file.write(view) :]

    def sync(self) -> None:
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
