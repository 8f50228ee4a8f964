"""Questions to InfluxDB 2 in Flux, and their answers as rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from influxdb_client.domain.dialect import Dialect

from connectors.base.contract import SinkUnavailableError
from connectors.base.history import HistoryUnavailableError
from connectors.influx.client import TROUBLE, influx_client
from connectors.influx.settings import InfluxSettings


class FluxReader:
    """Asks one InfluxDB; safe to use from several threads. Raises `HistoryUnavailableError`."""

    def __init__(self, settings: InfluxSettings) -> None:
        try:
            self._client: Any = influx_client(settings, 16)
        except SinkUnavailableError as error:
            raise HistoryUnavailableError(str(error)) from error
        self.bucket = literal(settings.bucket)
        self._url, self._org = settings.url, settings.org
        dialect: Any = Dialect  # influxdb-client is only half typed
        self._dialect = dialect(annotations=[], header=True, delimiter=",", date_time_format="RFC3339")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def rows(self, query: str) -> list[dict[str, str]]:
        """All rows of all tables of the answer; every value as text, "" = none."""
        try:
            answer = self._client.query_api().query_raw(query, org=self._org, dialect=self._dialect)
            text = (answer.data if isinstance(answer.data, bytes) else answer.read()).decode()
        except TROUBLE as error:
            status = getattr(getattr(error, "response", error), "status", None)
            why = f"answers {status}" if status else f"cannot be reached ({type(error).__name__})"
            raise HistoryUnavailableError(
                f"InfluxDB at {self._url} {why}. `yeji check` says what is wrong with it."
            ) from error
        return list(parse(text))


def parse(text: str) -> Iterator[dict[str, str]]:
    r"""The rows of an answer without annotations; a blank line stands before each new header.

    >>> list(parse("\r\n,result,table,_value\r\n,_result,0,1\r\n\r\n,result,table,name\r\n,_result,1,x\r\n"))
    [{'_value': '1'}, {'name': 'x'}]
    """
    header: list[str] | None = None
    for row in csv.reader(io.StringIO(text)):
        if not any(row):
            header = None
        elif header is None:
            header = row
        else:
            found = dict(zip(header, row, strict=True))
            yield {name: found[name] for name in header if name not in ("", "result", "table")}


#: ms UTC; nanoseconds are 64 bits wide.
_FARTHEST = 9_223_372_036_854


def literal(text: str) -> str:
    r"""``text`` as a string of Flux.

    >>> print(literal('a"b\\c${d}'))
    "a\"b\\c\${d}"
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'


def moment(time: int) -> str:
    """A time in ms UTC as Flux writes it; one that it cannot hold is the nearest that it can.

    >>> moment(1_769_835_600_250), moment(0), moment(10**15)
    ('time(v: 1769835600250000000)', 'time(v: 0)', 'time(v: 9223372036854000000)')
    """
    return f"time(v: {max(-_FARTHEST, min(time, _FARTHEST)) * 1_000_000})"


def milliseconds(text: str) -> int:
    """A time of an answer as ms UTC.

    >>> milliseconds("2026-01-31T05:00:00.25Z"), milliseconds("2026-01-31T05:00:00.123456789Z")
    (1769835600250, 1769835600123)
    """
    second, _, rest = text.removesuffix("Z").partition(".")
    whole = int(datetime.fromisoformat(f"{second}+00:00").timestamp())
    return whole * 1000 + int(f"{rest:0<3.3}" if rest else 0)
