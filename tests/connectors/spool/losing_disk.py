"""A disk in memory that loses power: what was not synced is gone, whole, in part, or turned to zeros."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass
class _Stored:
    synced: bytes = b""
    written: bytes = b""  # after ``synced``, not yet safe


@dataclass
class _LosingFile:
    disk: LosingDisk
    stored: _Stored

    def write(self, data: bytes) -> None:
        self.disk.fail_if_full(len(data), self.stored, data)
        self.stored.written += data

    def sync(self) -> None:
        if self.disk.broken:
            self.stored.written = b""  # as Linux does: pages that could not be written are given up
            raise OSError(5, "Input/output error")
        self.stored.synced += self.stored.written
        self.stored.written = b""

    def close(self) -> None:
        pass


@dataclass
class LosingDisk:
    """``names`` that were not synced may be lost too, and removed files may come back."""

    files: dict[str, _Stored] = field(default_factory=dict)
    safe_names: set[str] = field(default_factory=set)
    removed: dict[str, _Stored] = field(default_factory=dict)
    capacity: int = 1 << 40
    broken: bool = False

    def fail_if_full(self, size: int, stored: _Stored, data: bytes) -> None:
        used = sum(len(one.synced) + len(one.written) for one in self.files.values())
        if used + size > self.capacity:
            stored.written += data[: max(0, self.capacity - used)]  # a torn write
            raise OSError(28, "No space left on device")

    def names(self) -> list[str]:
        return list(self.files)

    def read(self, name: str, start: int = 0, size: int = -1) -> bytes:
        stored = self.files[name]
        data = stored.synced + stored.written
        return data[start:] if size < 0 else data[start : start + size]

    def create(self, name: str) -> _LosingFile:
        self.files[name] = _Stored()
        self.removed.pop(name, None)
        return _LosingFile(self, self.files[name])

    def replace(self, name: str, data: bytes) -> None:
        if self.broken:
            raise OSError(5, "Input/output error")
        self.files[name] = _Stored(synced=data)
        self.safe_names.add(name)

    def remove(self, name: str) -> None:
        stored = self.files.pop(name, None)
        if stored is not None and name in self.safe_names:
            self.removed[name] = stored

    def sync_names(self) -> None:
        self.safe_names.update(self.files)
        self.safe_names &= set(self.files)
        self.removed.clear()

    def power_cut(self, chance: random.Random) -> LosingDisk:
        """What is there when power is back."""
        after = LosingDisk(capacity=self.capacity)
        for name, stored in self.files.items():
            if name in self.safe_names or chance.random() < 0.5:
                after.files[name] = _Stored(_torn(stored, chance))
        for name, stored in self.removed.items():
            if chance.random() < 0.5:
                after.files.setdefault(name, _Stored(stored.synced))
        after.safe_names = set(after.files)
        return after


def _torn(stored: _Stored, chance: random.Random) -> bytes:
    rest = stored.written[: chance.randint(0, len(stored.written))]
    if rest and chance.random() < 0.5:  # the length came to the disk, the bytes did not
        at = chance.randrange(len(rest))
        rest = rest[:at] + bytes(len(rest) - at)
    return stored.synced + rest
