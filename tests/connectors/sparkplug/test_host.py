"""The host's rules, without a broker: births, aliases, gaps, deaths, held-back values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sparkplug.host import Arrival, Host, Version, rebirth_command
from connectors.sparkplug.schema import Payload
from connectors.sparkplug.settings import RebirthSettings, SparkplugSettings
from pipeline.records import Frame, Reason
from tests.connectors.sparkplug.edge import INT16, STRING, Edge

TIME = 1_790_000_000_000
KEY = ("plant", "gateway")


class Reading:
    """A host, and what it has read: values of each machine's sensors in order."""

    def __init__(self, version: Version | None = None, **rebirth: float) -> None:
        self.host = Host(
            lambda group, node, device: f"{node}:{device}",
            lambda name: name,
            SparkplugSettings().ignore,
            RebirthSettings.model_validate(rebirth),
            version or Version(),
        )
        self.now = TIME + 10_000

    def read(self, *messages: tuple[str, bytes]) -> Reading:
        for topic, payload in messages:
            self.host.read(Arrival(topic, payload, self.now))
        return self

    def live(self) -> dict[str, Frame]:
        return {frame.machine: frame for frame in self.host.live.frames()}

    def column(self, machine: str, sensor: str) -> list[float]:
        frame = self.live().get(machine)
        if frame is None or sensor not in frame.sensors:
            return []
        column = frame.values[:, frame.sensors.index(sensor)]
        return [float(value) for value in column if not math.isnan(value)]


def test_births_and_data_by_alias_are_rows_of_their_machines() -> None:
    edge, reading = Edge(), Reading()
    reading.read(
        edge.nbirth(TIME, cpu=5.0),
        edge.dbirth("press-1", TIME, temp=60.0, pressure=1.5),
        edge.data("press-1", TIME + 1000, temp=61.0, pressure=1.6),
        edge.data("press-1", TIME + 2000, temp=62.0),
        edge.data("", TIME + 2000, cpu=6.0),
    )
    live = reading.live()
    assert live["gateway:press-1"].time.tolist() == [TIME, TIME + 1000, TIME + 2000]
    assert live["gateway:press-1"].values[:2].tolist() == [[60.0, 1.5], [61.0, 1.6]]
    assert live["gateway:"].sensors == ("cpu",), "bdSeq and Node Control are no sensors"
    assert reading.host.due_rebirths(0.0) == []


def test_what_a_birth_repeats_is_not_read_again() -> None:
    edge, reading = Edge(), Reading()
    reading.read(edge.nbirth(TIME), edge.dbirth("p", TIME, temp=60.0))
    reading.live()
    reading.read(edge.nbirth(TIME), edge.dbirth("p", TIME, temp=60.0))
    assert reading.live() == {}
    assert reading.host.stats.repeated == 1


def test_data_before_any_birth_asks_for_it_and_is_read_when_it_comes() -> None:
    edge, reading = Edge(), Reading()
    edge.nbirth(TIME), edge.dbirth("p", TIME, temp=60.0)
    reading.read(edge.data("p", TIME + 1, temp=61.0))
    assert reading.live() == {}
    assert reading.host.due_rebirths(100.0) == [KEY]
    reading.read(edge.nbirth(TIME + 2), edge.dbirth("p", TIME + 2, temp=61.0))
    assert reading.column("gateway:p", "temp") == [61.0, 61.0]
    assert not reading.host.rejections


def test_a_gap_asks_for_a_rebirth_and_loses_only_what_never_came() -> None:
    edge, reading = Edge(), Reading()
    reading.read(edge.nbirth(TIME), edge.dbirth("p", TIME, temp=1.0))
    edge.data("p", TIME + 1, temp=2.0)  # lost on the way
    reading.read(edge.data("p", TIME + 2, temp=3.0))
    assert reading.column("gateway:p", "temp") == [1.0]
    assert reading.host.due_rebirths(50.0) == [KEY]
    reading.read(
        edge.data("p", TIME + 3, temp=4.0), edge.nbirth(TIME + 4), edge.dbirth("p", TIME + 4, temp=4.0)
    )
    assert reading.column("gateway:p", "temp") == [3.0, 4.0, 4.0]
    assert reading.host.stats.gaps == 1


def test_aliases_that_mean_something_else_after_the_gap_are_never_mixed_up() -> None:
    edge, reading = Edge(), Reading()
    reading.read(edge.nbirth(TIME), edge.dbirth("p", TIME, temp=1.0, rpm=100.0))
    edge.data("p", TIME + 1, temp=2.0)  # lost on the way
    reading.read(edge.data("p", TIME + 2, temp=3.0))
    edge.aliases = {("p", "rpm"): 1, ("p", "temp"): 2}  # the node was loaded anew
    reading.read(edge.nbirth(TIME + 3), edge.dbirth("p", TIME + 3, temp=4.0, rpm=101.0))
    live = reading.live()["gateway:p"]
    assert live.time.tolist() == [TIME, TIME + 3]
    assert [one.reason for one in reading.host.rejections] == [Reason.ALIAS_UNKNOWN]


def test_an_unknown_alias_asks_for_a_rebirth_but_not_again_and_again() -> None:
    edge, reading = Edge(), Reading(first=10.0, most=40.0, tries=100)
    reading.read(edge.nbirth(TIME), edge.dbirth("p", TIME, temp=1.0))
    edge.aliases["p", "new"] = 99
    asked = []
    for second in range(200):
        reading.read(edge.data("p", TIME + second, new=1.0))
        if reading.host.due_rebirths(float(second)):
            asked.append(second)
    assert asked == [0, 10, 30, 70, 110, 150, 190], "after 10, 20, 40, 40 … seconds"


def test_a_node_that_answers_with_births_that_do_not_help_is_not_asked_at_once_again() -> None:
    edge, reading = Edge(), Reading(first=10.0)
    reading.read(edge.nbirth(TIME), edge.dbirth("p", TIME, temp=1.0))
    edge.aliases["p", "new"] = 99
    asked = 0
    for second in range(100):
        reading.read(edge.data("p", TIME + second, new=1.0))
        if reading.host.due_rebirths(float(second)):
            asked += 1
            reading.read(edge.nbirth(TIME + second), edge.dbirth("p", TIME + second, temp=1.0 + second))
    assert asked == 10


def test_requests_to_all_nodes_together_are_limited() -> None:
    reading = Reading(each_second=20.0)
    for number in range(100):
        edge = Edge(f"node-{number}")
        edge.nbirth(TIME, cpu=1.0)
        reading.read(edge.data("", TIME, cpu=1.0))
    assert [len(reading.host.due_rebirths(100.0 + second)) for second in range(6)] == [20, 20, 20, 20, 20, 0]


def test_a_node_that_never_answers_is_read_by_its_last_birth_again() -> None:
    edge, reading = Edge(), Reading(first=1.0, tries=2)
    reading.read(edge.nbirth(TIME), edge.dbirth("p", TIME, temp=1.0))
    edge.data("p", TIME, temp=0.0)  # lost on the way
    for second in range(1, 10):
        reading.read(edge.data("p", TIME + second, temp=float(second)))
        reading.host.due_rebirths(float(second))
    assert reading.column("gateway:p", "temp") == [1.0, *[float(second) for second in range(1, 10)]]


def test_a_death_makes_every_sensor_missing_and_a_birth_ends_it() -> None:
    edge, reading = Edge(), Reading()
    reading.read(edge.nbirth(TIME), edge.dbirth("p", TIME, temp=1.0, rpm=2.0), edge.ddeath("p", TIME + 5000))
    frame = reading.live()["gateway:p"]
    assert frame.time.tolist() == [TIME, TIME + 5000]
    assert all(math.isnan(value) for value in frame.values[1])
    reading.read(edge.dbirth("p", TIME + 6000, temp=1.0, rpm=2.0))
    assert reading.live()["gateway:p"].values.tolist() == [[1.0, 2.0]], "the same value, but it is back"


def test_the_will_of_an_earlier_connection_kills_nothing() -> None:
    edge, reading = Edge(), Reading()
    reading.read(edge.nbirth(TIME), edge.dbirth("p", TIME, temp=1.0))
    old = edge.ndeath(TIME)
    edge.bdseq += 1
    reading.read(edge.nbirth(TIME + 1), edge.dbirth("p", TIME + 1, temp=2.0), old)
    assert not any(math.isnan(x) for x in reading.live()["gateway:p"].values[:, 0])
    reading.read(edge.ndeath(TIME + 2))
    assert all(math.isnan(x) for x in reading.live()["gateway:p"].values[:, 0])


def test_values_that_were_held_back_are_kept_apart_from_live_ones() -> None:
    edge, reading = Edge(), Reading()
    reading.read(edge.nbirth(TIME), edge.dbirth("p", TIME, temp=1.0))
    reading.read(
        edge.data("p", TIME - 60_000, historical=True, temp=0.5), edge.data("p", TIME + 1000, temp=2.0)
    )
    (past,) = reading.host.historical.frames()
    assert (past.time.tolist(), past.values.tolist()) == ([TIME - 60_000], [[0.5]])
    assert reading.column("gateway:p", "temp") == [1.0, 2.0]


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ({"datatype": INT16, "int_value": 0xFFFE}, -2.0),
        ({"datatype": INT16, "int_value": 0xFFFFFFFE}, -2.0),
        ({"datatype": 4, "long_value": (1 << 64) - 5}, -5.0),
        ({"datatype": 8, "long_value": 5}, 5.0),
        ({"datatype": 9, "float_value": 0.5}, 0.5),
        ({"datatype": 11, "boolean_value": True}, 1.0),
        ({"datatype": 10, "is_null": True}, math.nan),
        ({"datatype": 10, "double_value": math.inf}, math.nan),
        ({"datatype": STRING, "string_value": "open"}, None),
    ],
)
def test_every_type_of_number_is_read(metric: dict[str, object], value: float | None) -> None:
    reading = Reading()
    payload = Payload(timestamp=TIME, seq=0)
    payload.metrics.add(name="x", timestamp=TIME, **metric)
    reading.read(("spBv1.0/plant/NBIRTH/gateway", payload.SerializeToString()))
    live = reading.live()
    if value is None:
        assert live == {}
    else:
        found = float(live["gateway:"].values[0, 0])
        assert found == value or (math.isnan(found) and math.isnan(value))


@pytest.mark.parametrize(
    ("quality", "value", "uncertain"), [(192, 1.5, False), (0, math.nan, False), (64, 1.5, True)]
)
def test_the_quality_property_counts(quality: int, value: float, uncertain: bool) -> None:
    reading = Reading()
    payload = Payload(timestamp=TIME, seq=0)
    metric = payload.metrics.add(name="x", datatype=10, double_value=1.5)
    metric.properties.keys.append("Quality")
    metric.properties.values.add(type=3, int_value=quality)
    reading.read(("spBv1.0/plant/NBIRTH/gateway", payload.SerializeToString()))
    frame = reading.live()["gateway:"]
    assert str(frame.values[0, 0]) == str(value)
    assert (frame.uncertain is not None and bool(frame.uncertain[0, 0])) is uncertain


def test_members_of_a_template_are_sensors_named_by_the_way_to_them() -> None:
    reading = Reading()
    payload = Payload(timestamp=TIME, seq=0)
    motor = payload.metrics.add(name="Motor", datatype=19)
    motor.template_value.metrics.add(name="rpm", datatype=10, double_value=1480.0)
    reading.read(("spBv1.0/plant/NBIRTH/gateway", payload.SerializeToString()))
    assert reading.live()["gateway:"].sensors == ("Motor/rpm",)


def test_a_wider_seq_and_times_in_ns_are_a_matter_of_the_version() -> None:
    edge, reading = Edge(), Reading(Version(seq_bits=64, times_in_ms=1_000_000))
    reading.read(edge.nbirth(TIME * 1_000_000, cpu=1.0))
    for number in range(1, 600):
        payload = Payload(timestamp=(TIME + number) * 1_000_000, seq=number)
        payload.metrics.add(name="cpu", datatype=10, double_value=float(number))
        reading.read(("spBv1.0/plant/NDATA/gateway", payload.SerializeToString()))
    assert reading.live()["gateway:"].time.tolist() == [TIME + number for number in range(600)]
    assert reading.host.stats.gaps == 0


@given(st.binary(max_size=200), st.sampled_from(["NBIRTH", "NDATA", "DDATA", "NDEATH", "STATE", "X"]))
def test_no_bytes_end_it(data: bytes, kind: str) -> None:
    reading = Reading()
    reading.read((f"spBv1.0/plant/{kind}/gateway", data), (f"spBv1.0/plant/{kind}/gateway/p", data))
    reading.host.live.frames()
    assert all(one.original == data for one in reading.host.rejections)


@given(st.lists(st.integers(0, 1), min_size=5, max_size=60), st.integers(1, 5))
def test_whatever_is_lost_on_the_way_what_is_read_is_right(lost: list[int], answers_after: int) -> None:
    """Each value says which metric and time it belongs to: nothing may land elsewhere."""
    edge, reading = Edge(), Reading(first=1.0, tries=50)
    names = ("a", "b", "c")

    def births(at: int) -> list[tuple[str, bytes]]:
        edge.aliases = {("p", name): 1 + (i + at) % 3 for i, name in enumerate(names)}
        return [
            edge.nbirth(TIME + at),
            edge.dbirth("p", TIME + at, **{n: at + i / 10 for i, n in enumerate(names)}),
        ]

    reading.read(*births(0))
    waiting = 0
    for step, gone in enumerate(lost, start=1):
        at = 2 * step
        message = edge.data("p", TIME + at, **{name: at + i / 10 for i, name in enumerate(names)})
        if not gone:
            reading.read(message)
        waiting += bool(reading.host.due_rebirths(float(step)))
        if waiting >= answers_after:
            waiting = 0
            reading.read(*births(at + 1))
    for frame in reading.live().values():
        for name, column in zip(frame.sensors, frame.values.T, strict=True):
            for time, value in zip(frame.time.tolist(), column.tolist(), strict=True):
                assert math.isnan(value) or value == pytest.approx(time - TIME + names.index(name) / 10)


def test_a_rebirth_command_is_what_the_specification_asks_for() -> None:
    payload = Payload.FromString(rebirth_command(Version(), TIME))
    (metric,) = payload.metrics
    assert (metric.name, metric.datatype, metric.boolean_value) == ("Node Control/Rebirth", 11, True)
    assert payload.timestamp == TIME
