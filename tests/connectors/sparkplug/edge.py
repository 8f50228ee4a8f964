"""An edge node of Sparkplug B for tests: makes the payloads that a real one would send."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from connectors.sparkplug.schema import Payload

DOUBLE, INT16, BOOLEAN, UINT64, STRING = 10, 2, 11, 8, 12


@dataclass
class Edge:
    """A node in group ``plant`` with devices; counts seq and bdSeq, and gives each metric an alias."""

    name: str = "gateway"
    seq: int = 255
    bdseq: int = 0
    aliases: dict[tuple[str, str], int] = field(default_factory=dict)
    next_alias: int = 1

    def topic(self, kind: str, device: str = "") -> str:
        return "/".join(["spBv1.0", "plant", kind, self.name, *([device] if device else [])])

    def payload(self, time: int, *, birth: bool = False) -> Any:
        self.seq = 0 if birth else (self.seq + 1) % 256
        return Payload(timestamp=time, seq=self.seq)

    def nbirth(self, time: int, **values: float) -> tuple[str, bytes]:
        payload = self.payload(time, birth=True)
        payload.metrics.add(name="bdSeq", datatype=UINT64, long_value=self.bdseq)
        payload.metrics.add(name="Node Control/Rebirth", datatype=BOOLEAN, boolean_value=False)
        self._declare(payload, "", time, values)
        return self.topic("NBIRTH"), payload.SerializeToString()

    def dbirth(self, device: str, time: int, **values: float) -> tuple[str, bytes]:
        payload = self.payload(time)
        self._declare(payload, device, time, values)
        return self.topic("DBIRTH", device), payload.SerializeToString()

    def _declare(self, payload: Any, device: str, time: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            alias = self.aliases.setdefault((device, name), self.next_alias)
            self.next_alias = max(self.next_alias, alias + 1)
            payload.metrics.add(name=name, alias=alias, datatype=DOUBLE, double_value=value, timestamp=time)

    def data(self, device: str, time: int, *, historical: bool = False, **values: float) -> tuple[str, bytes]:
        payload = self.payload(time)
        for name, value in values.items():
            metric = payload.metrics.add(
                alias=self.aliases[device, name], datatype=DOUBLE, double_value=value, timestamp=time
            )
            if historical:
                metric.is_historical = True
        return self.topic("DDATA" if device else "NDATA", device), payload.SerializeToString()

    def ddeath(self, device: str, time: int) -> tuple[str, bytes]:
        return self.topic("DDEATH", device), self.payload(time).SerializeToString()

    def ndeath(self, time: int) -> tuple[str, bytes]:
        payload = Payload(timestamp=time)
        payload.metrics.add(name="bdSeq", datatype=UINT64, long_value=self.bdseq)
        return self.topic("NDEATH"), payload.SerializeToString()
