"""The desk's list is made once for many, and holds nothing that is one reader's."""

from __future__ import annotations

import pytest

from desk.access.roles import Role
from desk.rules.scope import EVERYTHING
from desk.web.pages.alarm_list import AlarmListCache
from tests.desk.web.plant import OURS, THEIRS, Plant


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """For whom a board was made."""
    names: list[str] = []
    make = AlarmListCache._make

    def counting(self, key, account, language, known):
        names.append(account.name)
        return make(self, key, account, language, known)

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
    plant.desk.take(EVERYTHING, plant.press.id, by="kim")
    plant.desk.take(EVERYTHING, plant.pump.id, by="kim")
    plant.web.accounts.add("lee", "Lee", Role.CREW, [OURS])
    for _ in range(2):  # in either order, from the store or made anew
        assert "take it" not in plant.client("kim").get("/").text
        assert "take it" in plant.client("lee").get("/").text


def test_it_is_made_anew_when_something_happened_or_a_minute_passed(plant: Plant, made: list[str]):
    client = plant.client("kim")
    client.get("/")
    plant.desk.acknowledge(EVERYTHING, plant.press.id, by="kim")
    assert "Acknowledged by kim" in client.get("/").text
    plant.clock.now += 60_000
    assert "For 1 min" in client.get("/").text
    assert made == ["kim"] * 3


def test_only_so_many_are_kept(plant: Plant):
    alarm_lists = AlarmListCache(plant.desk, plant.web.guard.render)
    for n in range(100):
        plant.web.accounts.add(f"crew-{n}", "", Role.CREW, [f"{THEIRS}/area-{n}"])
        alarm_lists.get(plant.account(f"crew-{n}"), "en", lambda: {"modes": [], "parts": []})
    assert len(alarm_lists._made) == 64
