"""Who may: passwords, one-time links, sessions, forms, tries; what is kept can be used by nobody else."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sqlite.files import StoreError
from desk.access.accounts import AccessError, Accounts, check_places
from desk.access.attempts import Attempts
from desk.access.passwords import hash_password, matches, objection
from desk.access.roles import ALL, Account, Role
from desk.access.store import AccessStore
from desk.rules.journal import Action
from desk.rules.scope import EVERYTHING
from desk.service.desk import Desk, desk_path
from desk.settings.access import AccessSettings
from desk.web.server import DeskServer
from streams.settings import Settings
from tests.desk.web.plant import MINUTE, NOW, OURS, PASSWORD, THEIRS, Plant, make_plant

HOUR = 60 * MINUTE


@pytest.fixture
def accounts(tmp_path: Path):
    store = AccessStore(tmp_path / "a.sqlite")
    yield Accounts(store, AccessSettings(), lambda: NOW)
    store.close()


# -- passwords


@pytest.mark.real_passwords
def test_a_password_is_kept_as_argon2id_alone(accounts: Accounts):
    account, token = accounts.add("kim", "Kim", Role.CREW, [OURS])
    accounts.accept(token, PASSWORD)
    with closing(sqlite3.connect(accounts.store.path)) as db:
        kept = db.execute("SELECT password FROM accounts").fetchone()[0]
    assert kept.startswith("$argon2id$v=19$m=65536,")
    assert accounts.verify("KIM", PASSWORD) == account
    assert accounts.verify("kim", PASSWORD + "x") is None
    assert accounts.verify("nobody", PASSWORD) is None


def test_nobodys_password_matches_nothing():
    assert not matches(None, "nobody has this password")
    assert not matches("no hash at all", "x")
    assert matches(hash_password("a b c d e f"), "a b c d e f")


@pytest.mark.parametrize(
    ("password", "key"),
    [
        ("123456789", "password.short"),
        ("1234567890", "password.common"),
        ("Password123", "password.common"),
        ("aaaaaaaaaaaaaaa", "password.common"),
        ("maintenance-kim2026", "password.common"),
        ("x" * 201, "password.long"),
        ("말이 통하는 열한 자 문장", None),
    ],
)
def test_which_passwords_are_refused(password: str, key: str | None):
    assert objection(password, "maintenance-kim") == key


@pytest.mark.real_passwords
def test_weaker_hashes_are_made_anew_at_sign_in(accounts: Accounts):
    from argon2 import PasswordHasher

    accounts.accept(accounts.add("kim", "", Role.CREW, [OURS])[1], PASSWORD)
    weak = PasswordHasher(time_cost=1, memory_cost=8192).hash(PASSWORD)
    with accounts.store.writing() as db:
        db.execute("UPDATE accounts SET password=?", (weak,))
    assert accounts.verify("kim", PASSWORD) is not None
    with accounts.store.reading() as db:
        assert db.execute("SELECT password FROM accounts").fetchone()[0].startswith("$argon2id$v=19$m=65536,")


# -- the file


def test_nothing_in_the_file_opens_a_door(plant: Plant):
    client = plant.client("kim")
    cookie = client.cookies["yeji-desk"]
    link = plant.web.accounts.reset_link(plant.account("viewer"))
    key = plant.web.accounts.new_key("cmms", Role.CREW, [OURS], "root")
    with closing(sqlite3.connect(plant.store.path)) as db:
        everything = "\n".join(db.iterdump()).encode()
    for secret in (cookie, link, key, PASSWORD):
        assert secret.encode() not in everything
    assert plant.store.path.stat().st_mode & 0o077 == 0


def test_a_file_of_another_program_is_refused(tmp_path: Path):
    path = tmp_path / "a.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreError, match="another kind"):
        AccessStore(path)
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match="cannot be opened"):
        AccessStore(path)


# -- the first start


def test_the_first_start_prints_a_link_that_works_once(tmp_path: Path):
    settings = Settings(data=tmp_path, desk={"port": 0, "url": "https://desk.plant.example"})
    desk = Desk(desk_path(settings), settings)
    server = DeskServer(desk)
    stale, link = server.first_link(), server.first_link()
    assert link is not None
    assert link.startswith("https://desk.plant.example/welcome/")
    from starlette.testclient import TestClient

    client = TestClient(server.web.app, base_url="https://desk.plant.example", follow_redirects=False)
    assert stale is not None
    assert client.get(stale).status_code == 401  # a newer link makes it worthless
    page = client.get(link)
    assert page.status_code == 200
    assert "You are the first here" in page.text
    assert client.post(link, data={"name": "boss", "password": "short"}).status_code == 400
    assert client.post(link, data={"name": "boss", "password": PASSWORD}).status_code == 200
    assert [(a.name, a.role, a.places) for a in server.web.accounts.all()] == [("boss", Role.ADMIN, (ALL,))]
    again = client.post(link, data={"name": "thief", "password": PASSWORD})
    assert again.status_code == 401
    assert server.first_link() is None
    entered = client.post("/sign-in", data={"name": "boss", "password": PASSWORD})
    cookies = [one for one in entered.headers.get_list("set-cookie") if "Max-Age=0" not in one]
    assert [one.partition("=")[0] for one in cookies] == ["__Host-yeji-device", "__Host-yeji-desk"]
    for cookie in cookies:
        for part in ("HttpOnly", "Secure", "SameSite=", "Path=/"):
            assert part in cookie
    assert client.get("/people").status_code == 200
    assert "max-age" in entered.headers["strict-transport-security"]
    desk.close()
    server.store.close()


def test_no_account_is_there_before(tmp_path: Path):
    with closing(AccessStore(tmp_path / "a.sqlite")) as store:
        assert Accounts(store, AccessSettings(), lambda: NOW).all() == []


def test_a_link_is_over_after_its_time(plant: Plant):
    token = plant.web.accounts.reset_link(plant.account("kim"))
    plant.clock.now += 73 * HOUR
    with pytest.raises(AccessError, match=r"link\.over"):
        plant.web.accounts.accept(token, PASSWORD)


def test_a_new_link_or_password_makes_the_old_link_worthless(plant: Plant):
    kim = plant.account("kim")
    old, new = plant.web.accounts.reset_link(kim), plant.web.accounts.reset_link(kim)
    with pytest.raises(AccessError):
        plant.web.accounts.accept(old, PASSWORD)
    plant.web.accounts.accept(new, PASSWORD)
    with pytest.raises(AccessError):
        plant.web.accounts.accept(new, PASSWORD + "!")


# -- sessions


def enter(plant: Plant, name: str, password: str = PASSWORD, **headers: str):
    return plant.client().post("/sign-in", data={"name": name, "password": password}, headers=headers)


def with_password(plant: Plant, name: str) -> None:
    plant.web.accounts.set_password(plant.account(name), PASSWORD)


def test_sign_in_and_out(plant: Plant):
    with_password(plant, "kim")
    client = plant.client()
    there = client.get("/windows?place=x")
    assert there.headers["location"] == "/sign-in?back=%2Fwindows%3Fplace%3Dx"
    answer = client.post("/sign-in", data={"name": "kim", "password": PASSWORD, "back": "/windows?place=x"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/windows?place=x")
    assert client.get("/").status_code == 200
    csrf = plant.csrf(client)
    cookie = client.cookies["yeji-desk"]
    out = client.post("/sign-out", data={"csrf": csrf})
    assert out.headers["location"] == "/sign-in"
    assert out.headers["clear-site-data"] == '"cache", "storage"'
    client.cookies.set("yeji-desk", cookie)  # whoever kept the cookie
    assert client.get("/").status_code == 303


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_sign_in_leads_nowhere_else(plant: Plant, back: str):
    with_password(plant, "kim")
    answer = plant.client().post("/sign-in", data={"name": "kim", "password": PASSWORD, "back": back})
    assert answer.headers["location"] == "/"


def test_wrong_name_and_wrong_password_look_the_same(plant: Plant):
    with_password(plant, "kim")
    wrong, nobody = enter(plant, "kim", "wrong"), enter(plant, "nobody", "wrong")
    assert wrong.status_code == nobody.status_code == 401
    assert wrong.text.replace('value="kim"', "") == nobody.text.replace('value="nobody"', "")


def test_an_account_waits_after_five_wrong_tries(plant: Plant):
    with_password(plant, "kim")
    for _ in range(5):
        assert enter(plant, "kim", "wrong").status_code == 401
    assert enter(plant, "KIM").status_code == 429  # the right password does not help, nor does its case
    plant.clock.now += 16 * MINUTE
    assert enter(plant, "kim").status_code == 303


def test_a_right_password_forgets_the_wrong_ones(plant: Plant):
    with_password(plant, "kim")
    for _ in range(3):
        for _ in range(4):
            assert enter(plant, "kim", "wrong").status_code == 401
        assert enter(plant, "kim").status_code == 303


def attempts(plant: Plant) -> Attempts:
    return Attempts(plant.store, plant.web.accounts, AccessSettings())


def test_many_names_from_one_address_wait_too(plant: Plant):
    for i in range(50):
        with pytest.raises(AccessError, match=r"sign\.in\.wrong"):
            attempts(plant).prove(f"guess{i}", "wrong", "testclient")
    assert enter(plant, "another").status_code == 429


def test_a_whole_hall_may_sign_in_at_the_change_of_shift(plant: Plant):
    with_password(plant, "kim")
    for _ in range(60):
        assert attempts(plant).prove("kim", PASSWORD, "10.0.0.1")


def test_a_stranger_locks_nobody_out(plant: Plant):
    """Whoever guesses, from one place or from many, does not keep the owner from where they were before."""
    with_password(plant, "kim")
    known = plant.client()
    assert known.post("/sign-in", data={"name": "kim", "password": PASSWORD}).status_code == 303
    for address in range(60):
        for _ in range(6):
            with suppress(AccessError):
                attempts(plant).prove("kim", "wrong", f"10.0.0.{address}")
    with suppress(AccessError):
        attempts(plant).prove("kim", "wrong", "testclient")
    assert enter(plant, "kim").status_code == 429, "guessed from everywhere: nowhere new for a while"
    del known.cookies["yeji-desk"]
    assert known.post("/sign-in", data={"name": "kim", "password": PASSWORD}).status_code == 303
    locked = [one for one in plant.desk.journal(EVERYTHING) if one.action is Action.SIGN_IN_LOCKED]
    assert {one.about for one in locked} == {"kim"}


def test_one_stranger_does_not_lock_other_places(plant: Plant):
    with_password(plant, "kim")
    for _ in range(6):
        with suppress(AccessError):
            attempts(plant).prove("kim", "wrong", "10.0.0.1")
    assert enter(plant, "kim").status_code == 303


def test_a_device_of_another_account_or_before_a_new_password_is_a_stranger(plant: Plant):
    tries = attempts(plant)
    kim, lee = plant.account("kim"), plant.account("our-admin")
    token = tries.know(kim)
    assert (tries.knows(kim, token), tries.knows(lee, token)) == (True, False)
    with_password(plant, "kim")
    assert not tries.knows(kim, token)


def test_a_session_ends_by_idling_and_by_age(plant: Plant):
    client = plant.client("kim")
    plant.clock.now += 11 * HOUR
    assert client.get("/").status_code == 200
    plant.clock.now += 13 * HOUR
    assert client.get("/").status_code == 303
    client = plant.client("kim")
    for _ in range(16):
        plant.clock.now += 11 * HOUR
        last = client.get("/").status_code
    assert last == 303  # never idle for 12 hours, but older than a week


def test_a_page_that_updates_itself_is_told_that_nobody_is_signed_in(plant: Plant):
    """Its script goes to the sign-in, unless somebody is writing on it."""
    answer = plant.client().get("/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-trigger"]) == (204, "signed-out")
    assert "hx-redirect" not in answer.headers


def test_changing_or_disabling_an_account_ends_its_sessions(plant: Plant):
    client = plant.client("kim")
    kim = plant.account("kim")
    plant.web.accounts.change(kim.id, role=Role.VIEWER, places=[OURS], disabled=False)
    assert client.get("/").status_code == 303
    client = plant.client("kim")
    plant.web.accounts.change(kim.id, role=Role.CREW, places=[OURS], disabled=True)
    assert client.get("/").status_code == 303
    with_password(plant, "kim")
    assert enter(plant, "kim").status_code == 401


def test_ones_own_password(plant: Plant):
    with_password(plant, "kim")
    client, other = plant.client("kim"), plant.client("kim")
    csrf = plant.csrf(client)
    form = {"csrf": csrf, "old": "wrong", "password": "a new sentence", "back": "/me"}
    client.post("/me/password", data=form)
    assert "The present password is wrong" in client.get("/me").text
    client.post("/me/password", data=form | {"old": PASSWORD})
    assert client.get("/me").status_code == 200  # goes on in a new session
    assert other.get("/me").status_code == 303
    assert enter(plant, "kim", "a new sentence").status_code == 303


# -- forms


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ({}, {}),
        ({"csrf": "x"}, {}),
        ({"csrf": "OURS"}, {"Origin": "https://evil.example"}),
        ({"csrf": "OURS"}, {"Sec-Fetch-Site": "cross-site"}),
        ({"csrf": "ANOTHER"}, {}),
    ],
)
def test_a_foreign_form_does_nothing(plant: Plant, form: dict[str, str], headers: dict[str, str]):
    client = plant.client("kim")
    tokens = {"OURS": plant.csrf(client), "ANOTHER": plant.csrf(plant.client("kim"))}
    head = plant.desk.head()
    answer = client.post(
        f"/alarms/{plant.press.id}/acknowledge",
        data={name: tokens.get(value, value) for name, value in form.items()},
        headers=headers,
    )
    assert answer.status_code == 403
    assert plant.desk.head() == head


def test_a_foreign_page_cannot_sign_somebody_in(plant: Plant):
    with_password(plant, "kim")
    assert enter(plant, "kim", Origin="https://evil.example").status_code == 403


def test_a_cookie_does_not_call_the_api_to_change(plant: Plant):
    client = plant.client("kim")
    assert client.get("/api/v1/alarms").status_code == 200
    assert client.post(f"/api/v1/alarms/{plant.press.id}/acknowledge", json={}).status_code == 401


@pytest.mark.parametrize("path", ["/", "/sign-in", "/api/v1/alarms", "/static/desk/desk.css", "/nowhere"])
def test_every_answer_carries_the_security_headers(plant: Plant, path: str):
    headers = plant.client("kim").get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert plant.client("kim").get(path, headers={"host": "evil.example"}).status_code == 421


def test_what_people_write_is_only_text(plant: Plant):
    plant.desk.comment(EVERYTHING, plant.press.id, by="kim", text="<script>alert(1)</script>")
    text = plant.client("kim").get(f"/alarms/{plant.press.id}").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


# -- roles and places


def test_an_administrator_gives_out_no_more_than_their_own(plant: Plant):
    client = plant.client("our-admin")
    csrf = plant.csrf(client)
    form = {"csrf": csrf, "name": "new", "shown": "", "back": "/people"}
    for places, role in ((ALL, "admin"), (THEIRS, "crew"), ("lab", "crew"), ("", "crew"), (OURS, "boss")):
        client.post("/people", data=form | {"places": places, "role": role})
        assert "Name tenants or areas" in client.get("/people").text
    made = client.post("/people", data=form | {"places": f"{OURS}/body\n{OURS}/paint", "role": "crew"})
    assert plant.account("new").places == (f"{OURS}/body", f"{OURS}/paint")
    assert made.headers["location"] == "/people"
    shown = r'<code id="link-([^"]+)">([^<]+)</code>'
    link = re.search(shown, client.get("/people").text)
    assert link is not None
    assert plant.client().get(link[2]).status_code == 200
    assert link[2] in client.get("/people").text, "it stays until they say that they have it"
    assert link[2] not in plant.client("our-admin").get("/people").text, "and nobody else sees it"
    client.post("/people/shown/dismiss", data={"csrf": csrf, "id": link[1]})
    assert not re.search(shown, client.get("/people").text)
    root = plant.account("root")
    for path in (f"/people/{root.id}", f"/people/{root.id}/link"):
        client.post(path, data=form | {"places": OURS, "role": "viewer"})
    assert plant.account("root") == root


def test_the_last_administrator_stays(plant: Plant):
    for name in ("our-admin", "their-admin"):
        one = plant.account(name)
        plant.web.accounts.change(one.id, role=Role.VIEWER, places=one.places, disabled=False)
    with pytest.raises(AccessError, match=r"last\.admin"):
        plant.web.accounts.change(plant.account("root").id, role=Role.ADMIN, places=[ALL], disabled=True)
    assert not plant.account("root").disabled


def test_keys_are_made_shown_once_and_ended(plant: Plant):
    client = plant.client("our-admin")
    csrf = plant.csrf(client)
    form = {"csrf": csrf, "name": "cmms", "role": "crew", "places": OURS, "back": "/people"}
    client.post("/keys", data=form)
    key = re.search(r'<code id="key-([^"]+)">(yeji_[^<]+)</code>', client.get("/people").text)
    assert key is not None
    call = {"Authorization": f"Bearer {key[2]}"}
    assert plant.client().get("/api/v1/alarms", headers=call).status_code == 200
    client.post("/people/shown/dismiss", data={"csrf": csrf, "id": key[1]})
    assert key[2] not in client.get("/people").text
    id = next(one.id for one in plant.web.accounts.all_keys() if one.name == "cmms")
    client.post(f"/keys/{id}/end", data={"csrf": csrf})
    assert plant.client().get("/api/v1/alarms", headers=call).status_code == 401
    with pytest.raises(AccessError, match=r"key\.role"):
        plant.web.accounts.new_key("x", Role.ADMIN, [ALL], "root")


places = st.lists(st.sampled_from(["a", "a/b", "a/b/c", "x/y", "x/y/z", ALL, ""]), max_size=3)


@given(own=places, given_=places, role=st.sampled_from(Role))
def test_nobody_can_manage_what_they_cannot_see(own: list[str], given_: list[str], role: Role):
    try:
        admin = Account(
            id=1, name="a", shown="a", role=Role.ADMIN, places=tuple(check_places(own, Role.ADMIN))
        )
        theirs = Account(id=2, name="b", shown="b", role=role, places=tuple(check_places(given_, role)))
    except AccessError:
        return
    if admin.may_manage(theirs.places, role):
        for machine in ("a/b/c/d/e", "a/z/c/d/e", "x/y/z/d/e", "x/y/q/d/e", "o/t/h/e/r"):
            assert admin.scope.allows(machine) or not theirs.scope.allows(machine)


def test_crew_cannot_have_every_place():
    with pytest.raises(AccessError):
        check_places([ALL], Role.CREW)


def test_a_desk_behind_tls_uses_the_host_cookie(tmp_path: Path):
    plant = make_plant(tmp_path, url="https://desk.example")
    assert plant.web.guard.cookie == "__Host-yeji-desk"
    plant.close()


@pytest.mark.parametrize("name", ["yeji", "Yeji", "api:cmms", "a b", "", "x" * 64, "<kim>"])
def test_names_that_would_be_taken_for_others_are_refused(accounts: Accounts, name: str):
    with pytest.raises(AccessError, match=r"account\.name"):
        accounts.add(name, "", Role.CREW, [OURS])


def test_guessing_ones_own_old_password_has_to_wait_too(plant: Plant):
    with_password(plant, "kim")
    client = plant.client("kim")
    form = {"csrf": plant.csrf(client), "old": "wrong", "password": "a new sentence", "back": "/me"}
    for _ in range(5):
        client.post("/me/password", data=form)
    client.post("/me/password", data=form | {"old": PASSWORD})
    assert "Too many tries" in client.get("/me").text


@pytest.mark.parametrize("path", ["/sign-in", "/api/v1/windows", "/preferences", "/alarms/x/comment"])
def test_a_huge_body_is_not_taken(plant: Plant, path: str):
    client = plant.client("our-engineer")
    assert client.post(path, content=b"x" * 1_000_001).status_code == 413

    def parts():
        for _ in range(30):
            yield b"name=" + b"x" * 100_000

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post(path, content=parts(), headers=form)
    assert answer.status_code in (401, 413)  # 401: it was turned away before it was read


def test_a_port_alone_gives_links_that_lead_there(tmp_path: Path):
    assert Settings(desk={"port": 9000}).desk.url == "http://127.0.0.1:9000"
    assert Settings(desk={"port": 9000, "url": "https://desk.example"}).desk.url == "https://desk.example"
    assert Settings(desk={"port": 0}).desk.url == Settings().desk.url == "http://127.0.0.1:8011"


def test_a_foreign_name_is_told_the_desks_own_setting(plant: Plant):
    answer = plant.client().get("/", headers={"host": "desk.elsewhere"})
    assert (answer.status_code, "desk.access.hosts (YEJI_DESK__ACCESS__HOSTS)" in answer.text) == (421, True)
