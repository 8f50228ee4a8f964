"""A machine's page on the desk: what its charts are compared with, where they lead, who may ask for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from connectors.grafana.dashboards.build import build_all
from desk.rules.finding import Finding
from desk.rules.scope import EVERYTHING
from desk.settings.alarms import DeskSettings
from pipeline.records import VerdictKind
from tests.desk.web.plant import NOW, OURS, PRESS, PUMP, SECRET, Plant, make_plant


@pytest.fixture
def linked(tmp_path: Path) -> Iterator[Plant]:
    made = make_plant(tmp_path, grafana="https://grafana.example/")
    yield made
    made.close()


def test_it_leads_to_the_same_machine_in_grafana_and_back(linked: Plant, plant: Plant):
    address = f"/machines/{quote(PRESS)}"
    text = linked.client("kim").get(address).text
    assert f'"https://grafana.example/d/yeji-machine?var-machine={PRESS}"' in text
    assert "grafana" not in plant.client("kim").get(address).text
    links = build_all("https://desk.example")["yeji-machine"]["links"]
    assert links[-1]["url"] == "https://desk.example/machines/${machine:raw}?from=${__from}&to=${__to}"
    assert len(build_all()["yeji-machine"]["links"]) == len(links) - 1
    with pytest.raises(ValueError, match="http://"):
        DeskSettings(grafana="grafana.example")
    with pytest.raises(ValueError, match="http://"):
        DeskSettings(url="")


def test_repairs_are_offered_to_compare_before_and_after(plant: Plant):
    for kind, mode in ((VerdictKind.FAULT, "bearing-wear"), (VerdictKind.FALSE_ALARM, "")):
        finding = Finding(kind, mode)
        begin, end = NOW - 900_000, NOW - 600_000
        plant.desk.report_verdict(EVERYTHING, PRESS, finding, start=begin, end=end, by="kim")
    text = plant.client("kim").get(f"/machines/{quote(PRESS)}").text
    assert text.count('value="repair:') == 1
    assert f'value="repair:{NOW - 600_000}"' in text
    assert "before and after: bearing-wear" in text


@pytest.mark.parametrize("path", ["/api/series", "/api/series.csv", "/api/usual", "/api/sisters"])
def test_data_of_others_are_not_there(plant: Plant, path: str):
    client = plant.client("kim")
    assert client.get(path, params={"machine": PRESS}).status_code == 200
    assert client.get(path, params={"machine": SECRET}).status_code == 404
    assert plant.client().get(path, params={"machine": PRESS}).status_code == 303


def test_sisters_are_those_of_ones_own_places(plant: Plant):
    """All three machines are of one class; the third is another tenant's."""
    assert plant.client("kim").get("/api/sisters", params={"machine": PRESS}).json() == [PUMP]
    assert plant.client("root").get("/api/sisters", params={"machine": PRESS}).json() == [PUMP, SECRET]
    assert OURS in PUMP
