"""What is admitted of each message, frame or source's own rejection: the one door into the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.admission.conversions import Conversions
from pipeline.admission.order import NO_ARRIVAL, LeftOut, Timing
from pipeline.admission.registry import Machine, Registry
from pipeline.layout import strangers, union
from pipeline.records import Frame, Message, Reason, Rejection, Results
from pipeline.settings import PipelineSettings
from pipeline.wire.readings import Limits, decode, encode_frame, reject

Item = Message | Frame | Rejection

#: Stands for the message of readings that a source parsed itself: it has no bytes, and came at no known time.
_NO_MESSAGE = Message(b"", received=NO_ARRIVAL)


#: Since when (ms) a machine's newest time and the number of rows that are held have stood.
_Since = tuple[int, tuple[int, int] | None]


@dataclass(frozen=True, slots=True)
class Arrival:
    """Something came of a machine; ``history`` and ``complement`` as in `pipeline.admission.order.Taken`."""

    machine: Machine
    history: Frame | None
    complement: Frame | None


def limits_of(settings: PipelineSettings) -> Limits:
    """What one message may hold, and where short names stand, as whoever decodes one has to know it."""
    intake = settings.intake
    return Limits(settings.max_message_bytes, intake.max_sensors, intake.max_readings, intake.default_levels)


class Admission:
    """Lets in what is new of the machines of a registry and fits, and adds machines that are new.

    ``newest``: the newest event time of any machine (ms UTC), -1 = none yet.
    """

    def __init__(self, settings: PipelineSettings, registry: Registry) -> None:
        self.settings = settings
        self._registry = registry
        self.newest = -1
        self._limits = limits_of(settings)
        intake = settings.intake
        self.timing = Timing(
            round(intake.wait * 1000),
            round(intake.future * 1000),
            round(intake.grid * 1000) if intake.grid else None,
        )
        self._quiet: dict[str, _Since] = {}
        self._conversions = Conversions(settings)

    def reconfigure(self) -> None:
        """The settings' classes and machines are others now."""
        self._conversions = Conversions(self.settings)

    def class_of(self, machine: str) -> str:
        """The class of a machine that is admitted."""
        return self.settings.class_of(machine) or next(reversed(self.settings.classes))

    def admit(self, item: Item, results: Results) -> Arrival | None:
        """Lay what is admitted of one item among the rows that wait; what is not is told in ``results``."""
        if isinstance(item, Rejection):
            results.rejections.append(item)
            return None
        if isinstance(item, Message):
            origin = item
            decoded, rejections = decode(item, self._limits)
            results.rejections += rejections
            if decoded is None:
                return None
            frame = decoded
        else:
            origin, frame = _NO_MESSAGE, item
        machine = self._registry.get(frame.machine) or self._newcomer(frame, origin, results)
        if machine is None or not len(frame):
            return None
        frame = self._conversions.converted(frame, machine.machine_class)
        if origin.offset >= 0:
            if origin.offset <= machine.applied and origin.partition == machine.partition:
                return None  # its effect is in the snapshot that this machine was restored from
            machine.applied, machine.partition = origin.offset, origin.partition
        self._registry.touch(machine.name)
        within = self._within_limits(machine, frame, origin, results)
        if within is None:
            return None
        order = machine.order
        taken = order.arrange(within, origin.received, self.timing)
        self.newest = max(self.newest, order.top)
        if taken.left_out:
            self._tell(taken.left_out, len(frame), origin, results)
        return Arrival(machine, taken.history, taken.complement)

    # -- rows that wait

    def flush(self, results: Results) -> list[Machine]:
        """The input has ended: nothing waits any longer. Returns the machines whose rows go on."""
        return [self._flushed(machine, None, results) for machine in self._registry if machine.order.waits]

    def flush_quiet(self, now: int, results: Results) -> list[Machine]:
        """Let the rows go on of machines of which nothing has come for the time that rows wait.

        To be asked every second or so, at ``now`` (ms UTC), when nothing that has arrived waits to be taken.
        """
        quiet: dict[str, _Since] = {}
        out: list[Machine] = []
        for machine in self._registry:
            order = machine.order
            if not order.waits:
                continue
            stands = order.top, len(order.held or ())
            since, before = self._quiet.get(machine.name, (now, None))
            if before != stands:
                since = now
            if now - since >= self.timing.wait:
                out.append(self._flushed(machine, now, results))
            else:
                quiet[machine.name] = since, stands
        self._quiet = quiet
        return out

    def _flushed(self, machine: Machine, now: int | None, results: Results) -> Machine:
        self._registry.touch(machine.name)
        left_out = machine.order.flush(now, self.timing)
        self._tell(left_out, sum(len(one.rows) for one in left_out), _NO_MESSAGE, results)
        self.newest = max(self.newest, machine.order.top)
        return machine

    # -- what is not taken

    @staticmethod
    def _tell(left_out: Sequence[LeftOut], count: int, origin: Message, results: Results) -> None:
        for one in left_out:
            rows = one.rows
            first = int(rows.time[0])
            told = reject(
                origin,
                one.reason,
                f"{rows.machine}: {len(rows)} of {count} readings, the first at {first}: {one.detail}",
                machine=rows.machine,
                readings=len(rows),
            )
            if not origin.value:
                told = replace(told, original=encode_frame(rows), received=int(rows.time[-1]))
            results.rejections.append(told)

    def _newcomer(self, frame: Frame, origin: Message, results: Results) -> Machine | None:
        if len(self._registry) >= self.settings.intake.max_machines:
            self._turn_away(frame, origin, results)
            return None
        if self.settings.intake.machines == "listed" and self.settings.class_of(frame.machine) is None:
            unknown = reject(
                origin,
                Reason.MACHINE_UNKNOWN,
                f"{frame.machine} matches no class's pattern, and intake.machines is 'listed'. "
                "Describe it (docs/plant.md), add it to a class's `match`, or correct the sender's name.",
                machine=frame.machine,
                readings=len(frame),
            )
            results.rejections.append(self._located(unknown, frame, origin))
            return None
        machine = Machine(frame.machine, self.class_of(frame.machine))
        self._registry.add(machine)
        return machine

    def _turn_away(self, frame: Frame, origin: Message, results: Results) -> None:
        many = reject(
            origin,
            Reason.TOO_MANY_MACHINES,
            f"{frame.machine} is new, and {self.settings.intake.max_machines} machines are watched here, as "
            "many as intake.max_machines allows. Start more workers, retire machines that are gone (`yeji "
            "machines`), or look for a sender that makes up names.",
            machine=frame.machine,
            readings=len(frame),
        )
        results.rejections.append(self._located(many, frame, origin))

    def _within_limits(
        self, machine: Machine, frame: Frame, origin: Message, results: Results
    ) -> Frame | None:
        """Without the sensors that would make the machine's model too wide."""
        known = machine.known
        new = strangers(frame.sensors, known)
        if not new:
            return frame
        if len(known) + len(new) <= self.settings.intake.max_sensors:
            machine.known = union(known, frame.sensors)
            return frame
        many = reject(
            origin,
            Reason.TOO_MANY_SENSORS,
            f"{frame.machine}: {len(new)} new sensors, the first {frame.sensors[new[0]]!r}, beside "
            f"{len(known)} known ones; at most {self.settings.intake.max_sensors} a machine "
            "(intake.max_sensors).",
            machine=frame.machine,
            sensor=frame.sensors[new[0]],
            readings=len(frame),
        )
        results.rejections.append(self._located(many, frame, origin))
        kept = [column for column, name in enumerate(frame.sensors) if name in set(known)]
        return frame.columns(kept) if kept else None

    @staticmethod
    def _located(rejection: Rejection, frame: Frame, origin: Message) -> Rejection:
        """A frame that a source parsed has no message: its own bytes are the original."""
        if origin is not _NO_MESSAGE:
            return rejection
        original = rejection.original or encode_frame(frame)
        return replace(rejection, original=original, received=int(frame.time[-1]))
