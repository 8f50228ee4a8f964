"""One real InfluxDB 2: set up through its own API with a token made here, and kept in its folder."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx

from local_services.errors import ServiceError
from local_services.influx_build import influxd
from local_services.process import Server, free_port, listening

PORT_TRIES = 3


@dataclass(frozen=True)
class InfluxService:
    """How to reach an InfluxDB: what goes into YEJI_INFLUX__URL, …__ORG, …__BUCKET and …__TOKEN."""

    url: str
    org: str
    bucket: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class InfluxNode:
    """An InfluxDB with everything in ``folder``; ``port`` None picks a free one at each start."""

    folder: Path
    port: int | None = None
    org: str = "yeji"
    bucket: str = "yeji"

    @property
    def server(self) -> Server:
        """The database's process."""
        return Server("influxd", self.folder)

    def service(self) -> InfluxService | None:
        """How to reach the running database, or None."""
        if self.server.pid() is None or not self._access.is_file():
            return None
        known = json.loads(self._access.read_text())
        return InfluxService(known["url"], known["org"], known["bucket"], known["token"])

    def start(self, *, tied: bool = False) -> InfluxService:
        """Start the database, if it does not run; set it up the first time. Raises ServiceError.

        tied: it dies with this process.
        """
        running = self.service()
        if running:
            return running
        program = influxd()
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.port is not None and listening(self.port):
            raise ServiceError(
                f"Port {self.port} is taken, so InfluxDB cannot listen there. See who has it "
                f"(`ss -ltnp 'sport = :{self.port}'`), or choose another with --influx-port."
            )
        tries = PORT_TRIES if self.port is None else 1
        while True:
            tries -= 1
            try:
                return self._set_up(self._start_on(self.port or free_port(), program, tied))
            except ServiceError as error:
                if tries == 0 or "address already in use" not in str(error):
                    raise

    def stop(self) -> bool:
        """Stop the database; False: it was not running."""
        return self.server.stop()

    @property
    def _access(self) -> Path:
        return self.folder / "access.json"

    def _start_on(self, port: int, program: Path, tied: bool) -> str:
        url = f"http://127.0.0.1:{port}"
        command = [
            str(program),
            f"--http-bind-address=127.0.0.1:{port}",
            f"--bolt-path={self.folder / 'influxd.bolt'}",
            f"--sqlite-path={self.folder / 'influxd.sqlite'}",
            f"--engine-path={self.folder / 'engine'}",
            "--reporting-disabled",
            "--pprof-disabled",  # its memory profiler costs a sixth of what a write does
            "--log-level=warn",
        ]
        # influxd reads INFLUXD_* and a configuration file of its own: ours alone shall count.
        env = {name: value for name, value in os.environ.items() if not name.startswith("INFLUXD_")}
        env["INFLUXD_CONFIG_PATH"] = str(self.folder)
        env.setdefault("GOGC", "400")  # collects garbage a quarter as often (docs/influx.md)
        self.server.start(command, ready=lambda: _healthy(url), tied=tied, env=env)
        return url

    def _set_up(self, url: str) -> InfluxService:
        """Make user, org, bucket and token once; afterwards only the address may change."""
        if self._access.is_file():
            known = json.loads(self._access.read_text())
        else:
            known = {
                "org": self.org,
                "bucket": self.bucket,
                "token": secrets.token_urlsafe(48),
                "username": "yeji",
                "password": secrets.token_urlsafe(24),
            }
            _write_private(self._access, json.dumps({**known, "url": url}, indent=1))
        if httpx.get(f"{url}/api/v2/setup", timeout=10).json()["allowed"]:
            request = {**{k: v for k, v in known.items() if k != "url"}, "retentionPeriodSeconds": 0}
            answer = httpx.post(f"{url}/api/v2/setup", json=request, timeout=30)
            if answer.status_code != httpx.codes.CREATED:
                self.stop()
                raise ServiceError(
                    f"InfluxDB refused its set-up with HTTP {answer.status_code}: {answer.text[:300]}. "
                    f"Remove {self.folder} to begin anew."
                )
        service = InfluxService(url, known["org"], known["bucket"], known["token"])
        _write_private(self._access, json.dumps({**known, **asdict(service)}, indent=1))
        return service


def _healthy(url: str) -> bool:
    try:
        answer = httpx.get(f"{url}/health", timeout=2)
        return answer.status_code == httpx.codes.OK and answer.json().get("status") == "pass"
    except (httpx.HTTPError, ValueError):
        return False


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    part.replace(path)
