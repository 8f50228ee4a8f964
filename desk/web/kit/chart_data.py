"""A series as the JSON that the page's charts draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from connectors.base.history import Alarm, Series
from detectors.decision.limits import Limit
from pipeline.limits import URGENT
from pipeline.records import Floats, Prognosis

_encode = msgspec.json.Encoder().encode  # NaN becomes null


@dataclass(frozen=True, slots=True)
class Around:
    """What is drawn beside a series: alarms, the score that raises one, fixed limits, prognoses.

    ``chosen`` sensors have values, all when it is empty.
    """

    alarms: Sequence[Alarm] = ()
    threshold: float = 0.999
    limits: Sequence[Limit] = ()
    prognoses: Sequence[Prognosis] = ()
    chosen: frozenset[str] = frozenset()


def chart_json(
    series: Series, around: Around, label: Callable[[str], str], unit: Callable[[str], str]
) -> bytes:
    """Times in seconds, as uPlot takes them; values with six digits, which is more than a screen shows.

    ``low`` and ``high`` are left out where they are the mean: where the readings come as they are. Hours of
    the prognoses count from their own times.
    """
    sensors = []
    for j, sensor in enumerate(series.sensors):
        one: dict[str, object] = {
            "name": sensor,
            "label": label(sensor),
            "unit": unit(sensor),
            "limits": [
                {"name": limit.name, "value": limit.value, "trip": limit.severity >= URGENT}
                for limit in around.limits
                if limit.sensor == j
            ],
        }
        if around.chosen and sensor not in around.chosen:
            sensors.append(one)
            continue
        one["mean"] = _short(series.mean[:, j])
        if series.step:
            one |= {"low": _short(series.low[:, j]), "high": _short(series.high[:, j])}
        sensors.append(one)
    return _encode(
        {
            "start": series.start / 1000,
            "end": series.end / 1000,
            "step": series.step / 1000,
            "readings": int(series.count.sum()),
            "time": (series.time / 1000).tolist(),
            "score": series.score.tolist(),
            "health": _short(series.health),
            "state": series.state.tolist(),
            "threshold": around.threshold,
            "sensors": sensors,
            "alarms": [
                {
                    "id": alarm.event.id,
                    "kind": alarm.event.kind.value,
                    "sensor": alarm.event.sensor,
                    "start": alarm.event.onset / 1000,
                    "end": None if alarm.cleared is None else alarm.cleared.time / 1000,
                    "priority": alarm.event.priority.name.lower(),
                    "expected": {
                        part.sensor: part.expected
                        for part in alarm.event.contributions
                        if part.expected is not None
                    },
                }
                for alarm in around.alarms
            ],
            "prognoses": [
                {
                    "time": prognosis.time / 1000,
                    "remaining": prognosis.remaining,
                    "low": prognosis.low,
                    "high": prognosis.high,
                }
                for prognosis in around.prognoses
            ],
        }
    )


def _short(values: Floats) -> list[float]:
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.floor(np.log10(np.abs(values)))
    factor = 10.0 ** np.clip(5 - np.where(np.isfinite(size), size, 0), -300, 300)
    found: list[float] = (np.round(values * factor) / factor).tolist()
    return found
