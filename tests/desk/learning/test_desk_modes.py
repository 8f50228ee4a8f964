"""Confirmed faults name the likely mode of the next alarm; versions are kept; tenants stay apart."""

import pytest

from desk.learning.modes import KEPT, ModeBook
from desk.rules.finding import Finding
from desk.rules.modes import FailureModes, fit
from desk.rules.scope import EVERYTHING
from desk.service.desk import Desk
from pipeline.records import Contribution, VerdictKind
from pipeline.spreading.examples import decode_examples, encode_examples, features
from streams.settings import Settings
from tests.desk.rules.plant import PRESS, RIVAL, cleared, raised


class Ticking:
    def __init__(self):
        self.now = 0

    def __call__(self):
        self.now += 1
        return self.now


@pytest.fixture
def desk(tmp_path):
    opened = Desk(tmp_path / "desk.sqlite", Settings(), Ticking())
    yield opened
    opened.close()


def looks(sensor, deviation=8.0):
    return (Contribution(sensor, 0.9, 1.0, 1.0, deviation), Contribution("current", 0.1, 1.0, 1.0, 1.0))


def alarm(desk, n, sensor, machine=PRESS, deviation=8.0):
    event = raised(machine, onset=n * 1_000_000, contributions=looks(sensor, deviation))
    desk.receive([event, cleared(machine, onset=n * 1_000_000)])
    return event


def confirm(desk, event, mode):
    return desk.close_alarm(EVERYTHING, event.id, Finding(VerdictKind.FAULT, mode), by="Kim")


def test_the_next_alarm_names_the_mode(desk):
    book = ModeBook(desk)
    assert desk.alarm(EVERYTHING, alarm(desk, 0, "vibration").id).modes == ()
    confirm(desk, alarm(desk, 1, "vibration"), "bearing-wear")
    confirm(desk, alarm(desk, 2, "pressure", deviation=-9), "leak")
    confirm(desk, alarm(desk, 3, "vibration"), "bearing-wear")
    [(mode, p)] = desk.alarm(EVERYTHING, alarm(desk, 4, "vibration").id).modes
    assert mode == "bearing-wear"
    assert 0.8 < p < 1
    [(mode, _)] = desk.alarm(EVERYTHING, alarm(desk, 5, "pressure", deviation=-7).id).modes
    assert mode == "leak"
    assert book.name(raised(contributions=looks("pressure", +9))) == (), "the other way it is something else"
    assert [one.examples for one in book.versions("gwangju/ggm", "press")] == [3, 2, 1]


def test_a_tenant_does_not_learn_from_another(desk):
    book = ModeBook(desk)
    confirm(desk, alarm(desk, 0, "vibration", machine=RIVAL), "secret-of-the-rival")
    assert book.name(raised(PRESS, contributions=looks("vibration"))) == ()
    assert book.versions("gwangju/ggm", "press") == []


def test_a_verdict_that_is_taken_back_is_unlearned(desk):
    book = ModeBook(desk)
    event = alarm(desk, 0, "vibration")
    confirm(desk, event, "bearing-wear")
    desk.close_alarm(EVERYTHING, event.id, Finding(VerdictKind.FALSE_ALARM), by="Lee")
    assert book.examples("gwangju/ggm", "press") == ()
    confirm(desk, event, "imbalance")
    assert [one.mode for one in book.examples("gwangju/ggm", "press")] == ["imbalance"]


def test_versions_can_be_rolled_back_and_forward(desk):
    book = ModeBook(desk)
    confirm(desk, alarm(desk, 0, "vibration"), "bearing-wear")
    confirm(desk, alarm(desk, 1, "vibration"), "mistaken")
    book.activate("gwangju/ggm", "press", 1, by="Lee")
    event = raised(contributions=looks("vibration"))
    assert [mode for mode, _ in book.name(event)] == ["bearing-wear"]
    confirm(desk, alarm(desk, 2, "vibration"), "mistaken")
    assert [mode for mode, _ in book.name(event)] == ["bearing-wear"], "a chosen version stays"
    book.activate("gwangju/ggm", "press", 3, by="Lee")
    assert book.name(event)[0][0] == "mistaken"
    confirm(desk, alarm(desk, 3, "vibration"), "bearing-wear")
    assert book.versions("gwangju/ggm", "press")[0].role == "active", "the newest was chosen again"
    with pytest.raises(LookupError, match="newest is 4"):
        book.activate("gwangju/ggm", "press", 9, by="Lee")
    assert ModeBook(desk).name(event) == book.name(event), "a desk that starts anew knows the same"


def test_old_versions_are_forgotten_but_never_the_active_one(desk):
    book = ModeBook(desk)
    confirm(desk, alarm(desk, 0, "vibration"), "bearing-wear")
    book.activate("gwangju/ggm", "press", 1, by="Lee")
    confirm(desk, alarm(desk, 1, "vibration"), "a")
    book.activate("gwangju/ggm", "press", 1, by="Lee")
    for k in range(KEPT + 5):
        book.adopt("gwangju/ggm", "press", (), by="Lee", note=str(k))
    kept = [one.version for one in book.versions("gwangju/ggm", "press")]
    assert len(kept) == KEPT + 1
    assert kept[-1] == 1


def test_what_was_learned_elsewhere_is_where_it_begins(desk):
    book = ModeBook(desk)
    lead = [*fit(())._examples]
    assert lead == []
    confirm(desk, alarm(desk, 0, "vibration", machine=RIVAL), "bearing-wear")
    package = book.examples("ulsan/rival", "press")
    book.adopt("gwangju/ggm", "press", package, by="Lee", note="from ulsan")
    assert [mode for mode, _ in book.name(raised(PRESS, contributions=looks("vibration")))] == [
        "bearing-wear"
    ]
    confirm(desk, alarm(desk, 1, "pressure"), "leak")
    assert {one.mode for one in book.examples("gwangju/ggm", "press")} == {"bearing-wear", "leak"}


def test_examples_hold_how_alarms_look_and_no_reading(desk):
    book = ModeBook(desk)
    confirm(desk, alarm(desk, 0, "vibration"), "bearing-wear")
    body = encode_examples(book.examples("gwangju/ggm", "press"))
    [example] = decode_examples(body)
    assert set(example.features) == {"share vibration", "way vibration", "share current", "way current"}
    assert all(-1 <= value <= 1 for value in example.features.values())


def test_it_keeps_to_rivers_interface():
    model = FailureModes()
    assert model.predict_one({"a": 1.0}) is None
    model.learn_one({"a": 1.0}, "x")
    assert model.predict_one({"a": 1.0}) == "x"
    assert model.clone().predict_proba_one({"a": 1.0}) == {}
    small = FailureModes(size=2)
    for mode in "xyz":
        small.learn_one({"a": 1.0}, mode)
    assert set(small.predict_proba_one({"a": 1.0})) == {"y", "z"}
    assert features(raised())["share vibration"] == 0.7
