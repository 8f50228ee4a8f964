"""What a Sparkplug B host knows of its edge nodes: births, aliases, sequence numbers, deaths. Pure.

After the Eclipse Sparkplug specification 3.0, "Host application" in chapters 5 and 6.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from connectors.base.samples import Samples
from connectors.sparkplug.metrics import flat, sample
from connectors.sparkplug.schema import Payload
from connectors.sparkplug.settings import RebirthSettings
from pipeline.records import Message, Reason, Rejection
from pipeline.wire.readings import reject
from pipeline.wire.times import EARLIEST, LATEST

#: This many messages of a node wait for its rebirth at most.
_HELD = 256


@dataclass(frozen=True, slots=True)
class Version:
    """What differs between versions of Sparkplug: its first topic level, width of seq, unit of times."""

    namespace: str = "spBv1.0"
    seq_bits: int = 8
    times_in_ms: int = 1

    def follows(self, seq: int, before: int) -> bool:
        """Whether ``seq`` comes right after ``before``."""
        return seq == (before + 1) % (1 << self.seq_bits)

    def ms(self, time: int) -> int:
        """A time of a payload in ms."""
        return time // self.times_in_ms


class Arrival(NamedTuple):
    """One message: ``topic`` in full, ``received`` in ms UTC."""

    topic: str
    payload: bytes
    received: int


class Address(NamedTuple):
    """What a topic names: ``spBv1.0/group/kind/node/device``."""

    group: str
    kind: str
    node: str
    device: str = ""


@dataclass(slots=True)
class _Metric:
    """A metric as its birth declared it; ``sensor`` None = it is none. ``time``, ``value``: the latest."""

    name: str
    datatype: int
    sensor: str | None
    time: int = 0
    value: float | None = None


@dataclass(slots=True)
class _Device:
    """A device, or the node itself: its metrics by name. ``machine`` None = its name cannot be used."""

    machine: str | None
    names: dict[str, _Metric] = field(default_factory=dict)
    alive: bool = True


@dataclass(slots=True)
class _Node:
    """An edge node. ``seq`` None = no birth was seen, or messages are missing: ``held`` wait for a rebirth.

    ``before``: what the aliases meant before its latest birth.
    """

    seq: int | None = None
    bdseq: int | None = None
    born: bool = False
    devices: dict[str, _Device] = field(default_factory=dict)
    aliases: dict[int, tuple[_Device, _Metric]] = field(default_factory=dict)
    before: dict[int, tuple[_Device, _Metric]] = field(default_factory=dict)
    held: deque[tuple[Address, Any, Arrival]] = field(default_factory=deque)
    asked: int = 0
    ask_at: float = 0.0


@dataclass(slots=True)
class HostStats:
    """Counts since the start."""

    births: int = 0
    deaths: int = 0
    gaps: int = 0
    rebirths: int = 0
    unknown_aliases: int = 0
    metrics: int = 0
    repeated: int = 0


class Host:
    """Reads messages in order; gathers ``live`` and ``historical`` values and ``rejections``.

    ``machine_of`` and ``sensor_of`` make our names of (group, node, device) and of a metric's; None = leave
    it out. `due_rebirths` says whom to ask for births.
    """

    def __init__(
        self,
        machine_of: Callable[[str, str, str], str | None],
        sensor_of: Callable[[str], str | None],
        ignore: list[str],
        rebirth: RebirthSettings,
        version: Version = Version(),
    ) -> None:
        self._machine_of, self._sensor_of, self._ignore = machine_of, sensor_of, ignore
        self._rebirth, self._version = rebirth, version
        self._nodes: dict[tuple[str, str], _Node] = {}
        self._sensors: dict[str, str | None] = {}
        self._allowance, self._allowed_at = rebirth.each_second, 0.0
        self.stats = HostStats()
        self.live, self.historical = Samples(), Samples()
        self.rejections: list[Rejection] = []
        self.handlers: dict[str, Callable[[_Node, Address, Any, Arrival], None]] = {
            "NBIRTH": self._node_birth,
            "DBIRTH": self._device_birth,
            "NDATA": self._data,
            "DDATA": self._data,
            "DDEATH": self._device_death,
        }

    # -- messages

    def read(self, arrival: Arrival) -> None:
        """Take one message. What cannot be read is a rejection."""
        address = self._address(arrival.topic)
        if address is None:
            return  # STATE, commands to others
        try:
            payload = Payload.FromString(arrival.payload)
        except DecodeError as error:
            self._reject(arrival, Reason.NOT_PROTOBUF, f"Not a payload of Sparkplug B: {error}.")
            return
        node = self._nodes.setdefault((address.group, address.node), _Node())
        if address.kind == "NDEATH":
            self._node_death(node, address, payload, arrival)
        elif address.kind == "NBIRTH":
            self._node_birth(node, address, payload, arrival)
        elif node.seq is None:
            self._hold(node, address, payload, arrival)
        elif not self._version.follows(payload.seq, node.seq):
            self.stats.gaps += 1
            node.seq = None
            self._hold(node, address, payload, arrival)
        else:
            node.seq = payload.seq
            self.handlers[address.kind](node, address, payload, arrival)

    def _address(self, topic: str) -> Address | None:
        levels = topic.split("/")
        if levels[0] != self._version.namespace or len(levels) not in (4, 5):
            return None
        kind = levels[2]
        if kind not in self.handlers and kind != "NDEATH":
            return None
        if (kind[0] == "D") != (len(levels) == 5):
            return None
        return Address(levels[1], kind, *levels[3:])

    # -- births

    def _node_birth(self, node: _Node, address: Address, payload: Any, arrival: Arrival) -> None:
        # When it may be asked again stays: a node that is odd after each birth is not asked each time.
        node.seq, node.born, node.asked = payload.seq, True, 0
        node.bdseq = next((m.long_value for m in payload.metrics if m.name == "bdSeq"), node.bdseq)
        node.before, node.aliases = node.aliases, {}
        self._born(node, address, payload, arrival)

    def _device_birth(self, node: _Node, address: Address, payload: Any, arrival: Arrival) -> None:
        self._born(node, address, payload, arrival)

    def _born(self, node: _Node, address: Address, payload: Any, arrival: Arrival) -> None:
        self.stats.births += 1
        old = node.devices.get(address.device)
        device = _Device(self._machine(address, arrival) if old is None else old.machine)
        node.devices[address.device] = device
        for name, metric in flat(payload.metrics):
            declared = _Metric(name, metric.datatype, self._sensor(name))
            if old is not None and name in old.names:
                declared.time, declared.value = old.names[name].time, old.names[name].value
            device.names[name] = declared
            if metric.HasField("alias"):
                node.aliases[metric.alias] = (device, declared)
            self._take(device, declared, metric, payload, arrival, birth=True)
        waiting = [one for one in node.held if one[0].device == address.device]
        node.held = deque(one for one in node.held if one[0].device != address.device)
        for one in waiting:
            self._resolve(node, *one)

    def _machine(self, address: Address, arrival: Arrival) -> str | None:
        machine = self._machine_of(address.group, address.node, address.device)
        if machine is None:
            self._reject(
                arrival, Reason.MACHINE_INVALID, f"{arrival.topic!r} names no machine that can be used."
            )
        return machine

    def _sensor(self, name: str) -> str | None:
        if name not in self._sensors:
            left_out = any(fnmatchcase(name, pattern) for pattern in self._ignore)
            self._sensors[name] = None if left_out else self._sensor_of(name)
        return self._sensors[name]

    # -- data

    def _data(self, node: _Node, address: Address, payload: Any, arrival: Arrival) -> None:
        device = node.devices.get(address.device)
        if device is None or not device.alive:
            node.seq = None  # a birth is missing
            self._hold(node, address, payload, arrival)
            return
        for name, metric in flat(payload.metrics):
            if name:
                declared = device.names.get(name)
                owner = device
            else:
                owner, declared = node.aliases.get(metric.alias, (device, None))
            if declared is None:
                self.stats.unknown_aliases += 1
                node.seq = None
                self._hold(node, address, payload, arrival)
                return
            self._take(owner, declared, metric, payload, arrival)

    def _take(
        self,
        device: _Device,
        declared: _Metric,
        metric: Any,
        payload: Any,
        arrival: Arrival,
        *,
        birth: bool = False,
    ) -> None:
        if declared.sensor is None or device.machine is None:
            return
        found = sample(metric, declared.datatype or metric.datatype)
        if found is None:
            return
        self.stats.metrics += 1
        time = self._version.ms(found.time or payload.timestamp) or arrival.received
        if not EARLIEST <= time < LATEST:
            detail = f"{declared.name!r} has a time of {time} ms since 1970: mend the edge node's clock."
            self._reject(arrival, Reason.TIME_INVALID, detail, device.machine, declared.sensor)
            return
        if found.historical:
            self.historical.add(device.machine, declared.sensor, time, found.value, uncertain=found.uncertain)
            return
        if time == declared.time and _same(found.value, declared.value):
            self.stats.repeated += 1  # a birth repeats what was known
            return
        if birth and time < declared.time:
            self.stats.repeated += 1
            return
        declared.time, declared.value = max(time, declared.time), found.value
        self.live.add(device.machine, declared.sensor, time, found.value, uncertain=found.uncertain)

    # -- deaths

    def _device_death(self, node: _Node, address: Address, payload: Any, arrival: Arrival) -> None:
        device = node.devices.get(address.device)
        if device is not None:
            self._stale(device, self._version.ms(payload.timestamp) or arrival.received)

    def _node_death(self, node: _Node, address: Address, payload: Any, arrival: Arrival) -> None:
        bdseq = next((m.long_value for m in payload.metrics if m.name == "bdSeq"), None)
        if node.bdseq is not None and bdseq is not None and bdseq != node.bdseq:
            return  # the will of a connection before the one that lives
        for device in node.devices.values():
            self._stale(device, arrival.received)  # a will's own time is that of its connection
        node.seq, node.born = None, False

    def _stale(self, device: _Device, time: int) -> None:
        """Every sensor has no value from now on."""
        if not device.alive:
            return
        self.stats.deaths += 1
        device.alive = False
        for metric in device.names.values():
            if metric.sensor is not None and device.machine is not None and metric.value is not None:
                at = max(time, metric.time + 1)
                self.live.add(device.machine, metric.sensor, at, float("nan"))
                metric.time, metric.value = at, None

    # -- what waits for a birth

    def _hold(self, node: _Node, address: Address, payload: Any, arrival: Arrival) -> None:
        """Keep a message until the birth of its node or device says what its aliases mean."""
        if node.born and node.asked >= self._rebirth.tries:  # it does not answer: go on by its last birth
            node.asked, node.seq, node.before = 0, payload.seq, {}
            held, node.held = node.held, deque()
            for one in held:
                self._resolve(node, *one)
            self.handlers[address.kind](node, address, payload, arrival)
            return
        node.held.append((address, payload, arrival))
        if len(node.held) > _HELD:
            self._give_up(*node.held.popleft())

    def _resolve(self, node: _Node, address: Address, payload: Any, arrival: Arrival) -> None:
        """Read what was held: a name counts always, an alias where it means the same as before the gap."""
        device = node.devices.get(address.device)
        if address.kind == "DDEATH":
            return  # the birth that has come speaks for the device now
        unsure = 0
        for name, metric in flat(payload.metrics):
            declared = None
            if name:
                declared = None if device is None else device.names.get(name)
            elif metric.alias in node.aliases:
                declared = node.aliases[metric.alias][1]
                was = node.before.get(metric.alias)
                if was is not None and was[1].name != declared.name:
                    declared = None
            if declared is None or device is None:
                unsure += 1
            else:
                self._take(device, declared, metric, payload, arrival)
        if unsure:
            self._give_up(address, payload, arrival, unsure)

    def _give_up(self, address: Address, payload: Any, arrival: Arrival, count: int = 0) -> None:
        detail = (
            f"{count or len(payload.metrics)} metrics of {address.group}/{address.node}/{address.device} "
            "could not be named: messages were missing, and no birth came that says what their aliases meant."
        )
        self._reject(arrival, Reason.ALIAS_UNKNOWN, detail, readings=1)

    def due_rebirths(self, now: float) -> list[tuple[str, str]]:
        """The nodes (group, node) to ask for their births now; ``now`` in seconds, never going back."""
        self._allowance = min(
            self._rebirth.each_second, self._allowance + (now - self._allowed_at) * self._rebirth.each_second
        )
        self._allowed_at = now
        due: list[tuple[str, str]] = []
        for key, node in self._nodes.items():
            if self._allowance < 1:
                break
            if node.seq is None and node.held and now >= node.ask_at:
                self._allowance -= 1
                node.ask_at = now + min(self._rebirth.most, self._rebirth.first * 2**node.asked)
                node.asked += 1
                self.stats.rebirths += 1
                due.append(key)
        return due

    def _reject(
        self,
        arrival: Arrival,
        reason: Reason,
        detail: str,
        machine: str | None = None,
        sensor: str | None = None,
        *,
        readings: int = 0,
    ) -> None:
        message = Message(arrival.payload, arrival.received, topic=arrival.topic)
        self.rejections.append(
            reject(message, reason, detail, machine=machine, sensor=sensor, readings=readings)
        )


def _same(a: float, b: float | None) -> bool:
    return b is not None and (a == b or (a != a and b != b))


def rebirth_command(version: Version, time: int) -> bytes:
    """The payload of an NCMD that asks for births; ``time`` in ms UTC."""
    payload = Payload(timestamp=time * version.times_in_ms)
    payload.metrics.add(name="Node Control/Rebirth", datatype=11, boolean_value=True)
    return bytes(payload.SerializeToString())
