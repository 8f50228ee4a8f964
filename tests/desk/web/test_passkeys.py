"""Passkeys, with an authenticator in software: what it signs is verified as a phone's is."""

from __future__ import annotations

import hashlib
import html
import json
import re
import secrets

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from desk.access.passkeys import Passkeys
from desk.rules.journal import Action
from desk.rules.scope import EVERYTHING
from tests.desk.web.plant import MINUTE, PASSWORD, Plant, make_plant

URL = "https://desk.plant.example"
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


class Authenticator:
    """Makes and uses one ES256 key, as WebAuthn level 2 describes it (attestation "none")."""

    def __init__(self):
        self.domain, self.origin = "desk.plant.example", URL
        self.flags, self.uses = PRESENT | VERIFIED, 0
        self.id, self._key = secrets.token_bytes(32), ec.generate_private_key(ec.SECP256R1())

    def _data(self, flags: int, more: bytes = b"") -> bytes:
        self.uses += 1
        return hashlib.sha256(self.domain.encode()).digest() + bytes([flags]) + self.uses.to_bytes(4) + more

    def _client(self, kind: str, options: dict) -> bytes:
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": self.origin}).encode()

    def _answer(self, **response: bytes) -> str:
        id = bytes_to_base64url(self.id)
        shown = {name: bytes_to_base64url(value) for name, value in response.items()}
        return json.dumps({"id": id, "rawId": id, "type": "public-key", "response": shown})

    def make(self, options: dict) -> str:
        numbers = self._key.public_key().public_numbers()
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})
        attested = bytes(16) + len(self.id).to_bytes(2) + self.id + public
        data = self._data(self.flags | ATTESTED, attested)
        return self._answer(
            clientDataJSON=self._client("webauthn.create", options),
            attestationObject=cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data}),
        )

    def sign(self, options: dict) -> str:
        client, data = self._client("webauthn.get", options), self._data(self.flags)
        signed = self._key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(clientDataJSON=client, authenticatorData=data, signature=signed)


@pytest.fixture
def behind_tls(tmp_path):
    plant = make_plant(tmp_path, url=URL)
    plant.web.accounts.set_password(plant.account("kim"), PASSWORD)
    yield plant
    plant.close()


def client_of(plant: Plant, name: str | None = None):
    client = plant.client()
    client.base_url = URL
    if name:
        client.cookies.set("__Host-yeji-desk", plant.web.sessions.begin(plant.account(name)))
    return client


def registered(plant: Plant, key: Authenticator, name: str = "kim"):
    client = client_of(plant, name)
    session = plant.web.sessions.find(client.cookies["__Host-yeji-desk"])
    form = {"csrf": session.csrf, "back": "/me", "name": "my phone"}
    page = client.post("/me/passkey/new", data=form).text
    options = json.loads(html.unescape(re.search(r'data-options="([^"]+)"', page)[1]))
    return client.post("/me/passkey", data=form | {"answer": key.make(options)})


def signed_in(plant: Plant, key: Authenticator):
    client = client_of(plant)
    options = client.post("/sign-in/passkey/ask").json()
    return client, client.post("/sign-in/passkey?back=/kpis", content=key.sign(options))


def test_a_passkey_signs_in_without_a_password(behind_tls: Plant):
    key = Authenticator()
    page = registered(behind_tls, key).text
    assert "my phone" in page
    assert len(re.findall(r"[0-9a-f]{6}-[0-9a-f]{6}", page)) == 10, "recovery codes with the first factor"
    for _ in range(2):
        client, answer = signed_in(behind_tls, key)
        assert (answer.status_code, answer.json()["to"]) == (200, "/kpis")
        assert client.get("/me").status_code == 200
    said = [one.action for one in behind_tls.desk.journal(EVERYTHING) if one.about == "kim"]
    assert Action.FACTOR_ADDED in said


def test_with_a_passkey_the_password_alone_does_not_let_in(behind_tls: Plant):
    registered(behind_tls, Authenticator())
    answer = client_of(behind_tls).post("/sign-in", data={"name": "kim", "password": PASSWORD})
    assert (answer.status_code, "Second step" in answer.text) == (200, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://desk.plant.example.evil"},
        {"domain": "evil.example"},
        {"flags": PRESENT},  # nobody put a finger on it
    ],
)
def test_a_key_of_elsewhere_or_without_its_person_is_refused(behind_tls: Plant, wrong: dict):
    key = Authenticator()
    registered(behind_tls, key)
    for name, value in wrong.items():
        setattr(key, name, value)
    client, answer = signed_in(behind_tls, key)
    assert (answer.status_code, client.get("/me").status_code) == (401, 303)


def test_an_unknown_key_and_a_copied_one_are_refused(behind_tls: Plant):
    key = Authenticator()
    registered(behind_tls, key)
    assert signed_in(behind_tls, Authenticator())[1].status_code == 401
    assert signed_in(behind_tls, key)[1].status_code == 200
    key.uses -= 1  # another device with the same key has counted further
    assert signed_in(behind_tls, key)[1].status_code == 401


def test_an_answer_counts_once_and_not_for_long(behind_tls: Plant):
    key = Authenticator()
    registered(behind_tls, key)
    client = client_of(behind_tls)
    options = client.post("/sign-in/passkey/ask").json()
    token = client.cookies["__Host-yeji-passkey"]
    assert client.post("/sign-in/passkey", content=key.sign(options)).status_code == 200
    client.cookies.set("__Host-yeji-passkey", token)
    assert client.post("/sign-in/passkey", content=key.sign(options)).status_code == 401
    late = client_of(behind_tls)
    options = late.post("/sign-in/passkey/ask").json()
    behind_tls.clock.now += 6 * MINUTE
    assert late.post("/sign-in/passkey", content=key.sign(options)).status_code == 401


def test_who_is_disabled_does_not_get_in(behind_tls: Plant):
    key = Authenticator()
    registered(behind_tls, key)
    kim = behind_tls.account("kim")
    behind_tls.web.accounts.change(kim.id, role=kim.role, places=kim.places, disabled=True)
    assert signed_in(behind_tls, key)[1].status_code == 401


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"\xff", b'{"id": 1}', b"[" * 5000])
def test_answers_that_are_none(behind_tls: Plant, body: bytes):
    client = client_of(behind_tls)
    client.post("/sign-in/passkey/ask")
    assert client.post("/sign-in/passkey", content=body).status_code == 401


def test_a_passkey_proves_again_who_one_is(behind_tls: Plant):
    key = Authenticator()
    registered(behind_tls, key, "our-admin")
    client = client_of(behind_tls, "our-admin")
    csrf = behind_tls.web.sessions.find(client.cookies["__Host-yeji-desk"]).csrf
    behind_tls.clock.now += 11 * MINUTE
    form = {"csrf": csrf, "name": "new", "places": "gwangju/ggm/body", "role": "crew"}
    assert "Type your password again" in client.post("/people", data=form).text
    options = client.post("/sign-in/passkey/ask").json()
    assert client.post("/sign-in/passkey", content=key.sign(options)).json() == {"to": "", "csrf": csrf}
    assert client.post("/people", data=form).status_code == 303


@pytest.mark.parametrize(
    ("url", "possible"),
    [
        ("https://desk.plant.example", True),
        ("http://localhost:8011", True),
        ("http://desk.plant.example", False),
        ("http://127.0.0.1:8011", False),
        ("https://10.0.0.7", False),
    ],
)
def test_where_browsers_allow_passkeys(plant: Plant, url: str, possible: bool):
    keys = Passkeys(plant.store, plant.web.accounts, url, plant.clock)
    assert keys.possible is possible
    assert base64url_to_bytes(json.loads(keys.ask()[0])["challenge"])
