"""The spool against a model: whatever happens, what was synced comes out once, in order, whole."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connectors.spool.disk import FolderDisk
from connectors.spool.segment import SpoolRecord
from connectors.spool.spool import Spool
from tests.connectors.spool.losing_disk import LosingDisk


class SpoolOverPowerCuts(RuleBasedStateMachine):
    """Appends, syncs, reads, delivers and loses power in any order; the model is a list of records."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = LosingDisk()
        self.spool = Spool(self.disk, 1 << 30, segment_bytes=200)
        self.count = 0
        self.safe: list[bytes] = []  # synced, not delivered
        self.appended: list[bytes] = []  # not synced yet
        self.read: list[tuple[int, bytes]] = []  # read, not delivered yet
        self.known_delivered: set[bytes] = set()
        self.twice: set[bytes] = {b"never"}  # appended again after an error of the disk: may come twice

    @rule(size=st.integers(0, 120))
    def append(self, size: int) -> None:
        self.count += 1
        data = b"%d:" % self.count + b"x" * size
        assert self.spool.append(data, "m", 1)
        self.appended.append(data)

    @rule()
    def sync(self) -> None:
        self.spool.sync()
        self.safe += self.appended
        self.appended = []

    @rule()
    def disk_fails_once(self) -> None:
        self.disk.broken = True
        with pytest.raises(OSError, match="Input/output"):
            self._append_and_sync(b"never")
        self.disk.broken = False
        # what was not synced is to be appended again
        self.twice |= set(self.appended)
        for data in self.appended:
            self.spool.append(data, "m", 1)

    @rule(most=st.integers(1, 400))
    def read_some(self, most: int) -> None:
        self.read += [(record.number, record.data) for record in self.spool.read(most)]

    @precondition(lambda self: self.read)
    @rule(chance=st.randoms(use_true_random=False))
    def deliver(self, chance: random.Random) -> None:
        upto = chance.randint(1, len(self.read))
        done, self.read = self.read[:upto], self.read[upto:]
        self.spool.delivered(done[-1][0])
        self._forget({data for _, data in done})

    @rule()
    def rewind(self) -> None:
        self.spool.rewind()
        self.read = []

    @rule(chance=st.randoms(use_true_random=False))
    def power_cut(self, chance: random.Random) -> None:
        self.disk = self.disk.power_cut(chance)
        self.spool = Spool(self.disk, 1 << 30, segment_bytes=200)
        self.read = []
        found = [record.data for record in self._everything()]
        self.spool.rewind()
        assert len(found) == len(set(found)) or set(found) & self.twice
        assert not set(found) & self.known_delivered - self.twice, "delivered again"
        # Everything that was synced, in order; then perhaps a beginning of what was not.
        kept = list(dict.fromkeys(data for data in found if data not in self.known_delivered | {b"never"}))
        assert kept[: len(self.safe)] == self.safe
        assert kept[len(self.safe) :] == self.appended[: len(kept) - len(self.safe)]
        self.safe, self.appended = kept, []

    def _append_and_sync(self, data: bytes) -> None:
        self.spool.append(data, "m", 1)
        self.spool.sync()

    def _everything(self) -> list[SpoolRecord]:
        found: list[SpoolRecord] = []
        while some := self.spool.read(300):
            found += some
        return found

    def _forget(self, done: set[bytes]) -> None:
        self.known_delivered |= done
        self.safe = [data for data in self.safe if data not in done]
        self.appended = [data for data in self.appended if data not in done]

    @invariant()
    def it_knows_whether_it_is_empty(self) -> None:
        assert self.spool.empty == (self.spool.waiting == 0)
        if self.safe or self.appended:
            assert not self.spool.empty


TestSpoolOverPowerCuts = SpoolOverPowerCuts.TestCase
TestSpoolOverPowerCuts.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def filled(keep: Literal["newest", "oldest"], records: int, max_bytes: int = 2000) -> Spool:
    spool = Spool(LosingDisk(), max_bytes, keep)
    for number in range(records):
        spool.append(b"%06d" % number + bytes(44), f"machine-{number % 2}", 10)
    spool.sync()
    return spool


def held(spool: Spool) -> list[int]:
    numbers: list[int] = []
    while some := spool.read(500):
        numbers += [int(record.data[:6]) for record in some]
    return numbers


def test_a_full_spool_keeps_the_newest_and_counts_what_it_drops() -> None:
    spool = filled("newest", 100)
    numbers = held(spool)
    assert numbers == list(range(numbers[0], 100)), "a stretch without holes up to the last"
    assert spool.size <= 2000
    assert len(numbers) * 85 > 0.8 * 2000, "and not much less than it may hold"
    dropped = spool.drain_dropped()
    assert dropped == {"machine-0": 10 * -(-numbers[0] // 2), "machine-1": 10 * (numbers[0] // 2)}
    assert dropped.total() == spool.dropped_readings == 10 * numbers[0]
    assert not spool.drain_dropped(), "told once"


def test_a_full_spool_keeps_the_oldest_and_counts_what_it_drops() -> None:
    spool = filled("oldest", 100)
    numbers = held(spool)
    assert numbers == list(range(len(numbers)))
    assert spool.size <= 2000 < spool.size + 100
    assert spool.drain_dropped().total() == 10 * (100 - len(numbers))
    spool.delivered(spool.waiting)
    assert spool.append(b"again", "m", 1), "there is room again"


def test_what_was_delivered_before_it_was_dropped_is_not_counted_as_dropped() -> None:
    spool = filled("newest", 20)
    spool.read(5 * 85)
    spool.delivered(5)
    for number in range(20, 100):
        spool.append(b"%06d" % number + bytes(44), "machine-0", 10)
    assert spool.drain_dropped().total() == 10 * (100 - 5 - len(held(spool)))


def test_a_full_disk_is_an_error_and_nothing_else_is_lost() -> None:
    disk = LosingDisk(capacity=500)
    spool = Spool(disk, 1 << 20)
    stored = itertools.count()

    def fill() -> None:
        while spool.append(b"%06d" % next(stored), "m", 1):
            spool.sync()

    with pytest.raises(OSError, match="No space left"):
        fill()
    last = next(stored) - 1  # the one that failed
    disk.capacity = 1 << 20
    spool.append(b"%06d" % last, "m", 1)
    spool.sync()
    assert held(spool) == list(range(last + 1))
    assert held(Spool(disk.power_cut(random.Random(1)), 1 << 20)) == list(range(last + 1))


def test_a_file_that_was_damaged_in_its_middle_loses_only_what_follows_in_it(tmp_path: Path) -> None:
    spool = Spool(FolderDisk(tmp_path), 1 << 20, segment_bytes=500)
    for number in range(40):
        spool.append(b"%06d" % number + bytes(44), "m", 1)
    spool.close()
    files = sorted(tmp_path.glob("*.spool"))
    data = bytearray(files[1].read_bytes())
    data[len(data) // 2] ^= 1
    files[1].write_bytes(data)
    again = Spool(FolderDisk(tmp_path), 1 << 20, segment_bytes=500)
    numbers = held(again)
    gap = next(number for number, after in enumerate(numbers) if number != after)
    assert numbers == [*range(gap), *range(numbers[gap], 40)]
    assert again.damaged_bytes > 0


def test_it_goes_on_where_it_was_after_a_restart(tmp_path: Path) -> None:
    spool = Spool(FolderDisk(tmp_path), 1 << 20)
    for number in range(10):
        spool.append(b"%06d" % number, "m", 1)
    spool.delivered(spool.read(100)[2].number)
    spool.close()
    again = Spool(FolderDisk(tmp_path), 1 << 20)
    assert held(again) == list(range(3, 10))
    again.delivered(10)
    assert again.empty
    assert Counter(path.suffix for path in tmp_path.iterdir()) == {"": 1}, "only the number is left"
    again.append(b"%06d" % 99, "m", 1)
    assert held(again) == [99]
