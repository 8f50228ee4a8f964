"""Readings from MQTT: payloads through the source's mapping, acknowledged when they are durable."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from connectors.base.clock import now_ms
from connectors.base.contract import Item
from connectors.base.gather import gathered
from connectors.base.push import PushSource
from connectors.base.samples import Samples
from connectors.mapping.mapping import Mapped, Mapping
from connectors.mqtt.connection import MqttConnection, Token
from connectors.mqtt.settings import MqttSettings
from pipeline.records import Frame

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

#: This many topics' latest payloads are remembered, to know what comes again.
_REMEMBERED = 200_000
#: Arrivals of a topic that come faster than one a ms are told apart by up to so many ms ahead of the clock.
_AHEAD = 1000


class _Arrival(NamedTuple):
    topic: str
    payload: bytes
    received: int
    retained: bool


class MqttSource(PushSource[_Arrival]):
    """Subscribes to topics and maps what comes on them. Goes on by itself after a loss of the connection.

    Not brought again: what the broker delivers a second time because it had no acknowledgement, a payload
    with a time of its own that is the topic's latest one once more, and kept ("retained") messages as
    `MqttSettings.retained` says.
    """

    can_wait = True

    def __init__(self, name: str, settings: MqttSettings) -> None:
        super().__init__(name, settings.gather)
        self._settings = settings
        self._mapping = Mapping(settings.mapping, source=name)
        self._connection = MqttConnection(
            name, settings.broker, settings.topics, settings.qos, self._arrived, self._state
        )
        # of this connection: what came and is not acknowledged; of earlier ones: what will come again
        self._open: dict[Token, int] = {}
        self._again: Counter[int] = Counter()
        self._came: dict[str, int] = {}
        # of topics that carry a bare number: whose it is, which depends on the topic alone
        self._bare: dict[str, tuple[str, str]] = {}
        self._latest: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def open(self) -> None:
        """Connect, in a thread of its own."""
        self._connection.start()

    def shut(self) -> None:
        """Disconnect."""
        self._connection.stop()

    def acknowledge(self, tokens: list[object]) -> None:
        """Acknowledge messages to the broker."""
        for token in tokens:
            self._open.pop(token, None)  # type: ignore[call-overload]
        self._connection.acknowledge(tokens)

    # -- in the connection's thread

    def _state(self, connected: bool, detail: str) -> None:
        if not connected and self._open:
            lost, self._open = self._open, {}
            self._again.update(lost.values())
        self.status.connected, self.status.detail = connected, detail

    def _arrived(self, message: MQTTMessage, token: Token | None) -> None:
        tokens: list[object] = [] if token is None else [token]
        if token is not None:
            content = hash((message.topic, message.payload))
            if message.dup and self._again[content] > 0:
                # What it holds is on its way already: only its acknowledgement is due, after that.
                self._again[content] -= 1
                self.status.repeated += 1
                self._open[token] = content
                self.put_all([], tokens, wait=True)
                return
            self._open[token] = content
        arrival = _Arrival(message.topic, bytes(message.payload), self._now(message.topic), message.retain)
        self.put_all([arrival], tokens, wait=True)

    def _now(self, topic: str) -> int:
        """When a message came, never the same for two of a topic: one without a time would hide the other."""
        now = now_ms()
        last = self._came.get(topic, 0)
        if now <= last:
            now = min(last + 1, now + _AHEAD)
        if len(self._came) >= _REMEMBERED:
            self._came.clear()
        self._came[topic] = now
        return now

    # -- in the iterating thread

    def convert(self, arrivals: list[_Arrival]) -> Iterable[Item]:
        """One frame a machine of everything that came, and what could not be read."""
        frames: list[Frame] = []
        rejected: list[Item] = []
        bare = Samples()
        for arrival in arrivals:
            known = self._bare.get(arrival.topic)
            if known is not None and not arrival.retained:
                number = _bare_number(arrival.payload)
                if number is not None:
                    bare.add(*known, arrival.received, number)
                    continue
            if not arrival.payload or (arrival.retained and self._settings.retained == "ignore"):
                self.status.repeated += bool(arrival.payload)  # an empty one only removes a kept one
                continue
            mapped = self._mapping.apply(arrival.payload, arrival.topic, arrival.received)
            if known is None and _bare_number(arrival.payload) is not None:
                self._remember_bare(arrival, mapped)
            if self._is_new(arrival, mapped.frames):
                frames += mapped.frames
                rejected += mapped.rejections
            else:
                self.status.repeated += 1
        whole = gathered([*bare.frames(), *frames])
        self.status.readings += sum(len(frame) for frame in whole)
        self.status.rejected += len(rejected)
        return [*whole, *rejected]

    def _remember_bare(self, arrival: _Arrival, mapped: Mapped) -> None:
        """Whose the bare numbers of a topic are, as the mapping reads them: one value, at its arrival."""
        if len(mapped.frames) != 1 or mapped.rejections or len(self._bare) >= _REMEMBERED:
            return
        (frame,) = mapped.frames
        if frame.time.tolist() == [arrival.received] and len(frame.sensors) == 1 and frame.uncertain is None:
            self._bare[arrival.topic] = (frame.machine, frame.sensors[0])

    def _is_new(self, arrival: _Arrival, frames: list[Frame]) -> bool:
        timed = [int(frame.time[-1]) for frame in frames if int(frame.time[-1]) != arrival.received]
        if not timed:
            return not arrival.retained or self._settings.retained == "take" or not frames
        latest, content = max(timed), hash(arrival.payload)
        known = self._latest.get(arrival.topic)
        if known is not None and (known == (latest, content) or (arrival.retained and latest <= known[0])):
            return False
        self._latest[arrival.topic] = (latest if known is None else max(latest, known[0]), content)
        self._latest.move_to_end(arrival.topic)
        if len(self._latest) > _REMEMBERED:
            self._latest.popitem(last=False)
        return True


def _bare_number(payload: bytes) -> float | None:
    """A payload that is one finite number in plain digits, else None: then the mapping reads it.

    >>> _bare_number(b"23.5"), _bare_number(b"nan"), _bare_number(b'{"a": 1}')
    (23.5, None, None)
    """
    if len(payload) > 32 or b"_" in payload:
        return None
    try:
        number = float(payload)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
