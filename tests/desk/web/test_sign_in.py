"""The second step, proving again who one is, forms that outlast a session, and the journal of it."""

from __future__ import annotations

import html
import re
import stat

import pyotp
import pytest

from desk.access.roles import Role
from desk.rules.journal import Action
from desk.rules.scope import EVERYTHING, Scope
from tests.desk.web.plant import MINUTE, OURS, PASSWORD, THEIRS, Plant, make_plant

CODE = re.compile(r"[0-9a-f]{6}-[0-9a-f]{6}")


def with_password(plant: Plant, name: str) -> None:
    plant.web.accounts.set_password(plant.account(name), PASSWORD)


def with_app(plant: Plant, name: str) -> tuple[pyotp.TOTP, list[str]]:
    """``name`` sets up an app on their page; gives the app and the recovery codes."""
    with_password(plant, name)
    client = plant.client(name)
    form = {"csrf": plant.csrf(client), "back": "/me"}
    page = client.post("/me/totp", data=form).text
    assert "<svg" in page
    [secret] = re.findall(r"<code>([A-Z2-7 ]{32,})</code>", page)
    app = pyotp.TOTP(secret.replace(" ", ""))
    wrong = client.post("/me/totp/confirm", data=form | {"code": "000000"})
    assert wrong.status_code == 400
    assert "not right" in wrong.text
    page = client.post("/me/totp/confirm", data=form | {"code": now(plant, app)}).text
    codes = CODE.findall(page)
    assert len(set(codes)) == 10
    plant.clock.now += MINUTE  # a code is used once
    return app, codes


def now(plant: Plant, app: pyotp.TOTP) -> str:
    return app.at(plant.clock.now // 1000)


def enter(client, name: str, **form: str):
    return client.post("/sign-in", data={"name": name, "password": PASSWORD, "back": "/kpis", **form})


def log(plant: Plant, *actions: Action) -> list[tuple[Action, str, str]]:
    entries = plant.desk.journal(EVERYTHING, limit=10_000)
    return [(one.action, one.by, one.about) for one in entries if one.action in actions]


# -- the second step


def test_a_password_alone_does_not_let_in_once_an_app_is_set_up(plant: Plant):
    app, _ = with_app(plant, "kim")
    client = plant.client()
    first = enter(client, "kim")
    assert (first.status_code, "Second step" in first.text) == (200, True)
    assert client.get("/").status_code == 303, "not in yet"
    wrong = client.post("/sign-in/second", data={"code": "000000", "back": "/kpis"})
    assert wrong.status_code == 401
    code = now(plant, app)
    right = client.post("/sign-in/second", data={"code": f" {code[:3]} {code[3:]} ", "back": "/kpis"})
    assert (right.status_code, right.headers["location"]) == (303, "/kpis")
    assert client.get("/").status_code == 200


def test_a_code_is_used_once(plant: Plant):
    app, _ = with_app(plant, "kim")
    code = now(plant, app)
    for status in (303, 401):
        client = plant.client()
        enter(client, "kim")
        assert client.post("/sign-in/second", data={"code": code}).status_code == status


def test_a_clock_may_be_off_by_half_a_minute(plant: Plant):
    app, _ = with_app(plant, "kim")
    client = plant.client()
    enter(client, "kim")
    for seconds, status in ((90, 401), (30, 303)):
        code = app.at(plant.clock.now // 1000 + seconds)
        assert client.post("/sign-in/second", data={"code": code}).status_code == status


def test_recovery_codes_work_once_and_are_kept_as_hashes(plant: Plant):
    _, codes = with_app(plant, "kim")
    for status in (303, 401):
        client = plant.client()
        enter(client, "kim")
        assert client.post("/sign-in/second", data={"code": codes[0].upper()}).status_code == status
    kept = plant.store.path.read_bytes() + plant.store.path.with_name("desk-accounts.sqlite-wal").read_bytes()
    assert not any(code.encode() in kept for code in codes)


def test_the_second_step_has_a_time_and_few_tries(plant: Plant):
    app, _ = with_app(plant, "kim")
    client = plant.client()
    assert client.post("/sign-in/second", data={"code": now(plant, app)}).status_code == 401, "no first step"
    enter(client, "kim")
    for _ in range(5):
        assert client.post("/sign-in/second", data={"code": "000000"}).status_code == 401
    assert client.post("/sign-in/second", data={"code": now(plant, app)}).status_code == 429
    plant.clock.now += 11 * MINUTE
    late = client.post("/sign-in/second", data={"code": now(plant, app)})
    assert (late.status_code, "took too long" in late.text) == (401, True)


def test_an_administrator_takes_the_second_step_off_and_a_tenant_only_their_own(plant: Plant):
    with_app(plant, "kim")
    kim = plant.account("kim")
    for admin, taken_off in (("their-admin", False), ("our-admin", True)):
        client = plant.client(admin)
        client.post(f"/people/{kim.id}/second", data={"csrf": plant.csrf(client)})
        assert (enter(plant.client(), "kim").status_code == 303) is taken_off
    assert log(plant, Action.FACTOR_REMOVED) == [(Action.FACTOR_REMOVED, "our-admin", "kim")]


# -- proving again


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/people", {"name": "new", "places": f"{OURS}/body", "role": "crew"}),
        ("/keys", {"name": "cmms", "places": OURS, "role": "crew"}),
        ("/me/totp", {}),
    ],
)
def test_accounts_are_changed_only_by_who_proved_who_they_are_lately(plant: Plant, path: str, form: dict):
    with_password(plant, "our-admin")
    client = plant.client("our-admin")
    plant.clock.now += 11 * MINUTE
    csrf, before = plant.csrf(client), len(plant.web.accounts.all()) + len(plant.web.accounts.all_keys())
    asked = client.post(path, data={"csrf": csrf, "back": "/people", **form})
    assert "Type your password again" in asked.text
    assert len(plant.web.accounts.all()) + len(plant.web.accounts.all_keys()) == before
    kept = hidden(asked.text)
    assert client.post("/prove", data=kept | {"csrf": csrf, "password": "wrong"}).status_code == 401
    proved = client.post("/prove", data=kept | {"csrf": csrf, "password": PASSWORD})
    assert client.post(path, data=hidden(proved.text)).status_code in (200, 303)
    assert "Type your password" not in client.post(path, data={"csrf": csrf, **form}).text, "for a while"


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the form in a page's middle."""
    main = page[page.index("<main") :]
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', main)
    return {name: html.unescape(value) for name, value in found}


# -- forms that outlast a session


def test_what_was_written_is_sent_after_signing_in_again(plant: Plant):
    with_password(plant, "kim")
    client = plant.client("kim")
    csrf = plant.csrf(client)
    plant.clock.now += 13 * 60 * MINUTE
    path = f"/alarms/{plant.press.id}/comment"
    text = 'loud at the drive end <b> "again"'
    lost = client.post(path, data={"csrf": csrf, "back": "/", "text": text})
    assert lost.status_code == 401
    assert "What you wrote is kept" in lost.text
    again = client.post("/sign-in", data=hidden(lost.text) | {"name": "kim", "password": PASSWORD})
    assert (again.status_code, html.unescape(again.text).count(text)) == (200, 2)
    assert plant.desk.alarm(EVERYTHING, plant.press.id).comments == 0, "nothing is sent behind their back"
    sent = client.post(path, data=hidden(again.text))
    assert (sent.status_code, sent.headers["location"]) == (303, "/")
    [entry] = [e for e in plant.desk.journal(EVERYTHING, alarm=plant.press.id) if e.action is Action.COMMENT]
    assert (entry.by, entry.why) == ("kim", text)


def test_it_outlasts_a_wrong_password_and_the_second_step_too(plant: Plant):
    app, _ = with_app(plant, "kim")
    client = plant.client()
    path = f"/alarms/{plant.press.id}/comment"
    page = client.post(path, data={"text": "loud", "back": "/"}).text
    page = client.post("/sign-in", data=hidden(page) | {"name": "kim", "password": "wrong"}).text
    page = client.post("/sign-in", data=hidden(page) | {"name": "kim", "password": PASSWORD}).text
    page = client.post("/sign-in/second", data=hidden(page) | {"code": now(plant, app)}).text
    assert client.post(path, data=hidden(page)).status_code == 303
    assert plant.desk.alarm(EVERYTHING, plant.press.id).comments == 1


def test_a_page_that_acts_by_script_gets_the_sign_in_to_show(plant: Plant):
    answer = plant.client().post(
        f"/alarms/{plant.press.id}/comment", data={"text": "loud"}, headers={"HX-Request": "true"}
    )
    assert (answer.status_code, 'id="main"' in answer.text, "loud" in answer.text) == (200, True, True)


@pytest.mark.parametrize("header", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_foreign_form_is_not_kept(plant: Plant, header: dict[str, str]):
    answer = plant.client().post(f"/alarms/{plant.press.id}/comment", data={"text": "zebra"}, headers=header)
    assert "zebra" not in answer.text


def test_a_kept_form_leads_nowhere_else(plant: Plant):
    with_password(plant, "kim")
    for action in ("https://evil.example/", "//evil.example/", "/\\evil.example"):
        answer = enter(plant.client(), "kim", **{"kept.action": action, "kept.field.text": "x"})
        assert answer.status_code == 303


def test_no_password_is_shown_or_kept(plant: Plant):
    form = {"old": "zebra-one", "password": "zebra-two", "back": "/me"}
    assert "zebra" not in plant.client().post("/me/password", data=form).text


# -- sessions


def test_sessions_are_listed_and_ended(plant: Plant):
    here, phone, wall = (plant.client("kim") for _ in range(3))
    page = here.get("/me").text
    other = plant.web.sessions.find(phone.cookies["yeji-desk"]).id
    csrf = plant.csrf(here)
    assert page.count('name="id"') == 2, "one's own is ended by signing out"
    here.post("/me/sessions/end", data={"csrf": csrf, "id": other})
    assert [one.get("/").status_code for one in (here, phone, wall)] == [200, 303, 200]
    here.post("/me/sessions/end", data={"csrf": csrf})
    assert [one.get("/").status_code for one in (here, phone, wall)] == [200, 303, 303]


def test_nobody_ends_the_session_of_another(plant: Plant):
    viewer, kim = plant.client("viewer"), plant.client("kim")
    theirs = plant.web.sessions.find(kim.cookies["yeji-desk"]).id
    viewer.post("/me/sessions/end", data={"csrf": plant.csrf(viewer), "id": theirs})
    assert kim.get("/").status_code == 200


def test_an_administrator_signs_somebody_out_everywhere(plant: Plant):
    kim, admin = plant.client("kim"), plant.client("our-admin")
    admin.post(f"/people/{plant.account('kim').id}/sessions", data={"csrf": plant.csrf(admin)})
    assert kim.get("/").status_code == 303
    assert log(plant, Action.SESSION_ENDED) == [(Action.SESSION_ENDED, "our-admin", "kim")]


# -- the journal


def test_the_journal_says_who_came_who_failed_and_who_changed_what(plant: Plant):
    with_password(plant, "kim")
    client = plant.client()
    client.post("/sign-in", data={"name": "kim", "password": "wrong"})
    client.post("/sign-in", data={"name": "my secret passphrase", "password": "kim"})
    enter(client, "kim")
    client.post("/sign-out", data={"csrf": plant.csrf(client)})
    admin = plant.client("our-admin")
    form = {"csrf": plant.csrf(admin), "name": "new", "role": "crew", "places": f"{OURS}/body"}
    admin.post("/people", data=form)
    admin.post("/keys", data=form | {"name": "cmms"})
    entries = plant.desk.journal(EVERYTHING, limit=10_000)
    said = [(one.action, one.by, one.about, one.address) for one in entries]
    assert (Action.SIGN_IN_FAILED, "kim", "kim", "testclient") in said
    assert (Action.SIGN_IN_FAILED, "", "", "testclient") in said, "what was typed as a name is not kept"
    assert (Action.SIGN_IN, "kim", "kim", "testclient") in said
    assert (Action.SIGN_OUT, "kim", "kim", "") in said
    assert (Action.ACCOUNT_ADDED, "our-admin", "new", "") in said
    assert (Action.KEY_MADE, "our-admin", "api:cmms", "") in said
    [made] = [one for one in entries if one.action is Action.ACCOUNT_ADDED and one.about == "new"]
    assert (made.role, made.places, made.machine) == ("crew", (f"{OURS}/body",), f"{OURS}/body")
    assert "passphrase" not in repr(entries)
    seen = plant.client("our-engineer").get("/journal").text
    assert "Account made" in seen
    assert "new" in seen


def test_a_tenant_sees_no_others_sign_ins(plant: Plant):
    plant.client("their-admin")
    plant.client("root")
    assert {one.about for one in plant.desk.journal(Scope.of(OURS)) if one.about} >= {"kim"}
    assert not {"their-admin", "root"} & {one.about for one in plant.desk.journal(Scope.of(OURS))}
    assert "their-admin" in {one.about for one in plant.desk.journal(Scope.of(THEIRS))}


def test_sign_ins_are_no_acts_of_a_shift(plant: Plant):
    plant.client("kim")
    report = plant.desk.shift_report(EVERYTHING, plant.clock.now - MINUTE, plant.clock.now + MINUTE)
    assert not [one for one in report.acts if one.action is Action.SIGN_IN]


# -- calls, and files


def test_calls_of_the_api_have_a_limit_for_each_key(tmp_path):
    plant = make_plant(tmp_path, access={"calls": 3})
    try:
        calls = {
            name: {"Authorization": f"Bearer {plant.web.accounts.new_key(name, Role.VIEWER, [OURS], 'root')}"}
            for name in ("one", "two")
        }
        client = plant.client()
        for _ in range(3):
            assert client.get("/api/v1/alarms", headers=calls["one"]).status_code == 200
        over = client.get("/api/v1/alarms", headers=calls["one"])
        assert over.status_code == 429
        assert 1 <= int(over.headers["retry-after"]) <= 60
        assert over.headers["content-type"] == "application/problem+json"
        assert client.get("/api/v1/alarms", headers=calls["two"]).status_code == 200
    finally:
        plant.close()


def test_the_api_gives_the_journal_only_to_who_may_read_it(plant: Plant):
    assert plant.client("kim").get("/api/v1/journal").status_code == 403
    assert plant.client("our-engineer").get("/api/v1/journal").status_code == 200


def test_files_are_their_owners_alone(plant: Plant):
    for path in (plant.desk.store.path, plant.store.path):
        for one in (path, path.with_name(f"{path.name}-wal")):
            assert stat.S_IMODE(one.stat().st_mode) == 0o600
