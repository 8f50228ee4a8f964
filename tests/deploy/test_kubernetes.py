"""The Kubernetes manifests: valid by Kubernetes' own schemas, and fitting what the code reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy.reading import HEALTH, REPOSITORY, check_command, setting_exists, told

FOLDER = REPOSITORY / "deploy" / "kubernetes"
VERSIONS = ("1.31", "1.37")


def documents() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        for one in yaml.safe_load_all(path.read_text()):
            found.append((f"{path.name}:{one['kind']}", one))
    return found


DOCUMENTS = documents()
WORKLOADS = [one for one in DOCUMENTS if one[1]["kind"] in ("Deployment", "StatefulSet")]
EACH_WORKLOAD = pytest.mark.parametrize(
    "workload", [one for _, one in WORKLOADS], ids=[name for name, _ in WORKLOADS]
)


def containers(workload: dict[str, Any]) -> list[dict[str, Any]]:
    pod = workload["spec"]["template"]["spec"]
    return [*pod.get("initContainers", []), *pod["containers"]]


def addresses() -> dict[str, str]:
    data: dict[str, str] = next(one for _, one in DOCUMENTS if one["metadata"]["name"] == "yeji-addresses")[
        "data"
    ]
    return data


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", [one for _, one in DOCUMENTS], ids=[name for name, _ in DOCUMENTS])
def test_kubernetes_takes_it(document: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(document, version, strict=True)


def test_the_schemas_refuse_what_is_wrong() -> None:
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"port": 80}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_the_kustomization_names_every_file() -> None:
    kustomization = yaml.safe_load((REPOSITORY / "deploy" / "kustomization.yaml").read_text())
    named = {Path(one).name for one in kustomization["resources"]}
    assert named == {path.name for path in FOLDER.glob("*.yaml")}
    made = {one["name"]: one["files"] for one in kustomization["configMapGenerator"]}
    assert made == {"yeji-toml": ["yeji.toml"]}
    assert {one["metadata"].get("namespace", one["metadata"]["name"]) for _, one in DOCUMENTS} == {
        kustomization["namespace"]
    }


@EACH_WORKLOAD
def test_commands_and_variables_fit(workload: dict[str, Any]) -> None:
    for container in containers(workload):
        check_command(container["args"])
        given = {one["name"]: one.get("value", "referred-to") for one in container.get("env", [])}
        assert all(setting_exists(name) for name in given), given
        with told({**addresses(), **given}) as settings:
            assert settings.kafka.brokers == "kafka:9092"
        mounts = {one["mountPath"] for one in container["volumeMounts"]}
        assert str(Path(addresses()["YEJI_CONFIG"]).parent) in mounts
        assert "/data" in mounts


@EACH_WORKLOAD
def test_containers_may_do_little(workload: dict[str, Any]) -> None:
    pod = workload["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in containers(workload):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]


@EACH_WORKLOAD
def test_secrets_are_referred_to(workload: dict[str, Any]) -> None:
    for container in containers(workload):
        for one in container.get("env", []):
            if any(word in one["name"] for word in ("TOKEN", "PASSWORD")):
                assert one["valueFrom"]["secretKeyRef"]["name"] == "yeji"
                assert "value" not in one
    assert not any("TOKEN" in name or "PASSWORD" in name for name in addresses())


@EACH_WORKLOAD
def test_volumes_are_declared(workload: dict[str, Any]) -> None:
    pod = workload["spec"]["template"]["spec"]
    known = {one["name"] for one in pod["volumes"]}
    known |= {one["metadata"]["name"] for one in workload["spec"].get("volumeClaimTemplates", [])}
    for container in containers(workload):
        assert {one["name"] for one in container["volumeMounts"]} <= known


def test_selectors_find_pods() -> None:
    pods = [one["spec"]["template"]["metadata"]["labels"] for _, one in WORKLOADS]

    def finds(labels: dict[str, str]) -> bool:
        return any(labels.items() <= pod.items() for pod in pods)

    for name, one in DOCUMENTS:
        spec = one.get("spec", {})
        selector = spec.get("podSelector", {}).get("matchLabels") or spec.get("selector")
        if selector:
            assert finds(selector.get("matchLabels", selector)), name


def test_the_desk_is_probed_where_it_listens() -> None:
    (desk,) = (one for _, one in WORKLOADS if one["metadata"]["name"] == "yeji-desk")
    (container,) = containers(desk)
    port = next(one["value"] for one in container["env"] if one["name"] == "YEJI_DESK__PORT")
    (declared,) = container["ports"]
    assert declared["containerPort"] == int(port)
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert (asked["path"], asked["port"]) == (HEALTH, declared["name"])
        assert asked["httpHeaders"] == [{"name": "Host", "value": "localhost"}], "a name that the desk knows"
    policy = next(
        one
        for _, one in DOCUMENTS
        if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == "yeji-desk"
    )
    assert policy["spec"]["ingress"][0]["ports"][0]["port"] == int(port)
