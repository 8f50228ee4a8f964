"""Raw vibration waveforms on the wire: each becomes one reading of its features. See docs/vibration.md."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_UNITS = ("m/s2", "g")


class WaveformError(Exception):
    """The waveform message cannot be used; the message says what to send instead."""

    def __init__(self, detail: str, sensor: str | None = None) -> None:
        super().__init__(detail)
        self.detail, self.sensor = detail, sensor


def waveform_sensors(wire: dict[str, Any]) -> dict[str, float | None]:
    """The features of every channel in ``wire["waveform"]``, named ``channel.feature``; None = not known.

    ``rate`` is in Hz, ``speed`` in revolutions a minute; ``unit`` is ``m/s2`` (default) or ``g``;
    ``bearing`` is ``{"balls", "ball", "pitch", "angle"}``. Raises WaveformError.

    >>> one = {"waveform": {"de": [0.0, 1.0] * 64}, "rate": 2000}
    >>> round(waveform_sensors(one)["de.crest"], 1)
    1.0
    """
    # Only who sends waveforms pays for loading the signal processing.
    from detectors.vibration.bearing import Bearing
    from detectors.vibration.features import STANDARD_GRAVITY, Waveform, features

    channels = wire["waveform"]
    if not isinstance(channels, dict) or not channels:
        raise WaveformError("`waveform` must be an object of channel name and list of samples.")
    rate = _number(wire, "rate")
    if rate is None:
        raise WaveformError("No `rate`: a waveform needs its samples a second, in Hz.")
    speed = _number(wire, "speed")
    unit = wire.get("unit", "m/s2")
    if unit not in _UNITS:
        raise WaveformError(f"`unit` is {unit!r:.80}; send acceleration in {' or '.join(_UNITS)}.")
    bearing = None
    if wire.get("bearing") is not None:
        try:
            bearing = Bearing(**wire["bearing"])
        except (TypeError, ValueError) as error:
            raise WaveformError(f"`bearing`: {error}; send balls, ball, pitch and angle.") from None
    sensors: dict[str, float | None] = {}
    for name, samples in channels.items():
        if not isinstance(samples, list) or not all(type(v) in (int, float) for v in samples):
            raise WaveformError(f"{name!r} must be a list of numbers, none missing.", name)
        scale = STANDARD_GRAVITY if unit == "g" else 1.0
        try:
            wave = Waveform(np.array(samples, dtype=np.float64) * scale, rate)
            found = features(wave, speed, bearing)
        except (ValueError, OverflowError) as error:
            raise WaveformError(f"{name!r}: {error}.", name) from None
        for feature, value in found.items():
            sensors[f"{name}.{feature}"] = value if math.isfinite(value) else None
    if speed is not None:
        sensors["speed"] = speed
    return sensors


def _number(wire: dict[str, Any], name: str) -> float | None:
    value = wire.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 < value < 1e9:
        raise WaveformError(f"`{name}` is {value!r:.80}; send a number above 0.")
    return float(value)
