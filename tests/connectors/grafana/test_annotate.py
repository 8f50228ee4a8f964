"""One annotation an alarm, whatever comes twice, alone, or while Grafana is away."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.grafana.annotate import annotate, key, tags, text
from connectors.grafana.client import Grafana
from connectors.grafana.dashboards.build import build_all
from connectors.grafana.follow import AlarmFollower
from connectors.kafka.settings import KafkaSettings
from pipeline.records import AlarmKind, AlarmPhase
from pipeline.wire.alerts import encode_alert
from streams.settings import Settings
from tests.connectors.grafana.fake_grafana import FakeGrafana
from tests.connectors.grafana.recording import PRESS, PUMP, ROBOT, event

RAISED = event(PRESS, AlarmKind.CONDITION, AlarmPhase.RAISED, 1_000, 6_000)
CLEARED = event(PRESS, AlarmKind.CONDITION, AlarmPhase.CLEARED, 1_000, 90_000)


def test_an_alarm_is_a_point_and_then_a_span(grafana: FakeGrafana, settings: Settings) -> None:
    client = Grafana(settings.grafana)
    assert annotate(client, RAISED)
    (made,) = grafana.annotations.values()
    assert (made["time"], made["timeEnd"]) == (1_000, 1_000)
    assert made["tags"] == ["yeji", PRESS, "kind:condition", "priority:medium", key(RAISED)]
    assert annotate(client, CLEARED)
    (made,) = grafana.annotations.values()
    assert (made["time"], made["timeEnd"]) == (1_000, 90_000)


@pytest.mark.parametrize("order", sorted({"".join(order) for order in permutations("rrcc")}))
def test_any_order_and_repetition_ends_in_the_same(
    grafana: FakeGrafana, settings: Settings, order: str
) -> None:
    client = Grafana(settings.grafana)
    for letter in order:
        annotate(client, {"r": RAISED, "c": CLEARED}[letter])
    (made,) = grafana.annotations.values()
    assert (made["time"], made["timeEnd"]) == (1_000, 90_000)
    assert not annotate(client, RAISED)
    assert not annotate(client, CLEARED)


def test_machines_of_any_name_have_their_own(grafana: FakeGrafana, settings: Settings) -> None:
    client = Grafana(settings.grafana)
    for machine in (PRESS, PUMP, ROBOT):
        annotate(client, event(machine, AlarmKind.QUALITY, AlarmPhase.RAISED, 1_000, 2_000))
    korean = replace(RAISED, id="a b&c#d/é", machine="광주/공장/차체/프레스/프레스 1")
    annotate(client, korean)
    assert not annotate(client, korean)
    assert len(grafana.annotations) == 4


def test_the_machine_dashboard_asks_for_what_is_posted() -> None:
    (query,) = build_all()["yeji-machine"]["annotations"]["list"]
    asked = [tag.replace("${machine}", PRESS) for tag in query["target"]["tags"]]
    assert set(asked) <= set(tags(RAISED))


@given(name=st.text(max_size=30), detail=st.text(max_size=30))
def test_text_from_outside_cannot_become_markup(name: str, detail: str) -> None:
    said = text(
        replace(RAISED, machine=f"<script>{name}", sensor="<img src=x>", detail=f"<b onclick=1>{detail}")
    )
    assert "<script" not in said
    assert "<img" not in said
    assert "<b onclick" not in said


def test_the_text_names_the_sensors() -> None:
    assert "temperature 80 % (84, expected 61.5, +9.3 sd)" in text(RAISED)
    assert "score 0.9997, threshold 0.999" in text(RAISED)


@pytest.mark.services
class TestFollowing:
    """Through a real Kafka."""

    @pytest.fixture
    def alerts(self, kafka: str, make_topic, unique) -> KafkaSettings:  # type: ignore[no-untyped-def]
        topic = make_topic("alerts", partitions=2, **{"cleanup.policy": "compact"})
        return KafkaSettings(brokers=kafka, alerts=topic, group=unique("group"))

    @staticmethod
    def send(settings: KafkaSettings, *values: tuple[str, bytes | None]) -> None:
        from kafka import KafkaProducer

        producer = KafkaProducer(bootstrap_servers=settings.brokers)
        for name, value in values:
            producer.send(settings.alerts, key=name.encode(), value=value)
        producer.flush()
        producer.close()

    @staticmethod
    def follow(settings: KafkaSettings, grafana: Grafana) -> int:
        follower = AlarmFollower(settings, grafana)
        try:
            follower.run_to_end()
        finally:
            follower.close()
        return follower.annotated

    def test_each_alarm_once_and_only_what_is_new(
        self, alerts: KafkaSettings, grafana: FakeGrafana, settings: Settings
    ) -> None:
        client = Grafana(settings.grafana)
        other = event(PUMP, AlarmKind.QUALITY, AlarmPhase.RAISED, 1_000, 2_000)
        first = [(one.id, encode_alert(one)) for one in (RAISED, RAISED, other)]
        self.send(alerts, *first, ("gone", None), ("bad", b"{no alert"))
        assert self.follow(alerts, client) == 2
        assert len(grafana.annotations) == 2
        self.send(alerts, (CLEARED.id, encode_alert(CLEARED)))
        grafana.calls.clear()
        assert self.follow(alerts, client) == 1, "what was committed is not read again"
        assert {(call.method, call.status) for call in grafana.calls} == {("GET", 200), ("PATCH", 200)}
        assert len(grafana.annotations) == 2

    def test_grafanas_absence_is_waited_out(
        self, alerts: KafkaSettings, grafana: FakeGrafana, settings: Settings
    ) -> None:
        grafana.broken = 2
        pauses: list[float] = []
        self.send(alerts, *((one.id, encode_alert(one)) for one in (RAISED, CLEARED)))
        follower = AlarmFollower(alerts, Grafana(settings.grafana), pause=pauses.append)
        try:
            follower.run(until=lambda: follower.annotated == 2)
        finally:
            follower.close()
        assert pauses == [1.0, 2.0]
        (made,) = grafana.annotations.values()
        assert (made["time"], made["timeEnd"]) == (1_000, 90_000)
