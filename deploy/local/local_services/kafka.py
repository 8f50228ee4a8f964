"""One real Kafka broker (KRaft, its own controller) from the jars that kafka-jars/pom.xml names."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from local_services.cache import built, is_built, key_of, run_build, say
from local_services.errors import ServiceError
from local_services.java import find_java
from local_services.process import Server, free_port, listening

HERE = Path(__file__).resolve().parent.parent / "kafka-jars"
POM = HERE / "pom.xml"
LOGGING = HERE / "log4j2.properties"
HEAP = "-Xms256m -Xmx1g"
PORT_TRIES = 3  # a free port can be taken by somebody else before the broker has it


def kafka_version() -> str:
    """The version that the pom pins."""
    found = re.search(r"<kafka\.version>([^<]+)<", POM.read_text())
    if not found:
        raise ServiceError(f"{POM} names no <kafka.version>. Restore the file from git.")
    return found.group(1)


def kafka_jars() -> Path:
    """The folder of the broker's jars, fetched with Maven the first time (about 45 MB)."""
    return built("kafka", _key(), _fetch)


def kafka_is_fetched() -> bool:
    """Whether the cache holds them already."""
    return is_built("kafka", _key())


def _key() -> str:
    return key_of(kafka_version(), [POM])


def _fetch(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ServiceError(
            "Maven is missing; Kafka's jars are fetched with it. Debian: apt-get install maven."
        )
    say(f"Fetching Kafka {kafka_version()} with Maven, once (about 45 MB) …")
    command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
    env = {**os.environ}
    if not shutil.which("java"):
        env["JAVA_HOME"] = str(find_java().parent.parent)
    log = folder.parent / "mvn.log"
    run_build("fetching Kafka", [*command, f"-DoutputDirectory={folder}"], cwd=folder, log=log, env=env)
    if not any(folder.glob("kafka-server-[0-9]*.jar")):
        raise ServiceError(f"Maven ended well but left no Kafka jars in {folder}. Check {POM}.")


def _properties(folder: Path, port: int, controller: int) -> dict[str, str | int]:
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(folder / "log-dirs"),
        # As in a plant: a topic that nobody made is a mistake, not a new topic.
        "auto.create.topics.enable": "false",
        "message.max.bytes": 1_048_588,
        # One node holds every copy.
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        "min.insync.replicas": 1,
        # The first member of a group need not wait for others.
        "group.initial.rebalance.delay.ms": 0,
        # A killed worker's partitions may be given away soon.
        "group.min.session.timeout.ms": 1000,
        "log.retention.hours": 168,
    }


@dataclass(frozen=True)
class KafkaNode:
    """A broker with everything in ``folder``; ``port`` None picks a free one at each start."""

    folder: Path
    port: int | None = None
    extra: Mapping[str, str] = field(
        default_factory=dict
    )  # more of server.properties; "+value" adds to a list

    @property
    def server(self) -> Server:
        """The broker's process."""
        return Server("kafka", self.folder)

    def bootstrap(self) -> str | None:
        """``host:port`` of the running broker, or None."""
        if self.server.pid() is None:
            return None
        found = re.search(r"^advertised\.listeners=PLAINTEXT://(.+)$", self._config.read_text(), re.MULTILINE)
        return found.group(1) if found else None

    def start(self, *, tied: bool = False) -> str:
        """Start the broker, if it does not run, and give ``host:port`` once it answers.

        tied: it dies with this process. Raises ServiceError.
        """
        running = self.bootstrap()
        if running:
            return running
        java, jars = find_java(), kafka_jars()
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.port is not None and listening(self.port):
            raise ServiceError(
                f"Port {self.port} is taken, so Kafka cannot listen there. See who has it "
                f"(`ss -ltnp 'sport = :{self.port}'`), or choose another with --kafka-port."
            )
        tries = PORT_TRIES if self.port is None else 1
        while True:
            tries -= 1
            try:
                return self._start_on(self.port or free_port(), java, jars, tied)
            except ServiceError as error:
                if tries == 0 or "Address already in use" not in str(error):
                    raise

    def stop(self) -> bool:
        """Stop the broker; False: it was not running."""
        return self.server.stop()

    @property
    def _config(self) -> Path:
        return self.folder / "server.properties"

    def _start_on(self, port: int, java: Path, jars: Path, tied: bool) -> str:
        properties = _properties(self.folder, port, free_port())
        for name, value in self.extra.items():
            before = str(properties.get(name, ""))
            properties[name] = f"{before},{value[1:]}" if value.startswith("+") else value
        lines = [f"{name}={value}" for name, value in properties.items()]
        self._config.write_text("\n".join(lines) + "\n")
        base = [str(java), "-cp", f"{jars}/*", f"-Dlog4j2.configurationFile={LOGGING}"]
        if not (self.folder / "log-dirs" / "meta.properties").is_file():
            self._format(base)
        heap = os.environ.get("KAFKA_HEAP_OPTS", HEAP).split()
        address = f"127.0.0.1:{port}"
        self.server.start(
            [*base, *heap, "kafka.Kafka", str(self._config)],
            ready=lambda: listening(port) and _answers(address),
            tied=tied,
        )
        return address

    def _format(self, base: list[str]) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        cluster = "Y" + cluster[1:]  # one that begins with a hyphen would be taken for an option
        command = [*base, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._config)]
        done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            raise ServiceError(
                f"Kafka could not prepare {self.folder}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}\n"
                "Check that the folder can be written and the disk has room."
            )


def _answers(address: str) -> bool:
    try:
        client = KafkaAdminClient(
            bootstrap_servers=address, bootstrap_timeout_ms=2000, request_timeout_ms=3000
        )
    except KafkaError:
        return False
    try:
        return bool(client.describe_cluster()["brokers"])
    except KafkaError:
        return False
    finally:
        client.close()
