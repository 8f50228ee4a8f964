"""What a crew found: the part of a verdict that people write."""

from __future__ import annotations

from dataclasses import dataclass, replace

from desk.rules.desk import RefusedError
from pipeline.records import VerdictKind


@dataclass(frozen=True, slots=True)
class Finding:
    """A kind, and what belongs to it: the failure mode of a fault, the sensor of a sensor fault."""

    kind: VerdictKind
    failure_mode: str = ""
    part: str = ""
    sensor: str | None = None
    comment: str = ""

    def complete(self, sensor: str | None = None) -> Finding:
        """Without blanks around, and with ``sensor``, the alarm's own, where none is named of a sensor fault.

        Raises `RefusedError` when what its kind needs is missing.

        >>> Finding(VerdictKind.FAULT, " bearing-wear ").complete().failure_mode
        'bearing-wear'
        """
        mode = self.failure_mode.strip()
        known = self.sensor or (sensor if self.kind is VerdictKind.SENSOR_FAULT else None)
        if self.kind is VerdictKind.FAULT and not mode:
            raise RefusedError("failure-mode-missing")
        if self.kind is VerdictKind.SENSOR_FAULT and not known:
            raise RefusedError("sensor-missing")
        return replace(
            self, failure_mode=mode, part=self.part.strip(), sensor=known, comment=self.comment.strip()
        )
