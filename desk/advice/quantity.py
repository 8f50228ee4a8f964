"""What a sensor measures and where it sits, read from its name, its labels and its unit."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: (quantity, words that say so); the first that fits is taken, so the special ones stand first.
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("vibration.bpfo", ("bpfo",)),
    ("vibration.bpfi", ("bpfi",)),
    ("vibration.bsf", ("bsf",)),
    ("vibration.ftf", ("ftf",)),
    ("vibration.shock", ("kurtosis", "crest")),
    ("vibration.axial", ("vibration axial", "axial vibration", "진동 축", "축 진동")),
    ("vibration", ("vibration", "vib", "accel", "accelerometer", "velocity rms", "진동")),
    ("temperature.bearing", ("bearing temperature", "bearing temp", "brg temp", "베어링 온도")),
    ("temperature.winding", ("winding temperature", "winding temp", "motor temp", "권선 온도", "모터 온도")),
    ("temperature.oil", ("oil temperature", "oil temp", "오일 온도", "유온", "작동유 온도")),
    (
        "temperature.gearbox",
        ("gearbox temperature", "gear temperature", "gearbox temp", "reducer temp", "감속기 온도"),
    ),
    (
        "temperature.discharge",
        ("discharge air temperature", "discharge temp", "air temperature", "토출 온도"),
    ),
    ("temperature", ("temperature", "temp", "온도")),
    ("pressure.suction", ("suction pressure", "inlet pressure", "흡입 압력")),
    ("pressure.discharge", ("discharge pressure", "outlet pressure", "토출 압력")),
    ("pressure.oil", ("oil pressure", "hydraulic pressure", "유압")),
    ("pressure.differential", ("differential pressure", "delta p", "차압")),
    ("pressure", ("pressure", "press bar", "압력")),
    ("current.weld", ("weld current", "welding current", "용접 전류")),
    ("current", ("current", "amps", "전류")),
    ("power", ("power", "전력")),
    ("flow", ("flow", "유량", "풍량")),
    ("speed", ("speed", "rpm", "stroke rate", "회전수", "스트로크 수", "속도")),
    ("force", ("force", "tonnage", "load kn", "하중")),
    ("torque", ("torque", "토크")),
    ("position-error", ("position error", "following error", "위치 오차")),
    ("level", ("level", "레벨", "유면")),
)

#: Units that leave no choice, where no word says anything.
_UNITS = {
    "mm/s": "vibration",
    "m/s2": "vibration",
    "m/s²": "vibration",
    "g": "vibration",
    "degC": "temperature",
    "°C": "temperature",
    "Cel": "temperature",
    "bar": "pressure",
    "MPa": "pressure",
    "kPa": "pressure",
    "A": "current",
    "kW": "power",
    "m3/h": "flow",
    "m³/h": "flow",
    "m3/min": "flow",
    "l/min": "flow",
    "1/min": "speed",
    "rpm": "speed",
    "kN": "force",
    "Nm": "torque",
}

#: What a catalogue may name.
QUANTITIES = frozenset(quantity for quantity, _ in _WORDS)

#: Parts of a spectrum or of a signal's form: each is a symptom of its own, and no level.
_LINES = frozenset({"vibration.bpfo", "vibration.bpfi", "vibration.bsf", "vibration.ftf", "vibration.shock"})

_PLACES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("non-drive-end", ("nde", "non drive end", "반구동측", "반부하측")),
    ("drive-end", ("de", "drive end", "구동측", "부하측")),
)


def quantity_of(sensor: str, labels: Iterable[str] = (), unit: str = "") -> str:
    """The quantity, as `temperature.bearing`; "" when nothing says.

    >>> quantity_of("vibration_rms"), quantity_of("T7", ["베어링 온도"]), quantity_of("de.envelope_bpfo")
    ('vibration', 'temperature.bearing', 'vibration.bpfo')
    >>> quantity_of("ch4", unit="mm/s"), quantity_of("ch5")
    ('vibration', '')
    """
    for text in (sensor, *labels):
        words = _spaced(text)
        for quantity, known in _WORDS:
            if any(f" {one} " in words for one in known):
                return quantity
    return _UNITS.get(unit, "")


def place_of(sensor: str, labels: Iterable[str] = ()) -> str:
    """Where on the machine: `drive-end`, `non-drive-end` or "".

    >>> place_of("vib_de_h"), place_of("de.velocity_rms"), place_of("nde_vib"), place_of("decay")
    ('drive-end', 'drive-end', 'non-drive-end', '')
    """
    for text in (sensor, *labels):
        words = _spaced(text)
        for place, known in _PLACES:
            if any(f" {one} " in words for one in known):
                return place
    return ""


def fits(symptom: str, measured: str) -> bool:
    """Whether a sensor of quantity ``measured`` can show ``symptom``.

    A sensor that is only known to measure a temperature or a pressure may be any of them; a level of
    vibration says nothing of one line of its spectrum, nor the line of the level.

    >>> fits("vibration", "vibration.axial"), fits("vibration", "vibration.bpfo")
    (True, False)
    >>> fits("temperature.bearing", "temperature"), fits("temperature.bearing", "temperature.oil")
    (True, False)
    """
    if not measured:
        return False
    if symptom == measured:
        return True
    if measured.startswith(f"{symptom}."):
        return measured not in _LINES
    return measured in ("temperature", "pressure") and symptom.startswith(f"{measured}.")


def _spaced(text: str) -> str:
    """Lower-case words with one space around each: `deTemp-2` and `de_temp_2` read alike."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return f" {' '.join(re.findall(r'[a-z]+|[가-힣]+|[0-9]+', apart.lower()))} "
