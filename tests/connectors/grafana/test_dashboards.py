"""The dashboards as files: what is committed is what the builders build, and Grafana's own model reads it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from connectors.grafana.dashboards.build import build_all, file_text, write_all
from connectors.grafana.dashboards.flux import SOURCE_UID

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDER = REPOSITORY / "deploy" / "grafana" / "dashboards"
DASHBOARDS = build_all()
EVERY = pytest.mark.parametrize("uid", list(DASHBOARDS))


def panels(uid: str) -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARDS[uid]["panels"] if panel["type"] != "row"]


@EVERY
def test_the_committed_file_is_what_the_builders_build(uid: str) -> None:
    path = FOLDER / f"{uid}.json"
    remedy = f"write it with `yeji grafana write {FOLDER.relative_to(REPOSITORY)}`"
    assert path.is_file(), remedy
    assert path.read_text(encoding="utf-8") == file_text(DASHBOARDS[uid]), remedy


def test_no_file_is_left_over(tmp_path: Path) -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(DASHBOARDS)
    (tmp_path / "yeji-old.json").write_text("{}")
    (tmp_path / "other.json").write_text("{}")
    assert {path.name for path in write_all(tmp_path)} == {f"{uid}.json" for uid in DASHBOARDS}
    assert not (tmp_path / "yeji-old.json").exists()
    assert (tmp_path / "other.json").exists(), "only Yeji's own files are removed"


@EVERY
def test_grafanas_model_knows_everything_in_it(uid: str) -> None:
    """Reading a dashboard into Grafana's published types and writing it again loses and changes nothing."""
    register_default_plugins()
    read = Dashboard.from_json(json.loads(json.dumps(DASHBOARDS[uid])))
    again = json.loads(json.dumps(read, cls=JSONEncoder))
    assert again == DASHBOARDS[uid]


@EVERY
def test_panels_lie_side_by_side(uid: str) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARDS[uid]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]
    assert len({panel["id"] for panel in DASHBOARDS[uid]["panels"]}) == len(DASHBOARDS[uid]["panels"])


@EVERY
def test_every_panel_says_what_it_shows(uid: str) -> None:
    for panel in panels(uid):
        assert panel["title"], panel["id"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"] == {"type": "influxdb", "uid": SOURCE_UID}
        assert all(target["datasource"]["uid"] == SOURCE_UID for target in panel["targets"])


@EVERY
def test_links_lead_to_dashboards_and_variables_that_exist(uid: str) -> None:
    text = json.dumps(DASHBOARDS[uid])
    for target, variable in re.findall(r"/d/([\w-]+)\?var-(\w+)=", text):
        assert target in DASHBOARDS
        assert variable in {one["name"] for one in DASHBOARDS[target]["templating"]["list"]}
    tags = [tag for link in DASHBOARDS[uid]["links"] for tag in link["tags"]]
    assert tags
    assert set(tags) <= set(DASHBOARDS[uid]["tags"])


@EVERY
def test_overrides_name_columns_that_are_there(uid: str) -> None:
    for panel in panels(uid):
        shown = {name for one in panel["transformations"] for name in one["options"]["renameByName"].values()}
        refs = {target["refId"] for target in panel["targets"]}
        for override in panel.get("fieldConfig", {}).get("overrides", []):
            matcher = override["matcher"]
            known = {"byName": shown, "byFrameRefID": refs}[matcher["id"]]
            assert matcher["options"] in known, f"{panel['title']}: {matcher}"
