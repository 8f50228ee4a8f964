"""Records to Kafka, or to the spool while it is away; what is held is delivered in order beside live records.

A record is durable when all replicas have acknowledged it, or when it lies synced in the spool. One thread
watches the connection and drains the spool, one writes to it; `send` is called by the sources' threads.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from connectors.base.clock import now_ms
from connectors.kafka.delivery import Done, RecordTooLargeError
from connectors.kafka.errors import KafkaError
from connectors.kafka.outgoing import Record, rejected_records
from connectors.spool.segment import SpoolRecord
from connectors.spool.settings import SpoolSettings
from connectors.spool.spool import Spool
from pipeline.records import Reason, Rejection

#: This many bytes of live records may wait for their acknowledgement, and so many for the spool's disk.
IN_FLIGHT = 16 << 20
_TICK = 0.05
#: Seconds between attempts to write a spool whose disk refuses.
_DISK_RETRY = 1.0

#: More than a record takes on disk beside its key, value and headers.
_OVERHEAD = 200

_Stored = tuple[str, bytes, bytes, tuple[tuple[str, bytes], ...], int | None]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode


class Delivery(Protocol):
    """A connection that delivers records; see `connectors.kafka.delivery.RecordDelivery`."""

    def send(self, record: Record, done: Done) -> None:
        """Send a record; ``done`` is called from another thread. Raises `KafkaError`."""

    def close(self) -> None:
        """Give up what is on its way; returns at once."""


@dataclass(slots=True)
class ForwarderStats:
    """Counts since the start: readings, unless said otherwise."""

    delivered: int = 0
    spooled: int = 0
    drained: int = 0
    too_large_records: int = 0
    outages: int = 0


@dataclass(slots=True)
class _Entry:
    record: Record
    label: str
    readings: int
    done: Callable[[], None]
    waits: bool = False
    since: float = field(default_factory=time.monotonic)

    @property
    def size(self) -> int:
        headers = sum(len(name) + len(value) + 10 for name, value in self.record.headers)
        return len(self.record.value or b"") + 2 * len(self.record.key) + headers + _OVERHEAD


def _nothing() -> None:
    pass


class Forwarder:
    """Delivers what it is given, sooner or later. ``say`` is told when Kafka goes, comes, and of trouble."""

    def __init__(
        self,
        connect: Callable[[], Delivery],
        spool: Spool,
        settings: SpoolSettings,
        rejected_topic: str,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._connect, self.spool, self._settings, self._say = connect, spool, settings, say
        self._rejected_topic = rejected_topic
        self.stats = ForwarderStats()
        self._changed = threading.Condition()
        self._delivery: Delivery | None = None
        self._why = "not connected yet"
        self._flying: dict[int, _Entry] = {}
        self._flying_bytes = 0
        self._number = 0
        self._to_spool: deque[_Entry] = deque()
        self._to_spool_bytes = 0
        self._stopped = False
        self._finished = False
        self._threads: list[threading.Thread] = []

    # -- what the sources use

    @property
    def connected(self) -> bool:
        """Whether live records go to Kafka now."""
        return self._delivery is not None

    @property
    def trouble(self) -> str:
        """Why they do not."""
        return "" if self.connected else self._why

    def send(
        self, record: Record, label: str, readings: int, done: Callable[[], None], *, can_wait: bool = False
    ) -> bool:
        """Take a record of ``label`` (its machine); ``done`` is called when it is durable.

        Waits while too many are on their way. With ``can_wait`` and `SpoolSettings.keep` "oldest" it waits
        while the spool is full, too; else the spool drops records. False when the forwarder was stopped: the
        record was not taken.
        """
        entry = _Entry(record, label, readings, done, can_wait and self._settings.keep == "oldest")
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._takes(entry))
            if self._stopped:
                return False
            delivery = self._delivery
            if delivery is None:
                self._hold(entry)
                return True
            self._number += 1
            number = self._number
            self._flying[number] = entry
            self._flying_bytes += entry.size
        try:
            delivery.send(record, lambda error: self._landed(delivery, number, error))
        except KafkaError as error:
            self._landed(delivery, number, error)
        return True

    def _takes(self, entry: _Entry) -> bool:
        if self._delivery is not None:
            return not self._flying or self._flying_bytes + entry.size <= IN_FLIGHT
        if entry.waits and not self.spool.has_room(self._to_spool_bytes + entry.size):
            return False
        return not self._to_spool or self._to_spool_bytes + entry.size <= IN_FLIGHT

    def _hold(self, entry: _Entry) -> None:
        self._to_spool.append(entry)
        self._to_spool_bytes += entry.size
        self._changed.notify_all()

    def _landed(self, delivery: Delivery, number: int, error: BaseException | None) -> None:
        """A live record was acknowledged, or failed. From any thread."""
        with self._changed:
            entry = self._flying.get(number)
            if entry is None:
                return  # it went to the spool meanwhile
            if error is not None and not isinstance(error, RecordTooLargeError):
                self._disconnect(delivery, str(error))
                return
            del self._flying[number]
            self._flying_bytes -= entry.size
            self._changed.notify_all()
        if error is None:
            self.stats.delivered += entry.readings
            entry.done()
        else:
            self._refuse(entry, str(error))

    def _refuse(self, entry: _Entry, why: str) -> None:
        """A record that no broker takes: its beginning is kept where rejected input is."""
        self.stats.too_large_records += 1
        self._say(f"A record of {entry.size:,} bytes of {entry.label} was refused: {why}")
        if entry.record.topic == self._rejected_topic:
            entry.done()
            return
        detail = (
            f"A message of {len(entry.record.value or b'')} bytes, which the brokers refuse: {why}. "
            "Send fewer at once."
        )
        self._reject(
            Rejection(
                Reason.TOO_LARGE,
                detail,
                (entry.record.value or b"")[:100_000],
                now_ms(),
                machine=entry.label,
                readings=entry.readings,
                topic=entry.record.topic,
            ),
            entry.done,
        )

    def _reject(self, rejection: Rejection, done: Callable[[], None] = _nothing) -> None:
        (record,) = rejected_records([rejection], self._rejected_topic)
        with self._changed:
            # By way of the spool: this may be a thread of the client's that must not wait.
            self._hold(_Entry(record, rejection.machine or "", 0, done))

    # -- the connection

    def start(self) -> None:
        """Connect and go on, in threads of its own."""
        for target, name in ((self._keep, "forwarder"), (self._write_spool, "spool")):
            thread = threading.Thread(target=target, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _keep(self) -> None:
        retry_at = 0.0
        while True:
            with self._changed:
                if self._stopped:
                    return
                delivery = self._delivery
            if delivery is None and time.monotonic() >= retry_at:
                self._try_to_connect()
                retry_at = time.monotonic() + self._settings.retry
                continue
            if delivery is not None:
                self._look_for_stuck(delivery)
                if not self.spool.empty and self._drain(delivery):
                    continue
                self._tell_of_dropped()
            with self._changed:
                self._changed.wait_for(lambda: self._stopped, _TICK)

    def _try_to_connect(self) -> None:
        try:
            delivery = self._connect()
        except KafkaError as error:
            with self._changed:
                if str(error) != self._why:
                    self._why = str(error)
                    self._say(f"Kafka is away, readings are held in the spool: {self._why}")
            return
        with self._changed:
            self._delivery = delivery
            self._changed.notify_all()
        self._say(f"Kafka is there; {self.spool.waiting:,} records of the spool to deliver")

    def _disconnect(self, delivery: Delivery, why: str) -> None:
        """Give up a connection: what was on its way goes to the spool. With the lock."""
        if self._delivery is not delivery:
            return
        self._delivery, self._why = None, why
        self.stats.outages += 1
        flying, self._flying, self._flying_bytes = self._flying, {}, 0
        for entry in flying.values():
            self._hold(entry)
        self._changed.notify_all()
        delivery.close()
        self._say(f"Kafka is away, readings are held in the spool: {why}")

    def _look_for_stuck(self, delivery: Delivery) -> None:
        with self._changed:
            oldest = next(iter(self._flying.values()), None)
            if oldest is not None and time.monotonic() - oldest.since > self._settings.patience:
                self._disconnect(delivery, f"no acknowledgement within {self._settings.patience:g} s")

    # -- the spool

    def _write_spool(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._to_spool or self._finished)
                if not self._to_spool:
                    return
                entries = list(self._to_spool)
            entries = self._that_fit(entries)
            if not entries:  # the first waits for room
                with self._changed:
                    if self._finished:
                        return
                    self._changed.wait(_DISK_RETRY)
                continue
            try:
                held = [self.spool.append(_stored(e.record), e.label, e.readings) for e in entries]
                self.spool.sync()
            except OSError as error:
                self._say(f"The spool cannot be written, trying again: {error}")
                with self._changed:
                    if self._changed.wait_for(lambda: self._finished, _DISK_RETRY):
                        return
                continue
            with self._changed:
                for entry in entries:
                    self._to_spool.popleft()
                    self._to_spool_bytes -= entry.size
                self._changed.notify_all()
            for entry, kept in zip(entries, held, strict=True):
                self.stats.spooled += entry.readings if kept else 0
                entry.done()

    def _that_fit(self, entries: list[_Entry]) -> list[_Entry]:
        """Those up to the first that waits for room in the spool."""
        size = 0
        for at, entry in enumerate(entries):
            size += entry.size
            if entry.waits and not self.spool.has_room(size):
                return entries[:at]
        return entries

    def _drain(self, delivery: Delivery) -> bool:
        """Deliver one window of what is held; False when there was nothing, or it did not work."""
        records = self.spool.read(self._settings.drain_bytes)
        if not records:
            return False
        failed: list[BaseException] = []
        landed = threading.Semaphore(0)
        for record in records:
            self._send_held(delivery, record, failed, landed)
        deadline = time.monotonic() + self._settings.patience
        for _ in records:
            if failed or not landed.acquire(timeout=max(0.0, deadline - time.monotonic())):
                break
            self._look_for_stuck(delivery)
        else:
            if not failed:
                return self._drained(records)
        self.spool.rewind()
        why = str(failed[0]) if failed else f"no acknowledgement within {self._settings.patience:g} s"
        with self._changed:
            self._disconnect(delivery, why)
        return False

    def _send_held(
        self, delivery: Delivery, held: SpoolRecord, failed: list[BaseException], landed: threading.Semaphore
    ) -> None:
        record = Record(*_decode(held.data))

        def done(error: BaseException | None) -> None:
            if isinstance(error, RecordTooLargeError):
                self._refuse(_Entry(record, held.label, held.readings, _nothing), str(error))
            elif error is not None:
                failed.append(error)
            landed.release()

        try:
            delivery.send(record, done)
        except KafkaError as error:
            done(error)

    def _drained(self, records: list[SpoolRecord]) -> bool:
        try:
            self.spool.delivered(records[-1].number)
        except OSError as error:
            self._say(f"The spool cannot be written, what was delivered may come twice: {error}")
        self.stats.drained += sum(record.readings for record in records)
        with self._changed:
            self._changed.notify_all()  # there may be room again
        return True

    def _tell_of_dropped(self) -> None:
        for label, readings in self.spool.drain_dropped().items():
            detail = (
                f"{readings} readings were dropped while Kafka was away: the spool of "
                f"{self.spool.max_bytes:,} bytes was full and keeps the {self.spool.keep}. "
                "Enlarge spool.max_bytes."
            )
            self._reject(
                Rejection(
                    Reason.SPOOL_FULL,
                    detail,
                    b"",
                    now_ms(),
                    machine=label or None,
                    readings=readings,
                    topic="spool",
                )
            )

    def stop(self) -> None:
        """Stop taking records; returns when what is on its way is acknowledged or in the spool."""
        deadline = time.monotonic() + self._settings.patience
        with self._changed:
            self._changed.wait_for(lambda: not self._flying, max(0.0, deadline - time.monotonic()))
            self._stopped = True
            if self._delivery is not None and self._flying:
                self._disconnect(self._delivery, "stopped")
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._to_spool, 10.0)
            self._finished = True
            self._changed.notify_all()
            delivery = self._delivery
        for thread in self._threads:
            thread.join(timeout=self._settings.patience + 1)
        if delivery is not None:
            delivery.close()
        self.spool.close()


def _stored(record: Record) -> bytes:
    return _encode((record.topic, record.key, record.value, record.headers, record.partition))
