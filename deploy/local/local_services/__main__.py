"""`python -m local_services start|stop|status|fetch|missing`: what `make services` and its sisters call."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from local_services.cache import say
from local_services.errors import ServiceError
from local_services.influx import InfluxNode, InfluxService
from local_services.influx_build import cargo_fits, go_fits, influxd, influxd_is_built
from local_services.java import find_java
from local_services.kafka import KafkaNode, kafka_is_fetched, kafka_jars

REPOSITORY = Path(__file__).resolve().parents[3]


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="local_services", description=__doc__.split(":")[0])
    verbs = {
        "start": "start both in the background (fetch and build them the first time)",
        "stop": "stop both; their data stays",
        "status": "say where they are; ends with 1 when one does not run",
        "fetch": "fetch and build, start nothing",
        "missing": "print which of kafka, influxd, java, go, cargo are not here or too old",
    }
    parser.add_argument("verb", choices=verbs, help="; ".join(f"{k}: {v}" for k, v in verbs.items()))
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "var" / "services", help="data and logs")
    parser.add_argument("--kafka-port", type=int, default=9092)
    parser.add_argument("--influx-port", type=int, default=8086)
    return parser.parse_args(words)


def write_environment(path: Path, kafka: str, influx: InfluxService) -> None:
    """The settings that `yeji` needs to use these services, as a file for a shell to read (owner only)."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(
        "# Read it with:  set -a; . " + str(path) + "; set +a\n"
        f"YEJI_KAFKA__BROKERS={kafka}\n"
        f"YEJI_INFLUX__URL={influx.url}\n"
        f"YEJI_INFLUX__ORG={influx.org}\n"
        f"YEJI_INFLUX__BUCKET={influx.bucket}\n"
        f"YEJI_INFLUX__TOKEN={influx.token}\n"
    )


def missing() -> list[str]:
    """What is still to be fetched or built (kafka, influxd), or to be installed (java, go, cargo)."""
    try:
        find_java()
        java = True
    except ServiceError:
        java = False
    here = {"kafka": kafka_is_fetched(), "influxd": influxd_is_built()}
    here |= {"java": java, "go": go_fits(), "cargo": cargo_fits()}
    return [name for name, there in here.items() if not there]


def _tell(kafka: str | None, influx: InfluxService | None, environment: Path, influx_folder: Path) -> None:
    print(f"Kafka     {kafka or 'does not run'}")
    if influx is None:
        print("InfluxDB  does not run")
    else:
        print(f"InfluxDB  {influx.url}  org {influx.org}, bucket {influx.bucket}")
        print(f"          user, password and token: {influx_folder / 'access.json'}")
    if kafka and influx:
        print(f"Settings  {environment}  (set -a; . {environment}; set +a; yeji check)")


def main(words: list[str] | None = None) -> int:
    """Do one verb; the exit status is 0, or 1 with one message on standard error."""
    asked = _arguments(words)
    folder: Path = asked.folder.resolve()
    kafka = KafkaNode(folder / "kafka", asked.kafka_port)
    influx = InfluxNode(folder / "influx", asked.influx_port)
    environment = folder / "environment"
    try:
        if asked.verb == "fetch":
            say(f"Kafka     {kafka_jars()}")
            say(f"InfluxDB  {influxd()}")
        elif asked.verb == "missing":
            print(" ".join(missing()))
        elif asked.verb == "start":
            address, service = kafka.start(), influx.start()
            write_environment(environment, address, service)
            _tell(address, service, environment, influx.folder)
        elif asked.verb == "status":
            address_now, service_now = kafka.bootstrap(), influx.service()
            _tell(address_now, service_now, environment, influx.folder)
            return 0 if address_now and service_now else 1
        else:
            for node, name in ((kafka, "Kafka"), (influx, "InfluxDB")):
                print(
                    f"{name} {'stopped' if node.stop() else 'did not run'}; its data stays in {node.folder}"
                )
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
