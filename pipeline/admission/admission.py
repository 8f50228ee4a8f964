"""What is admitted of each message, frame or source's own rejection: the one door into the pipeline."""

from __future__ import annotations

from dataclasses import replace

from pipeline.admission.intake import admit
from pipeline.admission.roster import Machine
from pipeline.layout import align, strangers, union
from pipeline.records import Frame, Message, Reason, Rejection, Results
from pipeline.settings import PipelineSettings
from pipeline.wire.readings import Limits, decode, encode_frame, reject

Item = Message | Frame | Rejection

#: Stands for the message of readings that a source parsed itself: it has no bytes, and came just in time.
_NO_MESSAGE = Message(b"", received=1 << 62)


class Admission:
    """Knows the machines by name, and lets in what is new of them and fits.

    ``changed``: machines of which something came since their last snapshot; ``newest``: the newest event time
    of any machine (ms UTC), -1 = none yet.
    """

    def __init__(self, settings: PipelineSettings) -> None:
        self.settings = settings
        self.machines: dict[str, Machine] = {}
        self.changed: set[str] = set()
        self.newest = -1
        self._limits = Limits(
            settings.max_message_bytes, settings.intake.max_sensors, settings.intake.max_readings
        )
        self._future = round(settings.intake.future * 1000)

    def take(self, item: Item, results: Results) -> Frame | None:
        """What is admitted of one item; what is not is a rejection in ``results``."""
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
        machine = self.machines.get(frame.machine) or self._newcomer(frame, origin, results)
        if machine is None:
            return None
        if origin.offset >= 0:
            if origin.offset <= machine.applied and origin.partition == machine.partition:
                return None  # its effect is in the snapshot that this machine was restored from
            machine.applied, machine.partition = origin.offset, origin.partition
            self.changed.add(machine.name)
        admitted, rejections = admit(frame, machine.clock, origin, self._future)
        self.newest = max(self.newest, machine.clock.last)
        if rejections:
            results.rejections += [self._located(one, frame, origin) for one in rejections]
        if admitted is not None:
            admitted = self._within_limits(machine, admitted, origin, results)
        return admitted

    def _newcomer(self, frame: Frame, origin: Message, results: Results) -> Machine | None:
        if len(self.machines) >= self.settings.intake.max_machines:
            self._turn_away(frame, origin, results)
            return None
        machine_class = self.settings.class_of(frame.machine)
        if machine_class is None:
            if self.settings.intake.machines == "listed":
                unknown = reject(
                    origin,
                    Reason.MACHINE_UNKNOWN,
                    f"{frame.machine} matches no class's pattern, and intake.machines is 'listed'. "
                    "Add it to a class's `match`, or correct the sender's name.",
                    machine=frame.machine,
                    readings=len(frame),
                )
                results.rejections.append(self._located(unknown, frame, origin))
                return None
            machine_class = next(reversed(self.settings.classes))
        machine = Machine(frame.machine, machine_class)
        self.machines[frame.machine] = machine
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
        kept = tuple(name for name in frame.sensors if name in set(known))
        if not kept:
            return None
        return Frame(frame.machine, frame.time, kept, align(frame.values, frame.sensors, kept))

    @staticmethod
    def _located(rejection: Rejection, frame: Frame, origin: Message) -> Rejection:
        """A frame that a source parsed has no message: its own bytes are the original."""
        if origin is not _NO_MESSAGE:
            return rejection
        original = rejection.original or encode_frame(frame)
        return replace(rejection, original=original, received=int(frame.time[-1]))
