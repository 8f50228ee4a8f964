"""Put folder, data source and dashboards into a Grafana; doing it again changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from connectors.base.settings import ConnectorsSettings
from connectors.grafana.client import Grafana, GrafanaError, Json
from connectors.grafana.dashboards.build import build_all
from connectors.grafana.dashboards.flux import SOURCE_UID

FOLDER_UID = "yeji"
SOURCE_NAME = "Yeji InfluxDB"
MESSAGE = "yeji grafana apply"

#: What Grafana itself sets on a stored dashboard.
_GRAFANAS = ("id", "version")


class Action(StrEnum):
    """What was done about one thing."""

    CREATED = "created"
    UPDATED = "updated"
    SAME = "the same"
    PROVISIONED = "left as it is: provisioned from a file"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing in Grafana, and what was (or would be) done about it."""

    kind: str
    name: str
    action: Action


def apply(
    grafana: Grafana, settings: ConnectorsSettings, *, dry: bool = False, desk: str = ""
) -> Iterator[Change]:
    """Create or update what differs, in order; ``dry`` only tells. Raises `GrafanaError`.

    ``desk``: the desk's address, which the machine's dashboard links to for the same machine and time.
    """
    yield _folder(grafana, settings.grafana.folder, dry)
    yield _source(grafana, data_source(settings), dry)
    for dashboard in build_all(desk).values():
        yield _dashboard(grafana, dashboard, dry)


def data_source(settings: ConnectorsSettings) -> Json:
    """InfluxDB as a data source; Flux with the settings' organisation, bucket and token."""
    influx = settings.influx
    if influx.token is None:
        raise GrafanaError(
            "No token for InfluxDB, which Grafana needs to read. Set YEJI_INFLUX__TOKEN to one that may read "
            f"the bucket {influx.bucket}."
        )
    return {
        "uid": SOURCE_UID,
        "name": SOURCE_NAME,
        "type": "influxdb",
        "access": "proxy",
        "url": settings.grafana.influx_url or influx.url,
        "isDefault": False,
        "basicAuth": False,
        "jsonData": {"version": "Flux", "organization": influx.org, "defaultBucket": influx.bucket},
        "secureJsonData": {"token": influx.token.get_secret_value()},
    }


def _folder(grafana: Grafana, title: str, dry: bool) -> Change:
    found = grafana.folder(FOLDER_UID)
    if found is not None and found["title"] == title:
        return Change("folder", title, Action.SAME)
    if not dry:
        make = grafana.create_folder if found is None else grafana.rename_folder
        make(FOLDER_UID, title)
    return Change("folder", title, Action.CREATED if found is None else Action.UPDATED)


def _source(grafana: Grafana, wanted: Json, dry: bool) -> Change:
    def done(action: Action) -> Change:
        return Change("data source", wanted["name"], action)

    found = grafana.source(wanted["uid"])
    if found is None:
        if not dry:
            grafana.create_source(wanted)
        return done(Action.CREATED)
    if found.get("readOnly"):
        return done(Action.PROVISIONED)
    # Grafana never gives a token back, so it is set again each time: it may be a new one.
    if not dry:
        grafana.update_source(wanted)
    differs = any(found.get(name) != value for name, value in wanted.items() if name != "secureJsonData")
    return done(Action.UPDATED if differs else Action.SAME)


def _dashboard(grafana: Grafana, wanted: Json, dry: bool) -> Change:
    def done(action: Action) -> Change:
        return Change("dashboard", wanted["title"], action)

    found = grafana.dashboard(wanted["uid"])
    if found is not None and found["meta"].get("provisioned"):
        return done(Action.PROVISIONED)
    if found is not None and found["meta"].get("folderUid") == FOLDER_UID:
        stored = {name: value for name, value in found["dashboard"].items() if name not in _GRAFANAS}
        if stored == {name: value for name, value in wanted.items() if name not in _GRAFANAS}:
            return done(Action.SAME)
    if not dry:
        grafana.save_dashboard(wanted, FOLDER_UID, MESSAGE)
    return done(Action.CREATED if found is None else Action.UPDATED)
