"""The desk's list is made once for many, and holds nothing that is one reader's."""

from __future__ import annotations

import re

import pytest

from desk.access.roles import Role
from desk.rules.desk import RefusedError
from desk.rules.scope import EVERYTHING, Scope
from desk.store.listing import CARDS, MEMBERS, Choice
from desk.texts.catalogue import Texts
from desk.web.pages.alarm_list import AlarmListCache
from pipeline.priority import Priority
from pipeline.records import AlarmEvent, AlarmKind
from tests.desk.rules.plant import limit, raised, silent
from tests.desk.web.plant import OURS, SECRET, THEIRS, Plant


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """For whom a board was made."""
    names: list[str] = []
    make = AlarmListCache._make

    def counting(self, key, account, language, known, wanted):
        names.append(account.name)
        return make(self, key, account, language, known, wanted)

    monkeypatch.setattr(AlarmListCache, "_make", counting)
    return names


def test_crews_of_the_same_places_share_one_with_their_own_tokens(plant: Plant, made: list[str]):
    plant.web.accounts.add("lee", "Lee", Role.CREW, [OURS])
    clients = {name: plant.client(name) for name in ("kim", "lee")}
    for name, client in clients.items():
        other = next(one for one in clients if one != name)
        for _ in range(3):
            text = client.get("/").text
            assert plant.csrf(client) in text
            assert plant.csrf(clients[other]) not in text
    assert made == ["kim"]


@pytest.mark.parametrize("who", ["viewer", "our-engineer", "body-crew", "their-admin", "root"])
def test_another_role_or_place_gets_its_own(plant: Plant, made: list[str], who: str):
    plant.client("kim").get("/")
    plant.client(who).get("/")
    assert made == ["kim", who]


def test_another_language_gets_its_own(plant: Plant, made: list[str]):
    client = plant.client("kim")
    assert "Acknowledge" in client.get("/").text
    client.cookies.set("yeji-language", "ko")
    assert "Acknowledge" not in client.get("/").text
    assert made == ["kim", "kim"]


def test_whoever_has_taken_it_is_not_offered_to(plant: Plant):
    plant.desk.assign(EVERYTHING, plant.press.id, by="kim")
    plant.desk.assign(EVERYTHING, plant.pump.id, by="kim")
    plant.web.accounts.add("lee", "Lee", Role.CREW, [OURS])
    for _ in range(2):  # in either order, from the store or made anew
        assert "take it" not in plant.client("kim").get("/").text
        assert "take it" in plant.client("lee").get("/").text


def test_it_is_made_anew_when_something_happened_or_a_minute_passed(plant: Plant, made: list[str]):
    client = plant.client("kim")
    client.get("/")
    plant.desk.acknowledge(EVERYTHING, plant.press.id, by="kim")
    assert "Acknowledged by kim" in client.get("/").text
    ages = []
    for _ in range(2):
        ages.append(re.findall(r"For [^<]*", client.get("/").text))
        plant.clock.now += 60_000
    assert ages[0] != ages[1], "how long it lasts, since it began"
    assert made == ["kim"] * 3


def test_only_so_many_are_kept(plant: Plant):
    alarm_lists = AlarmListCache(plant.desk, plant.web.guard.render)
    for n in range(100):
        plant.web.accounts.add(f"crew-{n}", "", Role.CREW, [f"{THEIRS}/area-{n}"])
        alarm_lists.get(plant.account(f"crew-{n}"), "en", lambda: {"modes": [], "parts": []})
    assert len(alarm_lists._made) == 64


# -- pages of the list


def machine(n: int) -> str:
    return f"{OURS}/body/line-{n % 40}/press-{n:03}"


def three_kinds(n: int, time: int) -> list[AlarmEvent]:
    """What one trouble of a machine gives: a condition, a limit and a sensor that cannot be trusted."""
    about = {"onset": time, "time": time}
    return [
        raised(machine(n), **about),
        limit("trip", machine=machine(n), severity=4, **about),
        raised(machine(n), kind=AlarmKind.QUALITY, sensor="vibration", severity=2, **about),
    ]


@pytest.fixture
def flooded(plant: Plant) -> Plant:
    now = plant.clock.now
    plant.desk.receive([one for n in range(502) for one in three_kinds(n, now - n * 3_600_000)])
    return plant


def test_502_machines_at_once_are_pages_of_cards(flooded: Plant):
    page = flooded.client("kim").get("/")
    assert len(page.content) <= 200_000
    cards = re.findall(r'<article class="alarm-box', page.text)
    assert len(cards) == CARDS, "one card a machine, not one an alarm"
    found, cards = flooded.desk.listed(Scope.of(OURS), Choice())
    assert (found.cards, found.pages) == (504, 26)
    flooding = [one for one in cards if re.search(r"press-\d{3}$", one.machine)]
    assert len(flooding) > CARDS - 3
    assert all(one.priority is Priority.URGENT and len(one.members) == 2 for one in flooding)


def test_every_card_is_on_one_page(flooded: Plant):
    for order in ("urgent", "newest", "machine"):
        seen = []
        for number in range(1, 27):
            _, cards = flooded.desk.listed(Scope.of(OURS), Choice(order=order, page=number))
            seen += [one.machine for one in cards]
        assert len(seen) == len(set(seen)) == 504
        if order == "machine":
            assert seen == sorted(seen)


def test_pages_are_in_the_order_of_the_whole_list(flooded: Plant):
    whole = [one.id for one in flooded.desk.open_alarms(Scope.of(OURS))]
    paged = [
        one.id
        for number in range(1, 27)
        for one in flooded.desk.listed(Scope.of(OURS), Choice(page=number))[1]
    ]
    assert paged == whole


def test_the_list_is_searched_and_filtered(flooded: Plant):
    def cards(**wanted: object) -> list[str]:
        return [one.machine for one in flooded.desk.listed(Scope.of(OURS), Choice(**wanted))[1]]

    assert cards(text="press-007") == [machine(7)]
    assert cards(text="%") == cards(text="press_007") == []
    assert flooded.desk.listed(Scope.of(OURS), Choice(kind="limit"))[0].cards == 502
    assert cards(show="muted") == []
    event = three_kinds(7, flooded.clock.now - 7 * 3_600_000)[0]
    flooded.desk.shelve(EVERYTHING, event.id, by="kim", why="known")
    assert cards(show="muted") == [machine(7)]
    assert flooded.client("kim").get("/?show=muted").text.count("<article") == 1
    for text in ("'", '"><script>', "\\", "가"):
        answer = flooded.client("kim").get("/", params={"q": text, "page": "9" * 30, "order": text})
        assert answer.status_code == 200
        assert "<script>" not in answer.text.partition("<main")[2]


def test_another_tenants_alarms_are_on_no_page(flooded: Plant):
    page, cards = flooded.desk.listed(Scope.of(THEIRS), Choice())
    assert (page.cards, [one.machine for one in cards]) == (1, [SECRET])
    assert (page.open, page.waiting) == (1, 1)


def test_one_cause_is_one_card_that_names_some_and_counts_the_rest(plant: Plant):
    now = plant.clock.now
    plant.desk.receive([silent(machine(n), now, time=now) for n in range(200)])
    page, cards = plant.desk.listed(Scope.of(OURS), Choice(text="press-1"))
    [lead] = cards
    assert (page.cards, page.sizes[lead.group or lead.point]) == (1, 200)
    assert len(lead.members) == MEMBERS
    assert "and 187 more" in plant.client("kim").get("/").text


def test_the_loser_of_two_is_told_who_won(plant: Plant):
    plant.desk.acknowledge(EVERYTHING, plant.press.id, by="lee")
    with pytest.raises(RefusedError) as refused:
        plant.desk.acknowledge(EVERYTHING, plant.press.id, by="kim")
    assert Texts("en").refused(refused.value).startswith("lee has acknowledged it")
