"""The API: described by a valid OpenAPI document, which every answer here is held to."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.testclient import TestClient

from desk.access.roles import Role
from desk.rules.scope import EVERYTHING
from desk.web.api.app import ROUTERS
from tests.desk.web.plant import NOW, OURS, PRESS, Plant, cleared

API = "/api/v1"


class Caller:
    """Calls the API with a key, and holds each answer to the document."""

    def __init__(self, plant: Plant, role: Role = Role.ENGINEER) -> None:
        key = plant.web.accounts.new_key("cmms", role, [OURS], "root")
        self.client = TestClient(plant.web.app, base_url="http://127.0.0.1")
        self.client.headers["Authorization"] = f"Bearer {key}"
        self.document: dict[str, Any] = self.client.get(f"{API}/openapi.json").json()

    def __call__(self, method: str, path: str, described: str = "", status: int = 200, **options: Any) -> Any:
        answer = self.client.request(method, API + path, **options)
        assert answer.status_code == status, answer.text
        operation = self.document["paths"][described or path.partition("?")[0]][method.lower()]
        content = operation["responses"][str(status)]["content"]
        ((kind, schema),) = content.items()
        assert answer.headers["content-type"] == kind
        jsonschema.Draft202012Validator(
            {**schema["schema"], "components": self.document["components"]},
            format_checker=jsonschema.FormatChecker(),
        ).validate(answer.json())
        return answer.json()


@pytest.fixture
def call(plant: Plant) -> Caller:
    return Caller(plant)


def test_the_document_is_valid_openapi(call: Caller):
    OpenAPIV31SpecValidator(call.document).validate()
    assert call.document["openapi"] == "3.1.0"


def test_the_document_describes_every_route_and_no_other(plant: Plant, call: Caller):
    routed = {(method, call.path) for router in ROUTERS for call in router.routes for method in call.methods}
    assert len(routed) == 30
    described = {(method.upper(), path) for path, calls in call.document["paths"].items() for method in calls}
    assert described == routed
    names = [one["operationId"] for calls in call.document["paths"].values() for one in calls.values()]
    assert len(names) == len(set(names))


def test_a_work_order_from_alarm_to_verdict(plant: Plant, call: Caller):
    """The whole way of a CMMS, as the document tells it."""
    alarm = call("GET", "/alarms?priority=high")["items"][0]
    assert alarm["machine"] == PRESS
    assert alarm["likely_modes"][0] == {"mode": "bearing-wear", "probability": 0.72}
    assert alarm["contributions"][0]["deviation"] == 11.25
    assert alarm["link"] == f"http://127.0.0.1:8011/alarms/{plant.press.id}"
    path, described = f"/alarms/{alarm['id']}/work-order", "/alarms/{id}/work-order"
    order = {"number": "WO-4711", "url": "https://cmms.example/wo/4711"}
    linked = call("PUT", path, described, json=order)
    assert linked["work_order"]["number"] == "WO-4711"
    head = plant.desk.head()
    call("PUT", path, described, json=order)
    assert plant.desk.head() == head  # asked again, the same is so
    assert "WO-4711" in plant.client("kim").get(f"/alarms/{alarm['id']}").text
    verdict = call(
        "POST",
        f"/alarms/{alarm['id']}/close",
        "/alarms/{id}/close",
        json={"kind": "fault-confirmed", "failure_mode": "bearing-wear", "part": "6205"},
    )
    assert (verdict["alarm"], verdict["by"]) == (plant.press.id, "api:cmms")
    plant.desk.receive([cleared(plant.press, NOW)])
    assert call("GET", f"/occurrences?machine={PRESS}")["items"][0]["verdict"]["part"] == "6205"
    assert call("GET", "/verdicts")["items"][0]["id"] == verdict["id"]


def test_each_act(plant: Plant, call: Caller):
    def act(name: str, **body: str) -> Any:
        return call("POST", f"/alarms/{plant.press.id}/{name}", f"/alarms/{{id}}/{name}", json=body)

    assert act("acknowledge", why="on it")["acknowledged_by"] == "api:cmms"
    assert act("take")["taken_by"] == "api:cmms"
    assert act("comment", text="ordered a bearing")["state"] == "acknowledged"
    until = "2025-10-09T12:00:00+02:00"
    assert act("shelve", why="parts", until=until)["shelved_until"] == "2025-10-09T10:00:00Z"
    assert act("unshelve")["state"] == "unacknowledged"
    assert act("shelve", why="parts")["state"] == "shelved-one-shot"
    assert call("GET", f"/alarms/{plant.press.id}", "/alarms/{id}")["waiting"] is False


def test_planned_work(call: Caller):
    window = {
        "place": f"{OURS}/body",
        "start": "2025-10-09T08:53:20Z",
        "end": "2025-10-09T10:00:00Z",
        "why": "die",
    }
    made = call("POST", "/windows", status=201, json=window)
    assert made["place"] == f"{OURS}/body"
    assert made["id"] in [one["id"] for one in call("GET", "/windows")["items"]]
    call("POST", f"/windows/{made['id']}/end", "/windows/{id}/end", json={})
    call("POST", f"/windows/{made['id']}/end", "/windows/{id}/end", status=409, json={})


def test_the_journal_can_be_followed(plant: Plant, call: Caller):
    seen = call("GET", "/journal")["items"]
    assert [one["seq"] for one in seen] == sorted(one["seq"] for one in seen)
    assert call("GET", f"/journal?after={seen[-1]['seq']}")["items"] == []
    plant.desk.acknowledge(EVERYTHING, plant.press.id, by="kim")
    (new,) = call("GET", f"/journal?after={seen[-1]['seq']}")["items"]
    assert (new["action"], new["by"], new["alarm"]) == ("acknowledge", "kim", plant.press.id)


def test_the_kpis(plant: Plant, call: Caller):
    plant.clock.now += 60_000
    assert call("GET", "/kpis?days=1")["alarms"] == 2


def test_filters(call: Caller):
    assert {one["priority"] for one in call("GET", "/alarms")["items"]} == {"urgent", "medium"}
    assert [one["priority"] for one in call("GET", "/alarms?priority=urgent")["items"]] == ["urgent"]
    assert len(call("GET", f"/alarms?machine={PRESS}&waiting=true")["items"]) == 1
    assert call("GET", "/alarms?machine=none")["items"] == []


@pytest.mark.parametrize(
    ("name", "body", "status", "words"),
    [
        ("comment", {}, 422, "text: Field required"),
        ("comment", {"text": ""}, 422, "text: "),
        ("comment", {"text": "x", "more": 1}, 422, "more: "),
        ("shelve", {"why": "x", "until": "tomorrow"}, 422, "until: "),
        ("shelve", {"why": "x", "until": "2025-10-09T12:00:00"}, 422, "until: "),
        ("shelve", {"why": "x", "until": "2020-01-01T00:00:00Z"}, 409, "later time"),
        ("unshelve", {}, 409, "not shelved"),
        ("close", {"kind": "perhaps"}, 422, "kind: "),
        ("close", {"kind": "fault-confirmed"}, 409, "failure mode"),
    ],
)
def test_a_call_that_is_not_possible_says_why(
    plant: Plant, call: Caller, name: str, body: dict[str, object], status: int, words: str
):
    found = call("POST", f"/alarms/{plant.press.id}/{name}", f"/alarms/{{id}}/{name}", status, json=body)
    assert words in found["detail"]


def test_a_work_orders_link_can_only_be_a_web_address(plant: Plant, call: Caller):
    body = {"number": "1", "url": "javascript:alert(1)"}
    path = f"/alarms/{plant.press.id}/work-order"
    assert "url: " in call("PUT", path, "/alarms/{id}/work-order", 422, json=body)["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"1" * 100_000])
def test_a_body_that_is_no_object_is_refused(plant: Plant, call: Caller, body: bytes):
    path = f"/alarms/{plant.press.id}/comment"
    call("POST", path, "/alarms/{id}/comment", 422, content=body)


def test_keys_and_roles(plant: Plant):
    reader = Caller(plant, Role.VIEWER)
    path = f"/alarms/{plant.press.id}/acknowledge"
    assert "role crew" in reader("POST", path, "/alarms/{id}/acknowledge", 403, json={})["detail"]
    reader.client.headers["Authorization"] = "Bearer yeji_wrong"
    assert "API key" in reader("GET", "/alarms", status=401)["detail"]
    assert reader.client.get(f"{API}/nowhere").headers["content-type"] == "application/problem+json"


def test_a_method_that_an_address_has_not_is_told_which_it_has(plant: Plant, call: Caller):
    answer = call.client.delete(f"{API}/windows")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    answer = call.client.get(f"{API}/alarms/{plant.press.id}/take")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_maintenance_system_moves_an_order_on(plant: Plant, call: Caller):
    made = call("POST", "/orders", status=201, json={"title": "Change bearing", "alarm": plant.press.id})
    assert (made["number"], made["state"], made["machine"]) == (1, "requested", PRESS)
    path, described = f"/orders/{made['id']}", "/orders/{id}"
    call("POST", "/orders", status=409, json={"title": "Again", "alarm": plant.press.id})
    due = {"assignee": "Lee", "due": "2025-10-09T12:00:00+02:00", "priority": "high"}
    planned = call("POST", f"{path}/plan", f"{described}/plan", json=due)
    assert (planned["due"], planned["priority"]) == ("2025-10-09T10:00:00Z", "high")
    call("PUT", f"{path}/link", f"{described}/link", json={"number": "WO-1", "url": "https://cmms.example/1"})
    call("POST", f"{path}/start", f"{described}/start", json={"person": "Lee"})
    done = {
        "person": "Lee",
        "parts": [{"name": "6205", "quantity": 2}],
        "downtime_minutes": 45,
        "finding": {"kind": "fault-confirmed", "failure_mode": "bearing-wear"},
    }
    finished = call("POST", f"{path}/finish", f"{described}/finish", json=done)
    assert (finished["state"], finished["done_by"]) == ("done", "api:cmms: Lee")
    assert call("GET", "/verdicts")["items"][0]["id"] == finished["verdict"]
    call("POST", f"{path}/sign-off", f"{described}/sign-off", status=409, json={"person": "Lee"})
    signed = call("POST", f"{path}/sign-off", f"{described}/sign-off", json={"person": "Choi"})
    assert (signed["state"], signed["external"]) == ("signed-off", "WO-1")
    assert call("GET", "/orders?show=signed-off&page=1")["items"] == [signed]
    assert call("GET", path, described) == signed
    assert call("GET", f"/orders?alarm={plant.press.id}")["total"] == 0
    call("POST", f"{path}/reopen", f"{described}/reopen", status=409, json={"why": "x"})
