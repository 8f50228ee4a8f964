"""Scoped tokens on the real InfluxDB, and an InfluxDB behind a certificate of one's own."""

from __future__ import annotations

import ssl
import stat
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from connectors.base.contract import SinkSettingsError, SinkUnavailableError
from connectors.base.history import HistoryUnavailableError
from connectors.influx.flux import FluxReader
from connectors.influx.settings import InfluxSettings
from connectors.influx.sink import InfluxSink
from connectors.influx.tokens import Purpose, keep_token, make_token
from tests.connectors.kafka.secure_broker import Authority


def _settings(service: Any, **changes: Any) -> InfluxSettings:
    known = {"url": service.url, "org": service.org, "bucket": service.bucket, "token": service.token}
    return InfluxSettings(**(known | changes))


@pytest.mark.services
def test_a_token_does_what_it_is_for_and_nothing_else(influx_bucket: Any) -> None:
    settings = _settings(influx_bucket)
    worker = _settings(influx_bucket, token=make_token(settings, Purpose.WORKER))
    reader = _settings(influx_bucket, token=make_token(settings, Purpose.READER))
    query = f'from(bucket: "{settings.bucket}") |> range(start: 0)'
    with InfluxSink(worker) as sink:
        sink.write_lines(b"m v=1 1790000000000\n", "ms")
    asking = FluxReader(worker)
    with pytest.raises(HistoryUnavailableError):
        asking.rows(query)
    asking.close()
    asking = FluxReader(reader)
    assert [row["_value"] for row in asking.rows(query)] == ["1"]
    asking.close()
    sink = InfluxSink(reader)
    with pytest.raises(SinkSettingsError):
        sink.setup()
    sink.close()
    with pytest.raises(SinkSettingsError, match=r"may not make tokens|no bucket"):
        make_token(worker, Purpose.READER)


def test_a_token_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    to = tmp_path / "token"
    keep_token("t", to)
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    assert InfluxSettings(token_file=to).token.get_secret_value() == "t"  # type: ignore[call-arg,union-attr]
    with pytest.raises(SinkSettingsError, match="Name a new file"):
        keep_token("t", to)


class _Written(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Silence."""


def test_a_certificate_is_believed_when_its_authority_is_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Written)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("influx"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"https://127.0.0.1:{server.server_port}"
    with InfluxSink(InfluxSettings(url=url, token="t", ca_file=authority.file)):
        pass
    stranger = InfluxSink(InfluxSettings(url=url, token="t", timeout=3))
    with pytest.raises(SinkUnavailableError, match=r"CERTIFICATE_VERIFY_FAILED|SSL"):
        stranger.setup()
    stranger.close()
    with pytest.raises(SinkSettingsError, match="which is no file"):
        InfluxSink(InfluxSettings(url=url, token="t", ca_file=tmp_path / "none"))
    server.shutdown()
    server.server_close()
