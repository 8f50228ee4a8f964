"""What a raw vibration waveform tells, in a few numbers: features for detectors and for ISO 20816 zones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import detrend, hilbert

from detectors.batch import Floats
from detectors.vibration.bearing import Bearing, fault_frequencies

STANDARD_GRAVITY = 9.80665
#: Velocity for ISO 20816-3 is taken between these frequencies, Hz.
VELOCITY_BAND = (10.0, 1000.0)
#: Bands whose energy is told, Hz; what lies over half the sampling rate is left out.
BANDS = ((10.0, 100.0), (100.0, 1000.0), (1000.0, 5000.0), (5000.0, 20_000.0))
#: Rolling elements slip: a fault frequency is looked for within this share of where it should be.
SLIP = 0.02
_HARMONICS = 3
LEAST_SAMPLES = 64


@dataclass(frozen=True, slots=True)
class Waveform:
    """``samples`` (n,) of acceleration in m/s², ``rate`` of them a second.

    Raises ValueError when they cannot be used.
    """

    samples: Floats
    rate: float

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or len(self.samples) < LEAST_SAMPLES:
            raise ValueError(f"{self.samples.size} samples; a waveform needs {LEAST_SAMPLES} or more")
        if not np.isfinite(self.samples).all():
            raise ValueError("a sample is missing or infinite; a waveform must be whole")
        if not (np.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"the sampling rate is {self.rate}; it must be above 0 Hz")


def features(wave: Waveform, speed: float | None = None, bearing: Bearing | None = None) -> dict[str, float]:
    """Everything that is told of one waveform; NaN where it cannot be known.

    ``rms``, ``peak`` (m/s²), ``crest`` = peak / rms, ``kurtosis`` (3 = Gaussian; more = shocks),
    ``velocity_rms`` (mm/s), ``band_10_100`` … (m/s² RMS in the band), and with a bearing and ``speed``
    (revolutions a minute) ``envelope_bpfo``, ``_bpfi``, ``_bsf``, ``_ftf`` (m/s²).
    """
    x = detrend(wave.samples)
    rms = float(np.sqrt(np.mean(x * x)))
    peak = float(np.abs(x).max())
    still = rms <= 1e-12 * max(1.0, float(np.abs(wave.samples).max()))
    found = {
        "rms": rms,
        "peak": peak,
        "crest": np.nan if still else peak / rms,
        "kurtosis": np.nan if still else float(np.mean(x**4)) / rms**4,
    }
    frequency, power = _power(x, wave.rate)
    found["velocity_rms"] = _velocity(frequency, power)
    for low, high in BANDS:
        if low < wave.rate / 2:
            inside = (frequency >= low) & (frequency < high)
            found[f"band_{low:g}_{high:g}"] = float(np.sqrt(power[inside].sum()))
    if bearing is not None and speed is not None and speed > 0:
        spectrum = envelope_spectrum(wave)
        for name, at in fault_frequencies(bearing, speed).items():
            found[f"envelope_{name}"] = _amplitude_at(*spectrum, at)
    return found


def _power(x: Floats, rate: float) -> tuple[Floats, Floats]:
    """Frequencies (Hz) and the mean square at each: they add up to the mean square of ``x``."""
    window = np.hanning(len(x))
    spectrum = np.abs(np.fft.rfft(x * window)) ** 2 / (len(x) * np.sum(window * window))
    spectrum[1:] *= 2.0  # the negative frequencies
    if len(x) % 2 == 0:
        spectrum[-1] /= 2.0
    frequency: Floats = np.fft.rfftfreq(len(x), 1.0 / rate).astype(np.float64)
    return frequency, spectrum


def _velocity(frequency: Floats, power: Floats) -> float:
    """Velocity RMS in mm/s: acceleration integrated in the frequency domain."""
    low, high = VELOCITY_BAND
    inside = (frequency >= low) & (frequency <= high)
    if frequency[-1] < low or not inside.any():
        return float("nan")
    square = power[inside] / (2.0 * np.pi * frequency[inside]) ** 2
    return float(1000.0 * np.sqrt(square.sum()))


def envelope_spectrum(wave: Waveform, band: tuple[float, float] | None = None) -> tuple[Floats, Floats]:
    """Frequencies (Hz) and amplitudes (m/s²) of the envelope: how often, and how hard, something rings.

    A knock makes the machine ring at its own high frequencies; the envelope of the signal in ``band`` (Hz;
    by default the upper three quarters of what was sampled) shows the knocks (Randall & Antoni 2011).
    """
    low, high = band or (wave.rate / 8.0, 0.49 * wave.rate)
    x = detrend(wave.samples)
    spectrum = np.fft.rfft(x)
    frequency = np.fft.rfftfreq(len(x), 1.0 / wave.rate)
    spectrum[(frequency < low) | (frequency > high)] = 0.0
    envelope = np.abs(hilbert(np.fft.irfft(spectrum, len(x))))
    window = np.hanning(len(x))
    amplitude = 2.0 * np.abs(np.fft.rfft((envelope - envelope.mean()) * window)) / window.sum()
    return frequency.astype(np.float64), amplitude


def _amplitude_at(frequency: Floats, amplitude: Floats, at: float) -> float:
    """Root of the summed squares of the peaks at ``at`` and its harmonics, less what is there anyway.

    NaN when the waveform is too short to tell ``at`` from its neighbourhood, or was sampled too slowly.
    """
    step = frequency[1] - frequency[0]
    if at < 4.0 * step or at > frequency[-1]:
        return float("nan")
    total, first = 0.0, np.inf
    for harmonic in range(1, _HARMONICS + 1):
        centre = harmonic * at
        reach = max(SLIP * centre, 1.5 * step)
        near = np.abs(frequency - centre) <= reach
        around = (np.abs(frequency - centre) <= 5.0 * reach) & ~near & (frequency >= 2.0 * step)
        if centre > frequency[-1] or not around.any():
            break
        excess = max(0.0, float(amplitude[near].max()) - float(np.median(amplitude[around])))
        if harmonic == 1:
            first = excess
        excess = min(excess, 2.0 * first)  # a harmonic alone may be another part's
        total += excess * excess
    return float(np.sqrt(total))
