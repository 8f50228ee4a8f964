"""`yeji grafana apply`: everything is made once, brought up to date when it differs, else left alone."""

from __future__ import annotations

import pytest
from local_services.process import free_port
from pydantic import SecretStr

from connectors.grafana.apply import FOLDER_UID, Action, apply, data_source
from connectors.grafana.client import Grafana, GrafanaError
from connectors.grafana.dashboards.build import build_all
from connectors.grafana.dashboards.flux import SOURCE_UID
from connectors.grafana.settings import GrafanaSettings
from connectors.influx.settings import InfluxSettings
from streams.settings import Settings
from tests.connectors.grafana.fake_grafana import PASSWORD, TOKEN, FakeGrafana

THINGS = 2 + len(build_all())


def actions(settings: Settings, *, dry: bool = False) -> list[Action]:
    return [change.action for change in apply(Grafana(settings.grafana), settings, dry=dry)]


def writes(grafana: FakeGrafana) -> list[tuple[str, str]]:
    return [(call.method, call.path) for call in grafana.calls if call.method != "GET"]


def test_everything_is_made_and_then_left_alone(grafana: FakeGrafana, settings: Settings) -> None:
    assert actions(settings) == [Action.CREATED] * THINGS
    assert set(grafana.folders) == {FOLDER_UID}
    assert grafana.sources[SOURCE_UID]["jsonData"] == {
        "version": "Flux",
        "organization": "plant",
        "defaultBucket": "press",
    }
    for uid, dashboard in build_all().items():
        stored, meta = grafana.dashboards[uid]
        assert {**stored, "id": None, "version": None} == {**dashboard, "id": None, "version": None}
        assert meta["folderUid"] == FOLDER_UID
    grafana.calls.clear()
    assert actions(settings) == [Action.SAME] * THINGS
    # Only the data source, whose token Grafana never shows.
    assert writes(grafana) == [("PUT", f"/api/datasources/uid/{SOURCE_UID}")]


def test_what_differs_is_brought_up_to_date(grafana: FakeGrafana, settings: Settings) -> None:
    actions(settings)
    grafana.folders[FOLDER_UID]["title"] = "Old"
    grafana.sources[SOURCE_UID]["url"] = "http://elsewhere:8086"
    grafana.dashboards["yeji-fleet"][0]["title"] = "Somebody's"
    done = {change.name: change.action for change in apply(Grafana(settings.grafana), settings)}
    assert [name for name, action in done.items() if action is Action.UPDATED] == [
        "Yeji",
        "Yeji InfluxDB",
        "Yeji: fleet",
    ]
    assert grafana.dashboards["yeji-fleet"][0]["title"] == "Yeji: fleet"
    assert grafana.dashboards["yeji-fleet"][0]["version"] == 2
    assert actions(settings) == [Action.SAME] * THINGS


def test_a_new_token_reaches_grafana(grafana: FakeGrafana, settings: Settings) -> None:
    actions(settings)
    influx = settings.influx.model_copy(update={"token": SecretStr("new")})
    actions(settings.model_copy(update={"influx": influx}))
    assert grafana.sources[SOURCE_UID]["secureJsonData"] == {"token": "new"}


def test_a_dry_run_changes_nothing(grafana: FakeGrafana, settings: Settings) -> None:
    assert actions(settings, dry=True) == [Action.CREATED] * THINGS
    assert writes(grafana) == []


def test_what_is_provisioned_from_files_is_left_alone(grafana: FakeGrafana, settings: Settings) -> None:
    actions(settings)
    grafana.sources[SOURCE_UID]["readOnly"] = True
    for _, meta in grafana.dashboards.values():
        meta["provisioned"] = True
    grafana.calls.clear()
    assert actions(settings) == [Action.SAME] + [Action.PROVISIONED] * (THINGS - 1)
    assert writes(grafana) == []


def test_grafana_under_a_path(grafana: FakeGrafana, settings: Settings) -> None:
    under = settings.grafana.model_copy(update={"url": f"{grafana.url}/grafana/"})
    assert Grafana(under).version() == "12.0.2"
    assert grafana.calls[-1].path == "/grafana/api/health"


@pytest.mark.parametrize(
    ("url", "token", "words"),
    [
        (None, "wrong", ["is not accepted", "YEJI_GRAFANA__TOKEN"]),
        (None, None, ["No token for Grafana", "YEJI_GRAFANA__TOKEN"]),
        ("grafana:3000", TOKEN, ["grafana.url", "http://127.0.0.1:3000"]),
    ],
)
def test_errors_say_what_to_do(
    grafana: FakeGrafana, settings: Settings, url: str | None, token: str | None, words: list[str]
) -> None:
    wrong = GrafanaSettings(url=url or grafana.url, token=token and SecretStr(token))
    with pytest.raises(GrafanaError) as caught:
        list(apply(Grafana(wrong), settings))
    for word in words:
        assert word in str(caught.value)


def test_user_and_password_in_place_of_a_token(grafana: FakeGrafana, settings: Settings) -> None:
    admin = GrafanaSettings(url=grafana.url, user="admin", password=SecretStr(PASSWORD))
    assert actions(settings.model_copy(update={"grafana": admin})) == [Action.CREATED] * THINGS


def test_nobody_answers(settings: Settings) -> None:
    gone = GrafanaSettings(url=f"http://127.0.0.1:{free_port()}", token=SecretStr(TOKEN))
    with pytest.raises(GrafanaError, match="does not answer"):
        Grafana(gone).version()


def test_the_data_source_needs_a_token_and_says_so() -> None:
    with pytest.raises(GrafanaError, match="YEJI_INFLUX__TOKEN"):
        data_source(Settings(influx=InfluxSettings(token=None)))


def test_grafana_may_reach_influx_under_another_name(settings: Settings) -> None:
    inside = settings.grafana.model_copy(update={"influx_url": "http://influxdb:8086"})
    assert data_source(settings.model_copy(update={"grafana": inside}))["url"] == "http://influxdb:8086"
