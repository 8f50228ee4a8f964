"""The real services and the browser, for every test that asks for one; and the rule that CI skips nothing.

Each server starts once a session, on a free port of 127.0.0.1 with its data in a temporary folder, and dies
with the test run, however that ends. To use running ones: YEJI_TEST_KAFKA=host:port, and
YEJI_TEST_INFLUX_URL with _ORG, _BUCKET, _TOKEN (a token that may create buckets).
"""

from __future__ import annotations

import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "deploy" / "local"))
# Before any kernel is imported: an index out of bounds is an error here, not a wrong number.
os.environ["NUMBA_BOUNDSCHECK"] = "1"

from local_services import InfluxNode, InfluxService, KafkaNode, ServiceError
from local_services.process import Server, free_port, listening

if TYPE_CHECKING:
    from playwright.sync_api import Browser

settings.register_profile("yeji", deadline=None)  # a busy machine is no failure
settings.load_profile("yeji")

# Chromium of Debian, run as root in a container, kept from calling home.
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def services_required() -> bool:
    """Whether a missing service is a failure: in CI, or when YEJI_REQUIRE_SERVICES is set."""
    return any(os.environ.get(name, "").lower() not in ("", "0", "false") for name in REQUIRING)


REQUIRING = ("CI", "YEJI_REQUIRE_SERVICES")


def _unavailable(what: str, why: object) -> NoReturn:
    text = f"{what} is not to be had: {why}"
    if services_required():
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


#: Fixtures that start a server or a browser, or build a program.
SERVICES = frozenset({"kafka", "influx", "mosquitto", "chromium", "go"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a service, whoever asks for it, so that ``-m "not services"`` is quick everywhere."""
    for item in items:
        if SERVICES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.services)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where services are required, a skipped test is a failed run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and services_required() and reporter.stats.get("skipped"):
        session.exitstatus = max(int(session.exitstatus), pytest.ExitCode.TESTS_FAILED)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say so, where it is a failure that tests were skipped."""
    skipped = len(terminalreporter.stats.get("skipped", []))
    if skipped and services_required():
        terminalreporter.write_line(
            f"FAILED: {skipped} skipped, but {' or '.join(REQUIRING)} is set: nothing may be skipped here.",
            red=True,
            bold=True,
        )


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``host:port`` of a real Kafka broker; topics are not made by themselves (see ``make_topic``)."""
    running = os.environ.get("YEJI_TEST_KAFKA")
    if running:
        yield running
        return
    node = KafkaNode(tmp_path_factory.mktemp("kafka"))
    try:
        address = node.start(tied=True)
    except ServiceError as error:
        _unavailable("Kafka", error)
    yield address
    node.stop()


@pytest.fixture(scope="session")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxService]:
    """A real InfluxDB 2: ``url``, ``org``, ``bucket``, ``token``. A bucket of one test: ``influx_bucket``."""
    running = os.environ.get("YEJI_TEST_INFLUX_URL")
    if running:
        names = ("ORG", "BUCKET", "TOKEN")
        org, bucket, token = (os.environ.get(f"YEJI_TEST_INFLUX_{name}", "yeji") for name in names)
        yield InfluxService(running, org, bucket, token)
        return
    node = InfluxNode(tmp_path_factory.mktemp("influx"))
    try:
        service = node.start(tied=True)
    except ServiceError as error:
        _unavailable("InfluxDB", error)
    yield service
    node.stop()


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Make a name that no other test has: ``unique("frames")`` is like ``frames.3f2a9c01``."""
    return lambda stem: f"{stem}.{uuid.uuid4().hex[:8]}"


class MakeTopic(Protocol):
    """Create a topic and wait until it can be used; gives its (unique) name."""

    def __call__(self, stem: str = "t", *, partitions: int = 1, **config: object) -> str: ...


@pytest.fixture
def make_topic(kafka: str, unique: Callable[[str], str]) -> Iterator[MakeTopic]:
    """Create topics of this test alone: ``make_topic("frames", partitions=4, **{"retention.ms": 1000})``."""
    from kafka import KafkaAdminClient

    client = KafkaAdminClient(bootstrap_servers=kafka)

    def make(stem: str = "t", *, partitions: int = 1, **config: object) -> str:
        name = unique(stem)
        configs = {key: str(value) for key, value in config.items()}
        topic = {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
        client.create_topics({name: topic}, wait_for_metadata=True)
        return name

    yield make
    client.close()


@pytest.fixture
def influx_bucket(influx: InfluxService, unique: Callable[[str], str]) -> Iterator[InfluxService]:
    """The same InfluxDB with a bucket of this test alone, removed afterwards."""
    from influxdb_client import InfluxDBClient

    with InfluxDBClient(influx.url, influx.token, org=influx.org) as client:
        api = client.buckets_api()
        bucket = api.create_bucket(bucket_name=unique("test"), org=influx.org)
        yield replace(influx, bucket=bucket.name)
        api.delete_bucket(bucket)


@dataclass(frozen=True)
class MqttBroker:
    """Where the MQTT broker listens."""

    host: str
    port: int


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MqttBroker]:
    """A real mosquitto that takes anonymous clients, MQTT 3.1.1 and 5."""
    # Debian puts it in /usr/sbin, which a user's PATH may lack.
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        _unavailable("mosquitto", "install it (Debian: apt-get install mosquitto)")
    folder, port = tmp_path_factory.mktemp("mosquitto"), free_port()
    (folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    server = Server("mosquitto", folder)
    command = [program, "-c", str(folder / "mosquitto.conf")]
    try:
        server.start(command, ready=lambda: listening(port), tied=True, timeout=20)
    except ServiceError as error:
        _unavailable("mosquitto", error)
    yield MqttBroker("127.0.0.1", port)
    server.stop()


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The path of chromium: $YEJI_TEST_CHROMIUM, or the one on PATH."""
    names = (os.environ.get("YEJI_TEST_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    for name in names:
        found = shutil.which(name) if name else None
        if found:
            return Path(found)
    _unavailable("chromium", "install it (Debian: apt-get install chromium), or set YEJI_TEST_CHROMIUM")


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    """A real chromium with a fresh profile, as playwright's synchronous ``Browser``.

    One a module: while it is open, playwright's event loop runs in this thread and no async test can.
    So a module that uses it has no async tests, and runs its servers in threads or processes.
    """
    from playwright.sync_api import Error, sync_playwright

    options: dict[str, Any] = {"executable_path": str(chromium), "args": CHROMIUM_FLAGS}
    with sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(**options)
        except Error as error:
            _unavailable("chromium", error)
        yield opened
        opened.close()
