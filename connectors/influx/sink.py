"""Results into InfluxDB 2: synchronous writes of line protocol, nothing dropped (docs/influx.md).

influxdb-client's batching writer drops a batch once its retries are used up, so it is not used: `write`
returns when the server has acknowledged every line, or raises `SinkUnavailableError` and takes the same
results again later. A line that InfluxDB will never take is put aside in `drain_refused`.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

import msgspec
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.domain.bucket import Bucket
from influxdb_client.service.write_service import WriteService

from connectors.base.contract import Refused, Sink, SinkSettingsError, SinkUnavailableError
from connectors.base.stats import WorkerStats
from connectors.influx.client import TROUBLE, influx_client, message
from connectors.influx.line_protocol import bodies, joined
from connectors.influx.schema import (
    alarm_line,
    complement_lines,
    prognosis_line,
    rejected_lines,
    scored_lines,
    worker_line,
)
from connectors.influx.settings import InfluxSettings
from pipeline.records import Results

#: InfluxDB parses each request on one core: several at a time, none too long, keep it busy.
MAX_LINES, MAX_BYTES, CONNECTIONS = 10_000, 5_000_000, 2
#: Bodies that are ready before one of them has to be written: they take memory.
WAITING = 2 * CONNECTIONS

#: What InfluxDB answers when every line is durable (204 No Content).
_WRITTEN = 204

#: Refusals that are about the request, not about one line of it: the settings or the rights are wrong.
_SETTINGS = {
    401: "the token is not accepted: check influx.token",
    403: "the token may not write to the bucket: give it write access",
    404: "organisation or bucket not found: check influx.org and influx.bucket, or run `yeji check --create`",
}


class _RefusedBodyError(Exception):
    """InfluxDB refuses something in this body for good."""


class InfluxSink(Sink):
    """Writes results to one bucket; sensors' values too, unless ``influx.readings`` is off."""

    def __init__(self, settings: InfluxSettings) -> None:
        self._settings = settings
        self._client: Any = influx_client(settings, CONNECTIONS + 2)
        write_service: Any = WriteService  # influxdb-client is only half typed
        self._api = write_service(self._client.api_client)
        # On the same machine compressing costs more than it saves.
        self._compress = urlsplit(settings.url).hostname not in ("127.0.0.1", "localhost", "::1")
        self._pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="influx")
        self._refused: list[Refused] = []

    def setup(self) -> None:
        """Check address, token, bucket and right to write. Raises `SinkUnavailableError` with the remedy."""
        self._post(b"\n", "ms")  # writes nothing, and needs every right that writing needs

    def find_bucket(self) -> Bucket | None:
        """The bucket, or None. Raises `SinkUnavailableError`."""
        try:
            found: Bucket | None = self._client.buckets_api().find_bucket_by_name(self._settings.bucket)
            return found
        except TROUBLE as error:
            if getattr(getattr(error, "response", None), "status", None) == 404:
                return None
            raise self._unavailable(error) from error

    def create_bucket(self) -> None:
        """Create the bucket (kept for ever). Raises `SinkUnavailableError` when the token may not."""
        try:
            self._client.buckets_api().create_bucket(
                bucket_name=self._settings.bucket, org=self._settings.org
            )
        except TROUBLE as error:
            raise self._unavailable(error) from error

    def write(self, results: Results) -> None:
        """Write everything but the rejections' bytes (those go to `telemetry.rejected`)."""
        others = [alarm_line(alarm) for alarm in results.alarms]
        others += [prognosis_line(prognosis) for prognosis in results.prognoses]
        readings = self._settings.readings
        found = [scored_lines(some, readings) for some in (results.scored, results.history)]
        late = complement_lines(results.complements) if readings else ()
        self._write(chain(*found, late, others), "ms")
        self._write(rejected_lines(results.rejections), "ns")

    def write_stats(self, stats: WorkerStats) -> None:
        """Write what a worker says of itself."""
        self.write_lines(worker_line(stats), "ms")

    def write_lines(self, lines: bytes, precision: str) -> None:
        """Return when every line is durable or refused for good. Raises `SinkUnavailableError`."""
        self._write([lines], precision)

    def _write(self, pieces: Iterable[bytes], precision: str) -> None:
        """Write pieces of whole lines; some are on their way while the next ones are being made."""
        sent: list[Future[list[Refused]]] = []
        try:
            for lines in joined(pieces, MAX_BYTES // 2):
                for body in bodies(lines, MAX_LINES, MAX_BYTES):
                    if len(sent) >= WAITING:
                        sent[-WAITING].result()
                    sent.append(self._pool.submit(self._write_body, body, precision))
        finally:
            wait(sent)
        self._refused += [refused for one in sent for refused in one.result()]

    def drain_refused(self) -> list[Refused]:
        """Lines that InfluxDB refused for good since the last call, to be reported."""
        refused, self._refused = self._refused, []
        return refused

    def _write_body(self, body: bytes, precision: str) -> list[Refused]:
        """Write; where a body is refused, halve it until the lines that are at fault stand alone.

        InfluxDB writes the good lines of a body with a type conflict, but none of one that it cannot parse.
        """
        refused: list[Refused] = []
        waiting = [body]
        while waiting:
            part = waiting.pop()
            try:
                self._post(part, precision)
            except _RefusedBodyError as error:
                halves = list(_halves(part))
                if len(halves) < 2 or _dropped(str(error)) == part.count(b"\n"):
                    refused += (Refused(line, str(error)) for line in part.splitlines())
                else:
                    waiting += reversed(halves)
        return refused

    def _post(self, body: bytes, precision: str) -> None:
        headers = {"content_encoding": "gzip"} if self._compress else {}
        if self._compress:
            packer = zlib.compressobj(1, wbits=31)
            body = packer.compress(body) + packer.flush()
        try:
            answer = self._api.post_write(
                self._settings.org,
                self._settings.bucket,
                body,
                precision=precision,
                content_type="text/plain; charset=utf-8",
                _preload_content=False,  # the client would decode the answer, which may be anything
                **headers,
            )
            answer.drain_conn()
            answer.release_conn()
        except InfluxDBError as error:
            status = getattr(error.response, "status", None)
            if status == 413 or (status in (400, 422) and _of_influx(error)):
                raise _RefusedBodyError(message(error)) from None
            raise self._unavailable(error) from error
        except TROUBLE as error:
            raise self._unavailable(error) from error
        if answer.status != _WRITTEN:
            raise SinkUnavailableError(
                f"{self._settings.url} answers {answer.status} to a write, where InfluxDB 2 answers "
                f"{_WRITTEN}: something else listens there, or stands in between. Correct influx.url. The "
                "results wait and are written again.",
                retry_after=5.0,
            )

    def _unavailable(self, error: BaseException) -> SinkUnavailableError:
        where = f"InfluxDB at {self._settings.url}"
        response = getattr(error, "response", None)
        status = getattr(response, "status", None)
        if status in _SETTINGS:
            return SinkSettingsError(f"{where}: {_SETTINGS[status]}.", retry_after=5.0)
        if status:
            wait = getattr(error, "retry_after", None)
            return SinkUnavailableError(
                f"{where} answers {status} ({message(error)}). The results wait and are written again.",
                retry_after=_seconds(wait),
            )
        return SinkUnavailableError(
            f"{where} cannot be reached ({_cause(error)}). Start it, or correct influx.url."
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.shutdown(wait=True)
        self._client.close()


def _halves(body: bytes) -> Iterator[bytes]:
    """The body's lines in two halves; a single line as itself.

    >>> list(_halves(b"a\\nb\\nc\\n")), list(_halves(b"a\\n"))
    ([b'a\\nb\\n', b'c\\n'], [b'a\\n'])
    """
    lines = body.count(b"\n")
    yield from bodies(body, max((lines + 1) // 2, 1), len(body))


def _dropped(reason: str) -> int:
    """How many points InfluxDB says it left out.

    >>> _dropped("partial write: points beyond retention policy dropped=3")
    3
    """
    found = re.search(r"dropped=(\d+)", reason)
    return int(found[1]) if found else 0


def _of_influx(error: InfluxDBError) -> bool:
    """Whether InfluxDB itself refuses, and no proxy in front of it."""
    try:
        return "code" in msgspec.json.decode(error.response.data, type=dict[str, Any])
    except (msgspec.DecodeError, AttributeError, TypeError):
        return False


def _cause(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return f"{type(reason).__name__}: {' '.join(str(reason).split())[:200]}"


def _seconds(value: object) -> float:
    try:
        return min(max(float(str(value)), 0.1), 60.0)
    except ValueError:
        return 1.0
