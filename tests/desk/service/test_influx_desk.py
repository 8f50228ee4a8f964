"""The desk's measures in a real InfluxDB."""

import pytest
from influxdb_client import InfluxDBClient

from connectors.influx.settings import InfluxSettings
from connectors.influx.sink import InfluxSink
from desk.rules.finding import Finding
from desk.rules.scope import EVERYTHING
from desk.service.desk import Desk
from desk.service.measures import Measurer, measurer
from pipeline.records import VerdictKind
from streams.settings import Settings
from tests.desk.rules.plant import OVEN, PRESS, RIVAL, raised

NOON = 1_767_582_000_000


@pytest.mark.services
def test_measures_of_places_and_crews(tmp_path, influx_bucket):
    now = [NOON]
    notify = {
        "channels": {"c": {"kind": "apprise", "url": "json://127.0.0.1"}},
        "crews": {"body": {"channels": ["c"]}, "all": {"channels": ["c"]}, "none": {"channels": ["c"]}},
        "routes": [{"areas": ["gwangju/ggm/body"], "crews": ["body"]}, {"crews": ["all"]}],
    }
    desk = Desk(tmp_path / "desk.sqlite", Settings(notify=notify), lambda: now[0])
    first = raised(PRESS, NOON)
    desk.receive([first, raised(OVEN, NOON), raised(RIVAL, NOON)])
    now[0] += 90_000
    desk.close_alarm(EVERYTHING, first.id, Finding(VerdictKind.FALSE_ALARM), by="Kim")
    now[0] += 60_000
    to = InfluxSettings(
        url=influx_bucket.url, org=influx_bucket.org, bucket=influx_bucket.bucket, token=influx_bucket.token
    )
    sink = InfluxSink(to)
    measure = Measurer(desk, sink)
    measure()
    measure()
    assert sink.drain_refused() == []
    with InfluxDBClient(to.url, influx_bucket.token, org=to.org) as client:
        flux = (
            f'from(bucket: "{to.bucket}") |> range(start: 2026-01-01T00:00:00Z, stop: 2026-02-01T00:00:00Z)'
            ' |> filter(fn: (r) => r._measurement == "%s")'
        )
        rows = [
            record.values for table in client.query_api().query(flux % "desk") for record in table.records
        ]
        value = {(row.get("place", ""), row.get("crew", ""), row["_field"]): row["_value"] for row in rows}
        assert len(value) == len(rows), "a minute's points are written once"
        assert value["", "", "alarms"] == 3
        assert value["gwangju/ggm", "", "alarms"] == 2
        assert value["gwangju/ggm/body", "", "alarms"] == 1
        assert value["ulsan/rival", "", "a_day"] == 1.0
        assert value["", "body", "ack_median"] == 90.0
        assert value["", "all", "alarms"] == 3
        assert value["", "none", "alarms"] == 0
        assert value["gwangju/ggm/body", "", "false_share"] == 1.0
        assert ("gwangju/ggm/paint", "", "false_share") not in value
        actors = client.query_api().query(flux % "desk_actor" + ' |> filter(fn: (r) => r._field == "count")')
        found = {(r.values.get("place", ""), r["machine"]) for t in actors for r in t.records}
        assert ("gwangju/ggm/body", PRESS) in found
        heads = client.query_api().query(flux % "desk_journal" + ' |> filter(fn: (r) => r._field == "head")')
        with desk.store.reading() as r:
            assert heads[0].records[0].get_value() == r.head()[1].hex()
    sink.close()
    desk.close()


def test_an_empty_token_is_none(tmp_path):
    desk = Desk(tmp_path / "desk.sqlite", Settings())
    assert measurer(desk, InfluxSettings()) is None
    assert measurer(desk, InfluxSettings(token="")) is None
    desk.close()
