"""The names by which a CSV file's columns are recognised, as `plain` returns them; English and Korean."""

from __future__ import annotations

import re
from collections.abc import Sequence


def plain(name: str) -> str:
    """A column's name as it is compared: without case, spaces, signs or a unit in brackets.

    >>> plain("Time (s)"), plain("machine_ID"), plain("Volume Flow RateRMS")
    ('time', 'machineid', 'volumeflowraterms')
    """
    return re.sub(r"[\W_]+", "", re.sub(r"[(\[].*?[)\]]", "", name.lower()))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: Labels of a data set and numbers of rows: neither is a sensor.
LABELS = frozenset(
    _words(
        "anomaly changepoint label labels isanomaly anomalylabel groundtruth target class fault isfault "
        "failure machinefailure rul"
    )
)
_LABEL_ENDS = _words("groundtruth label labels anomaly anomalies changepoint")
_LABEL_SHAPE = re.compile(r"(?i)is[_ ].+|.+[_ ]flag")
ROW_NUMBERS = frozenset(_words("index row rownumber no id unnamed0 순번 번호"))

#: Times, the likeliest first.
TIMES = _words(
    "timestamp datetime time date eventtime ts dt timestamputc datetimeutc utc epoch unixtime recordedat "
    "measuredat createdat zeitstempel zeit datum uhrzeit fecha horodatage "
    "시간 일시 측정시간 측정일시 시각 날짜 일자"
)
DATES = frozenset(_words("date datum fecha data 날짜 일자"))
CLOCKS = frozenset(_words("time uhrzeit clock heure hora 시간 시각"))

#: Columns that count, and how long one of them is taken to last, in ms.
COUNTERS: dict[str, float] = {
    **dict.fromkeys(_words("cycle cycles timecycles timeincycles 사이클"), 3_600_000.0),
    **dict.fromkeys(_words("hour hours operatinghours 가동시간"), 3_600_000.0),
    **dict.fromkeys(_words("day days"), 86_400_000.0),
    **dict.fromkeys(_words("minute minutes"), 60_000.0),
    **dict.fromkeys(_words("seconds second elapsed step index sample row rownumber no 순번"), 1000.0),
}

MACHINES = _words(
    "machine machineid machinename asset assetid equipment equipmentid device deviceid engine engineid unit "
    "unitid unitnumber unitnr 설비 설비명 장비 장비명 호기"
)
#: Columns that name the sensor and hold its value, in files of one value a row.
SENSORS = _words(
    "sensor sensorid sensorname tag tagname tagid variable metric signal parameter channel measurement item "
    "attribute 센서 센서명 태그 항목"
)
#: Columns that tell how good a value is.
QUALITIES = frozenset(_words("quality qualitycode opcquality q statuscode 품질"))
VALUES = _words("value val reading measuredvalue 값 측정값")

_UNITS: dict[str, float] = {
    "ns": 1e-6,
    "us": 1e-3,
    "ms": 1.0,
    "s": 1e3,
    "sec": 1e3,
    "seconds": 1e3,
    "min": 6e4,
    "h": 3.6e6,
    "hr": 3.6e6,
    "hours": 3.6e6,
}


def unit_in(name: str) -> float | None:
    """The unit of time that a column's name carries, in ms.

    >>> unit_in("Time (s)"), unit_in("time_ms"), unit_in("time")
    (1000.0, 1.0, None)
    """
    found = re.search(rf"[(\[_ ]({'|'.join(_UNITS)})[)\]]?$", name.strip().lower())
    return _UNITS[found[1]] if found else None


def is_label(name: str, cells: Sequence[str]) -> bool:
    """Whether a column of ``cells`` holds labels of a data set: by its name, or by that and only 0 and 1.

    >>> is_label("Motor Ground Truth", ["0"]), is_label("is_fault", ["0", "1"]), is_label("is_amps", ["3"])
    (True, True, False)
    """
    own = plain(name)
    if own in LABELS or own.endswith(_LABEL_ENDS):
        return True
    if not _LABEL_SHAPE.fullmatch(name.strip()):
        return False
    return {number_of(cell) for cell in cells} <= {0.0, 1.0, None}


_MISSING = frozenset(("", "nan", "null", "none", "na", "n/a", "#n/a", "-", "--", "nat"))
_TRUTH = {"true": 1.0, "false": 0.0}


def missing(cell: str) -> bool:
    """Whether a cell stands for "no value"."""
    return cell.strip().lower() in _MISSING


def number_of(cell: str) -> float | None:
    """A cell's number: true and false are 1 and 0; None when it is none."""
    try:
        return float(cell)
    except ValueError:
        return _TRUTH.get(cell.strip().lower())
