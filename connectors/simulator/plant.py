"""The plant: any machine's readings of any stretch of time, however it is cut, and the faults in it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from connectors.simulator.chance import seed_of, uniform
from connectors.simulator.faults import PERIOD, SENSOR_FAULTS, Fault, FaultKind, random_fault
from connectors.simulator.model import Model
from connectors.simulator.span import Span
from pipeline.machine import parse_machine
from pipeline.records import Floats, Frame, Ints

#: Readings are made in whole blocks of so many, counted from 1970: so they do not depend on who asks.
BLOCK = 4096
#: A loose contact holds or fails for so many ms.
_CONTACT = 150_000
#: This many blocks are kept, as (machine, block).
_KEPT = 256


@dataclass(frozen=True, slots=True)
class SimulatedMachine:
    """A machine of the plant: its name (five levels) and what it is."""

    name: str
    model: Model


@dataclass
class Plant:
    """Machines, what goes wrong with them, and how often they are read.

    ``interval`` ms between readings. ``planned`` faults happen as they say; ``fault_rate`` is the chance
    that a machine has one more fault, drawn at random, in each ten days that begin at or after
    ``faults_from`` (a planned fault takes the place of a random one that overlaps it). The same arguments
    always give the same readings.
    """

    machines: Sequence[SimulatedMachine]
    seed: int = 1
    interval: int = 5000
    planned: Sequence[Fault] = ()
    fault_rate: float = 0.0
    faults_from: int = 0
    _blocks: OrderedDict[tuple[str, int], Floats] = field(default_factory=OrderedDict, repr=False)

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise ValueError(f"interval is {self.interval} ms; give 1 or more")
        self._by_name = {machine.name: machine for machine in self.machines}
        for machine in self.machines:
            parse_machine(machine.name)
        for fault in self.planned:
            self._check(fault)

    def _check(self, fault: Fault) -> None:
        machine = self._by_name.get(fault.machine)
        if machine is None:
            raise ValueError(f"{fault.machine} is not a machine of this plant")
        if fault.kind not in machine.model.faults:
            raise ValueError(f"a {machine.model.kind} cannot have {fault.kind}")
        if (fault.kind in SENSOR_FAULTS) != (fault.sensor is not None):
            raise ValueError(f"{fault.kind} of {fault.machine}: only a sensor fault names a sensor")
        if fault.sensor is not None and fault.sensor not in machine.model.names:
            raise ValueError(f"{fault.machine} has no sensor {fault.sensor!r}")
        if fault.end <= fault.start:
            raise ValueError(f"{fault.kind} of {fault.machine} ends before it starts")

    # -- truth

    def faults(self, start: int, stop: int) -> list[Fault]:
        """The ground truth: every fault that is under way in ``start`` .. ``stop`` (ms), by start."""
        found = [f for machine in self.machines for f in self._faults_of(machine, start, stop)]
        return sorted(found, key=lambda f: (f.start, f.end, f.machine, f.kind))

    def _faults_of(self, machine: SimulatedMachine, start: int, stop: int) -> list[Fault]:
        planned = [f for f in self.planned if f.machine == machine.name]
        found = [f for f in planned if f.start < stop and f.end > start]
        if self.fault_rate > 0:
            kinds, names = machine.model.faults, machine.model.names
            for period in range(max(start, self.faults_from) // PERIOD - 1, stop // PERIOD + 1):
                if period * PERIOD < self.faults_from:
                    continue
                one = random_fault(self.seed, machine.name, kinds, names, period, self.fault_rate)
                if one is None or one.start >= stop or one.end <= start:
                    continue
                if not any(f.start < one.end and f.end > one.start for f in planned):
                    found.append(one)
        return sorted(found, key=lambda f: f.start)

    # -- readings

    def frame(self, machine: str, start: int, stop: int) -> Frame:
        """The machine's readings with ``start`` <= time < ``stop`` (ms)."""
        of = self._by_name[machine]
        first, last = -(-start // self.interval), -(-stop // self.interval)
        parts = [
            self._block(of, block)[max(0, first - block * BLOCK) : last - block * BLOCK]
            for block in range(first // BLOCK, (max(first, last - 1)) // BLOCK + 1)
            if last > first
        ]
        values = np.concatenate(parts) if parts else np.empty((0, len(of.model.names)))
        return Frame(machine, np.arange(first, max(first, last)) * self.interval, of.model.names, values)

    def frames(self, start: int, stop: int, step: int) -> Iterator[Frame]:
        """Everything in ``start`` .. ``stop``, a frame a machine for every ``step`` ms of event time."""
        for at in range(start, stop, step):
            for machine in self.machines:
                frame = self.frame(machine.name, at, min(at + step, stop))
                if len(frame):
                    yield frame

    def readings(self, start: int, stop: int) -> int:
        """How many readings there are in ``start`` .. ``stop``."""
        return len(self.machines) * max(0, -(-stop // self.interval) - -(-start // self.interval))

    def _block(self, machine: SimulatedMachine, block: int) -> Floats:
        key = (machine.name, block)
        known = self._blocks.get(key)
        if known is not None:
            self._blocks.move_to_end(key)
            return known
        time = np.arange(block * BLOCK, (block + 1) * BLOCK) * self.interval
        faults = self._faults_of(machine, int(time[0]), int(time[-1]) + 1)
        values = self._physics(machine, block, time, faults)
        for fault in faults:
            if fault.sensor is not None:
                self._break_sensor(machine, fault, time, values)
        values.setflags(write=False)
        self._blocks[key] = values
        while len(self._blocks) > max(_KEPT, 2 * len(self.machines)):
            self._blocks.popitem(last=False)
        return values

    def _physics(self, machine: SimulatedMachine, block: int, time: Ints, faults: Sequence[Fault]) -> Floats:
        """(BLOCK, k) readings with the machine's own faults, but healthy sensors."""
        wear: dict[FaultKind, Floats] = {}
        for fault in faults:
            if fault.sensor is None:
                course = fault.course(time)
                wear[fault.kind] = np.maximum(wear[fault.kind], course) if fault.kind in wear else course
        span = Span(seed_of(self.seed, machine.name), block, time, wear)
        values = np.stack(machine.model.readings(span), axis=1)
        for column, sensor in enumerate(machine.model.sensors):
            np.clip(values[:, column], sensor.low, sensor.high, out=values[:, column])
            np.round(values[:, column], sensor.digits, out=values[:, column])
        return values

    def _break_sensor(self, machine: SimulatedMachine, fault: Fault, time: Ints, values: Floats) -> None:
        column = machine.model.names.index(str(fault.sensor))
        sensor = machine.model.sensors[column]
        during = (time >= fault.start) & (time < fault.end)
        if fault.kind is FaultKind.SENSOR_STUCK:
            values[during, column] = self._value_at(machine, fault, column)
        elif fault.kind is FaultKind.SENSOR_DROPPED:
            # A loose contact: mostly gone, now and then there for a while.
            chance = uniform(seed_of(self.seed, machine.name, "contact"), time // _CONTACT)
            values[during & (chance < 0.9), column] = np.nan
        else:
            typical = np.abs(self._typical(machine, fault, column))
            values[:, column] += 0.35 * typical * fault.course(time)
            np.clip(values[:, column], sensor.low, sensor.high, out=values[:, column])
            np.round(values[:, column], sensor.digits, out=values[:, column])

    def _block_before(self, machine: SimulatedMachine, fault: Fault) -> tuple[int, Floats]:
        """The last reading's place before ``fault`` and its block, without any sensor fault."""
        index = fault.start // self.interval
        block = index // BLOCK
        time = np.arange(block * BLOCK, (block + 1) * BLOCK) * self.interval
        others = self._faults_of(machine, int(time[0]), int(time[-1]) + 1)
        return index - block * BLOCK, self._physics(machine, block, time, others)

    def _value_at(self, machine: SimulatedMachine, fault: Fault, column: int) -> float:
        place, values = self._block_before(machine, fault)
        return float(values[place, column])

    def _typical(self, machine: SimulatedMachine, fault: Fault, column: int) -> float:
        return float(np.median(self._block_before(machine, fault)[1][:, column]))
