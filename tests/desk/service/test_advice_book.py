"""A plant's own catalogue: versions in the journal, places and tenants apart, and verdicts that move it."""

import msgspec
import pytest

from connectors.simulator import plant_classes
from desk.advice.catalogue import Text, built_in
from desk.learning.modes import ModeBook
from desk.rules.desk import RefusedError
from desk.rules.finding import Finding
from desk.rules.routing import OWN
from desk.rules.scope import EVERYTHING, Scope
from desk.service.desk import Desk, NotFoundError
from pipeline.records import Contribution, VerdictKind
from streams.settings import Settings
from tests.desk.rules.plant import PRESS, RIVAL, cleared, raised

TENANT, AREA = "gwangju/ggm", "gwangju/ggm/body"
LEAK = next(one for one in built_in()["press"].modes if one.mode == "leak")
OURS = msgspec.structs.replace(LEAK, title=Text("Our leak", "우리 누설"))
BODY = msgspec.structs.replace(LEAK, title=Text("Body leak", "차체 누설"))


class Ticking:
    def __init__(self):
        self.now = 0

    def __call__(self):
        self.now += 1
        return self.now


@pytest.fixture
def desk(tmp_path):
    opened = Desk(tmp_path / "desk.sqlite", Settings(data=tmp_path, classes=plant_classes()), Ticking())
    yield opened
    opened.close()


def change(desk, place, mode, scope=EVERYTHING, key="leak", why="as ours is"):
    desk.change_advice(scope, place, "press", key, mode, by="lee", why=why)


def title(desk, machine):
    return desk.advice.advisor.titles("press", machine, "en").get("leak")


def test_a_change_holds_under_its_place_and_a_nearer_one_wins(desk):
    change(desk, AREA, BODY)
    change(desk, TENANT, OURS)
    assert title(desk, PRESS) == "Body leak"
    assert title(desk, "gwangju/ggm/paint/line-1/press-01") == "Our leak"
    assert title(desk, RIVAL) == "Hydraulic leak"


def test_a_mode_is_taken_out_and_put_back(desk):
    change(desk, TENANT, None)
    assert title(desk, PRESS) is None
    [entry] = desk.advice.versions(EVERYTHING, "press", "leak")
    assert (entry.by, entry.why, entry.advice.mode) == ("lee", "as ours is", None)
    change(desk, TENANT, LEAK)
    assert title(desk, PRESS) == "Hydraulic leak"


def test_versions_are_kept_in_the_journal_and_known_after_a_restart(desk, tmp_path):
    change(desk, TENANT, OURS)
    change(desk, TENANT, BODY, why="again")
    again = Desk(tmp_path / "desk.sqlite", desk.settings, desk.clock)
    try:
        found = again.advice.versions(Scope.of(TENANT), "press", "leak")
        assert [(one.advice.mode.title.en, one.why) for one in found] == [
            ("Body leak", "again"),
            ("Our leak", "as ours is"),
        ]
        assert title(again, PRESS) == "Body leak"
        assert again.advice.versions(Scope.of("ulsan"), "press", "leak") == []
        again.store.rebuild()
        assert title(again, PRESS) == "Body leak"
    finally:
        again.close()


def test_out_of_scope_looks_like_not_there_and_nothing_is_written(desk):
    for place in ("ulsan/rival", "", "gwangju"):
        with pytest.raises(NotFoundError):
            change(desk, place, OURS, Scope.of(TENANT))
    with pytest.raises(NotFoundError):
        desk.change_advice(EVERYTHING, TENANT, "tractor", "leak", OURS, by="lee", why="x")
    assert desk.head() == 0


def test_what_cannot_be_used_is_refused_with_the_reason(desk):
    with pytest.raises(RefusedError, match="at least one check"):
        change(desk, TENANT, msgspec.structs.replace(LEAK, checks=()))
    with pytest.raises(RefusedError, match="why"):
        change(desk, TENANT, OURS, why=" ")


def alarm(desk, n):
    looks = (
        Contribution("oil_pressure", 0.7, 90, 110, -8.0),
        Contribution("oil_temperature", 0.3, 60, 50, 4.0),
    )
    event = raised(PRESS, onset=n * 1_000_000, contributions=looks)
    desk.receive([event, cleared(PRESS, onset=n * 1_000_000)])
    return event, dict(desk.alarm(EVERYTHING, event.id).modes)


def test_the_catalogue_names_modes_before_any_verdict_and_verdicts_move_them(desk):
    ModeBook(desk, desk.advice.advisor)
    event, before = alarm(desk, 0)
    assert before["leak"] > 0.5
    for n in range(1, 4):
        event, _ = alarm(desk, n)
        desk.close_alarm(EVERYTHING, event.id, Finding(VerdictKind.FAULT, "pump-worn"), by="kim")
    _, after = alarm(desk, 5)
    assert after["pump-worn"] > 0.6 > after.get("leak", 0.0)


def test_advice_is_not_given_for_the_desks_own_alarms(desk):
    own = raised(f"{OWN}/notify/channel/mail", contributions=())
    desk.receive([own])
    assert desk.advice.advise(desk.alarm(EVERYTHING, own.id), 0, "en") is None
