"""Every route, walked by one tenant with the names and ids of the other: nothing comes through."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from starlette.routing import Mount, Route

from desk.access.roles import Role
from desk.rules.scope import EVERYTHING, Scope
from desk.service.work_orders import WorkOrders
from desk.store.orders import OrderChoice
from desk.web.api.app import ROUTERS
from desk.web.api.guarded import PREFIX, Guarded
from desk.web.pages.live_updates import LiveUpdates
from tests.desk.web.plant import MARKS, OURS, PRESS, SECRET, THEIRS, Plant

QUERIES = (
    "",
    f"?machine={SECRET}",
    f"?machine={SECRET}&span=0",
    "?q=hush",
    f"?place={THEIRS}",
    "?days=366",
    "?hours=24",
    "?all&waiting=false&limit=1000&after=0&show=all",
)
FORM = {
    "kind": "fault-confirmed",
    "failure_mode": "x",
    "why": "x",
    "text": "x",
    "hours": "2",
    "place": THEIRS,
    "start": "2025-10-09T10:00",
    "end": "2025-10-09T11:00",
    "name": "x",
    "role": "crew",
    "places": THEIRS,
    "password": "three old presses",
    "old": "three old presses",
    "back": "/",
    "key": "x",
    "title_en": "x",
    "sentence_en": "x",
    "checks_en": "x",
    "symptoms": "vibration up 0.5",
    "machine": SECRET,
    "title": "x",
    "duty": "x 1",
    "taker": "x",
    "cause": "x",
    "consequence": "x",
    "response": "x",
    "minutes": "5",
    "people": "kim",
    "first": "2025-10-06",
}
BODY = {
    "acknowledge": {},
    "take": {},
    "comment": {"text": "x"},
    "shelve": {"why": "x"},
    "unshelve": {},
    "close": {"kind": "false-alarm"},
    "work-order": {"number": "1"},
    "windows": {"place": THEIRS, "start": "2025-10-09T10:00:00Z", "end": "2025-10-09T11:00:00Z"},
    "end": {},
    "orders": {"title": "x", "machine": SECRET},
    "plan": {"assignee": "x"},
    "start": {},
    "finish": {"finding": {"kind": "false-alarm"}},
    "sign-off": {},
    "reopen": {"why": "x"},
    "cancel": {"why": "x"},
    "link": {"number": "1"},
    "rationalisation": {"place": THEIRS, "cause": "x", "consequence": "x", "response": "x", "minutes": 5},
    "approve": {},
}


def routes(plant: Plant) -> Iterator[Route]:
    """Every route that is not for everybody; public ones are named so."""
    for route in plant.web.app.routes:
        if isinstance(route, Mount) and route.path == PREFIX:
            for call in (one for router in ROUTERS for one in router.routes):
                assert isinstance(call, Guarded)
                yield Route(PREFIX + call.path, call.endpoint, methods=call.methods, name="api")
        elif isinstance(route, Mount):
            assert str(route.name).startswith("public")
        else:
            assert isinstance(route, Route)
            yield route


def paths(plant: Plant, route: Route) -> list[str]:
    """The route's path with everything of the other tenant that could stand in it."""
    theirs = next(one for one in plant.web.accounts.all() if one.name == "their-admin")
    key = next(one for one in plant.web.accounts.all_keys() if one.name == "their-cmms")
    values = {
        "{id}": [
            plant.secret.id,
            plant.secret_window,
            plant.secret_order,
            plant.secret_rota,
            plant.secret_record,
        ],
        "{answer}": ["accepted", "withdrawn"],
        "{which}": ["all"],
        "{machine:path}": [quote(SECRET), quote(f"{THEIRS}/vault/line-x/hush-down"), quote(THEIRS)],
        "{id:int}": [str(theirs.id), str(key.id)],
        "{token}": ["x"],
        "{catalogue}": ["pump"],
        "{key}": ["advice-9", "bearing-wear"],
        "{lesson}": ["verdict"],
        "{file}": ["0" * 64],
    }
    found = re.findall(r"{[^}]*}", route.path)
    made = []
    for choice in itertools.product(*(values[name] for name in found)):  # KeyError: a new kind of parameter
        path = route.path
        for name, value in zip(found, choice, strict=True):
            path = path.replace(name, value)
        made.append(path)
    return made


def marks_in(text: str, path: str) -> list[str]:
    """The other tenant's words in ``text``; what stands in our own question may come back in the answer."""
    for asked in (SECRET, THEIRS, "hush", quote(SECRET, safe=""), f"{THEIRS}/vault/line-x/hush-down"):
        if asked in path or quote(asked) in path:
            text = text.replace(quote(asked, safe=""), "").replace(quote(asked), "").replace(asked, "")
            text = text.replace(asked.replace("/", " › "), "")
    return [mark for mark in MARKS if mark in text]


@pytest.mark.parametrize("who", ["viewer", "our-admin"])
def test_a_tenant_never_sees_anothers_data(plant: Plant, who: str):
    client, walked = plant.client(who), 0
    for route in routes(plant):
        if route.path == "/live" or "GET" not in (route.methods or ()):
            continue
        for path, query in itertools.product(paths(plant, route), QUERIES):
            answer = client.get(path + query)
            assert answer.status_code < 500, path
            assert marks_in(answer.text, path + query) == [], f"{path}{query}"
            assert marks_in(str(answer.headers), path + query) == [], f"{path}{query}"
            walked += 1
    assert walked > 150


@pytest.mark.parametrize("who", ["kim", "our-engineer", "our-admin"])
def test_a_tenant_never_changes_anothers_data(plant: Plant, who: str):
    client, before = plant.client(who), everything_theirs(plant)
    csrf = plant.csrf(client)
    key = plant.web.accounts.new_key("ours", min(plant.account(who).role, Role.ENGINEER), [OURS], who)
    for route in routes(plant):
        for path in paths(plant, route):
            if route.path.startswith("/api/v1"):
                body = BODY.get(route.path.rsplit("/", 1)[1], {})
                for method in (route.methods or set()) - {"GET", "HEAD"}:
                    answer = client.request(
                        method, path, json=body, headers={"Authorization": f"Bearer {key}"}
                    )
                    assert answer.status_code in (403, 404), f"{method} {path}: {answer.text}"
            elif "POST" in (route.methods or ()) and route.path not in ("/sign-out", "/me/password"):
                answer = client.post(path, data=FORM | {"csrf": csrf})
                assert answer.status_code < 500, path
                assert marks_in(answer.text, path) == [], path
    assert everything_theirs(plant) == before
    assert not [one for one in plant.web.accounts.all() if one.name == "x"]


def everything_theirs(plant: Plant) -> object:
    """All that the other tenant has on this desk."""
    scope = Scope.of(THEIRS)
    return (
        plant.desk.journal(scope, limit=10_000),
        plant.desk.windows(scope),
        plant.desk.down(scope),
        plant.desk.work_order(EVERYTHING, plant.secret.id),
        WorkOrders(plant.desk).listed(scope, OrderChoice(show="all")).orders,
        [one for one in plant.web.accounts.all() if THEIRS in one.places],
        [one for one in plant.web.accounts.all_keys() if THEIRS in one.places],
    )


def test_the_other_tenants_things_are_really_there(plant: Plant):
    """Otherwise the walk above would prove nothing."""
    text = ""
    client = plant.client("root")
    for path in (
        "/",
        "/fleet",
        "/windows",
        "/orders",
        f"/orders/{plant.secret_order}",
        "/report?hours=24",
        "/journal",
        "/people",
        f"/machines/{SECRET}",
    ):
        answer = client.get(path)
        assert answer.status_code == 200
        text += answer.text
    text += client.get(f"/alarms/{plant.secret.id}").text
    text += client.get(f"/orders/{plant.secret_order}").text
    text += client.get("/on-call").text + client.get("/rationalisation").text
    assert all(mark in text for mark in MARKS)
    assert "zebra work order" in text
    assert "zebra instructions" in text
    assert "zebra rota" in text
    assert "zebra cause" in text
    assert "zebra check" in client.get(f"/advice/pump/advice-9?place={THEIRS}").text
    assert "zebra-4711" in text
    assert client.get(f"/api/series?machine={SECRET}&span=0").json()["readings"] == 600


def test_an_area_sees_no_other_area(plant: Plant):
    client = plant.client("body-crew")
    assert "press-1" in client.get("/").text
    assert (
        "pump-1" not in client.get("/").text + client.get("/fleet").text + client.get("/report?hours=24").text
    )
    assert client.get(f"/alarms/{plant.pump.id}").status_code == 404
    csrf = plant.csrf(client)
    answer = client.post(f"/alarms/{plant.pump.id}/acknowledge", data={"csrf": csrf})
    assert answer.status_code == 404


def test_nothing_is_to_be_had_without_signing_in(plant: Plant):
    client, before, walked = plant.client(), plant.desk.head(), 0
    for route in routes(plant):
        if str(route.name).startswith("public"):
            continue
        for path in paths(plant, route):
            for method in (route.methods or set()) - {"HEAD"}:
                answer = client.request(method, path, data=FORM if method == "POST" else None)
                assert answer.status_code in (303, 401), f"{method} {path}"
                if answer.status_code == 303:
                    assert answer.headers["location"].startswith("/sign-in?back=")
                own = answer.text.replace(SECRET, "").replace(
                    THEIRS, ""
                )  # a form that was sent is shown to its writer
                assert marks_in(own, path) == []
                walked += 1
    assert walked > 40
    assert plant.desk.head() == before


@pytest.mark.parametrize("who", ["viewer", "kim", "our-engineer"])
def test_each_role_may_do_its_own_and_no_more(plant: Plant, who: str):
    """The routes' names say the least role; a lesser one is refused whatever it sends."""
    client, role = plant.client(who), plant.account(who).role
    csrf, refused = plant.csrf(client), 0
    for route in routes(plant):
        words = str(route.name).split(" ")
        kind, least = words[0], words[-1]
        if kind not in ("page", "act") or Role[least.upper()] <= role:
            continue
        for path in paths(plant, route):
            path = path.replace(plant.secret.id, plant.press.id).replace(quote(SECRET), quote(PRESS))
            head = plant.desk.head()
            answer = client.get(path) if kind == "page" else client.post(path, data=FORM | {"csrf": csrf})
            assert answer.status_code == 403, path
            assert plant.desk.head() == head
            refused += 1
    assert refused >= 6


async def test_news_of_one_tenant_wake_only_its_own_desks(plant: Plant):
    import asyncio

    live_updates = LiveUpdates(plant.desk, every=0.01)
    heard: dict[str, list[bool]] = {OURS: [], THEIRS: [], "all": []}
    ready = {name: asyncio.Event() for name in heard}
    woken = {name: asyncio.Event() for name in heard}

    async def listen(name: str) -> None:
        scope = EVERYTHING if name == "all" else Scope.of(name)
        async for new in live_updates.listen(scope):
            heard[name].append(new)
            (woken if new else ready)[name].set()

    tasks = [asyncio.create_task(listen(name)) for name in heard]
    for name in heard:
        await ready[name].wait()
    plant.desk.acknowledge(EVERYTHING, plant.secret.id, by="their-crew")
    await asyncio.wait_for(woken[THEIRS].wait(), 10)
    await asyncio.wait_for(woken["all"].wait(), 10)
    assert not woken[OURS].is_set()
    plant.desk.acknowledge(EVERYTHING, plant.press.id, by="kim")
    await asyncio.wait_for(woken[OURS].wait(), 10)
    assert heard[THEIRS].count(True) == 1
    live_updates.stop()
    await asyncio.gather(*tasks)
