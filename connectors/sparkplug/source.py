"""Readings from Sparkplug B: a host application that asks for births where it missed something."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from connectors.base.clock import now_ms
from connectors.base.contract import Item
from connectors.base.push import PushSource
from connectors.mapping.mapping import Mapping
from connectors.mqtt.connection import MqttConnection, Token
from connectors.sparkplug.host import Arrival, Host, Version, rebirth_command
from connectors.sparkplug.settings import SparkplugSettings
from pipeline.settings import SettingsError
from pipeline.wire.readings import RejectedError

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

_FIELDS = ("group", "node", "device")
#: Seconds between looks at which nodes are to be asked for births.
_LOOK = 0.5


class SparkplugSource(PushSource[Arrival]):
    """Follows all edge nodes of its groups.

    Values that a node held back and sends later (historical) come in frames of their own, after live ones.
    """

    can_wait = True

    def __init__(self, name: str, settings: SparkplugSettings) -> None:
        super().__init__(name, settings.gather)
        self._settings, self._version = settings, Version()
        self._mapping = Mapping(settings.mapping, source=name)
        unknown = set(re.findall(r"\{(\w*)\}", settings.machine)) - set(_FIELDS)
        if unknown:
            raise SettingsError(f"machine has {{{unknown.pop()}}}; write {{group}}, {{node}} and {{device}}")
        self.host = Host(
            self._machine, self._mapping.sensor, settings.ignore, settings.rebirth, self._version
        )
        namespace = self._version.namespace
        topics = [f"{namespace}/{group}/#" for group in settings.groups]
        self._state_topic = None if settings.host_id is None else f"{namespace}/STATE/{settings.host_id}"
        if self._state_topic is not None and "+" not in settings.groups:
            topics.append(self._state_topic)
        self._state_since = 0
        self._connection = MqttConnection(
            name,
            settings.broker,
            topics,
            1,
            self._message,
            self._state,
            will=None if self._state_topic is None else self._offline,
            birth=None if self._state_topic is None else self._online,
            keeps=False,
        )
        self._ended = threading.Event()

    def _machine(self, group: str, node: str, device: str) -> str | None:
        fields = {"group": group, "node": node, "device": device}
        filled = [
            re.sub(r"\{(\w+)\}", lambda m: fields[m[1]], level) for level in self._settings.machine.split("/")
        ]
        levels = [level for level in filled if level]
        try:
            return self._mapping.machine(levels) if levels else None
        except RejectedError:
            return None

    def open(self) -> None:
        """Connect, in a thread of its own."""
        self._connection.start()
        threading.Thread(target=self._look, name=f"rebirths-{self.name}", daemon=True).start()

    def shut(self) -> None:
        """Say that we are gone, and disconnect."""
        self._ended.set()
        if self._state_topic is not None:
            topic, payload = self._offline(self._state_since)
            self._connection.publish(topic, payload, 1, retain=True)
        self._connection.stop()

    def acknowledge(self, tokens: list[object]) -> None:
        """Acknowledge messages to the broker."""
        self._connection.acknowledge(tokens)

    # -- in the connection's thread

    def _state(self, connected: bool, detail: str) -> None:
        self.status.connected, self.status.detail = connected, detail

    def _offline(self, since: int | None = None) -> tuple[str, bytes]:
        """Our will, with the time of the birth that will follow it."""
        self._state_since = now_ms() if since is None else since
        return str(self._state_topic), json.dumps({"online": False, "timestamp": self._state_since}).encode()

    def _online(self) -> tuple[str, bytes]:
        return str(self._state_topic), json.dumps({"online": True, "timestamp": self._state_since}).encode()

    def _message(self, message: MQTTMessage, token: Token | None) -> None:
        tokens: list[object] = [] if token is None else [token]
        if message.topic == self._state_topic:
            if b"true" not in message.payload and not self._ended.is_set():  # an old will of ours
                topic, payload = self._online()
                self._connection.publish(topic, payload, 1, retain=True)
            self.put_all([], tokens)
            return
        self.put_all([Arrival(message.topic, bytes(message.payload), now_ms())], tokens, wait=True)

    # -- in the iterating thread

    def convert(self, arrivals: list[Arrival]) -> Iterable[Item]:
        """Frames of the live values, then of the historical ones, then what could not be read."""
        host = self.host
        for arrival in arrivals:
            host.read(arrival)
        self._ask()
        frames = [*host.live.frames(), *host.historical.frames()]
        self.status.readings += sum(len(frame) for frame in frames)
        rejections, host.rejections = host.rejections, []
        self.status.rejected += len(rejections)
        stats = host.stats
        self.status.repeated = stats.repeated
        self.status.extra = {
            "metrics": stats.metrics,
            "births": stats.births,
            "deaths": stats.deaths,
            "gaps": stats.gaps,
            "rebirths": stats.rebirths,
        }
        return [*frames, *rejections]

    def _look(self) -> None:
        """A node that has gone silent is asked, too: wake the iterating thread, which owns the host."""
        while not self._ended.wait(_LOOK):
            self.put_all([], [None])

    def _ask(self) -> None:
        for group, node in self.host.due_rebirths(time.monotonic()):
            topic = f"{self._version.namespace}/{group}/NCMD/{node}"
            self._connection.publish(topic, rebirth_command(self._version, now_ms()))
