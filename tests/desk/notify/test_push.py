"""Web Push: sealed for one browser and signed as ours, to whom it concerns, once, and to no other address."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey

from desk.access.accounts import Accounts
from desk.access.roles import Role
from desk.access.store import AccessStore
from desk.notify.push import _GIVE_UP, Phone, Phones, PushSender, phone_of
from desk.notify.push_message import MOST_BYTES, Vapid, encrypt, from_text, to_text
from desk.rules.scope import EVERYTHING
from desk.service.desk import Desk
from pipeline.priority import Priority
from streams.settings import Settings
from tests.desk.rules.plant import PRESS, cleared, raised


def public(key: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = key.public_key().public_numbers()
    return b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


@dataclass
class Browser:
    """A browser as RFC 8291 has it: its keys, and how it opens a message."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = bytes(range(16))

    def open(self, body: bytes) -> bytes:
        salt, size, sender = body[:16], body[20], body[21 : 21 + body[20]]
        assert int.from_bytes(body[16:20], "big") >= len(body) - 21 - size
        shared = self.key.exchange(
            ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        )

        def derive(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
            return HKDF(hashes.SHA256(), length, salt, info).derive(secret)

        secret = derive(self.auth, shared, b"WebPush: info\0" + public(self.key) + sender, 32)
        key = derive(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
        nonce = derive(salt, secret, b"Content-Encoding: nonce\0", 12)
        content = AESGCM(key).decrypt(nonce, body[21 + size :], None)
        assert content[-1:] == b"\x02"
        return content[:-1]


def key_of(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(from_text(text), "big"), ec.SECP256R1())


def test_the_example_of_rfc_8291():
    """Appendix A, to the last bit."""
    sender = key_of("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
    browser = Browser(
        key_of("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"), from_text("BTBZMqHH6r4Tts7J_aSIgg")
    )
    plain = b"When I grow up, I want to be a watermelon"
    body = encrypt(
        plain, public(browser.key), browser.auth, sender=sender, salt=from_text("DGv6ra1nlYgDCS1FRnbzlw")
    )
    assert to_text(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8w"
        "EqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    assert browser.open(body) == plain


@settings(max_examples=30)
@given(st.binary(max_size=MOST_BYTES))
def test_only_the_browser_opens_it(content: bytes):
    browser = Browser()
    body = encrypt(content, public(browser.key), browser.auth)
    assert browser.open(body) == content
    with pytest.raises(InvalidTag):
        Browser(auth=browser.auth).open(body)


def test_the_signature_is_ours_and_for_that_service(tmp_path):
    vapid = Vapid(tmp_path / "key.pem", "https://desk.plant.test")
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    header = vapid.authorization("https://push.example:8443/x/y", 1_760_000_000_000)
    token, key = header.removeprefix("vapid t=").split(", k=")
    assert key == vapid.public == Vapid(tmp_path / "key.pem", "").public, "the key stays the same"
    point = from_text(key)
    jwk = ECKey.import_key({"kty": "EC", "crv": "P-256", "x": to_text(point[1:33]), "y": to_text(point[33:])})
    claims = jwt.decode(token, jwk, algorithms=["ES256"]).claims
    assert claims == {
        "aud": "https://push.example:8443",
        "exp": 1_760_043_200,
        "sub": "https://desk.plant.test",
    }


class PushService:
    """A push service on this machine: answers as it is told, and keeps what it gets."""

    def __init__(self) -> None:
        self.status = 201
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                service.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(service.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def service() -> Iterator[PushService]:
    made = PushService()
    yield made
    made.server.shutdown()
    made.server.server_close()


@dataclass
class Told:
    desk: Desk
    accounts: Accounts
    phones: Phones
    sender: PushSender
    service: PushService
    browser: Browser

    def ask(self, name: str, place: str, *, language: str = "en", least: Priority = Priority.LOW) -> str:
        """A new account whose phone asks to be told; gives its endpoint."""
        account, _ = self.accounts.add(name, name, Role.CREW, [place])
        endpoint = f"{self.service.url}/{name}"
        self.phones.put(
            Phone(endpoint, account.id, public(self.browser.key), self.browser.auth, language, least)
        )
        return endpoint

    def messages(self) -> list[tuple[str, dict[str, str]]]:
        """(path, message) of what the service got."""
        return [(path, json.loads(self.browser.open(body))) for path, _, body in self.service.got]


@pytest.fixture
def told(tmp_path, service) -> Iterator[Told]:
    desk = Desk(tmp_path / "desk.sqlite", Settings(data=tmp_path), lambda: 1_760_000_000_000)
    store = AccessStore(tmp_path / "accounts.sqlite")
    accounts = Accounts(store, desk.settings.desk.access, desk.clock)
    phones = Phones(tmp_path / "phones.sqlite")
    sender = PushSender(desk, accounts, phones, Vapid(tmp_path / "key.pem", "mailto:yeji@localhost"))
    assert sender.work() == 0
    yield Told(desk, accounts, phones, sender, service, Browser())
    sender.stop()
    phones.close()
    store.close()
    desk.close()


def test_a_phone_is_told_once_in_its_language_of_its_own_places(told: Told):
    told.ask("kim", "gwangju/ggm", language="ko")
    told.ask("rival", "ulsan/rival")
    event = raised(PRESS, severity=4)
    told.desk.receive([event])
    assert told.sender.work() == 1
    assert told.sender.work() == 0
    [(path, message)] = told.messages()
    assert path == "/kim"
    assert message["title"] == "[높음] press-07"
    assert "진동" in message["body"] or "vibration" in message["body"]
    assert message["url"] == f"/alarms/{event.id}"
    headers = told.service.got[0][1]
    assert headers["content-encoding"] == "aes128gcm"
    assert headers["urgency"] == "high"
    assert int(headers["ttl"]) > 0
    assert len(headers["topic"]) <= 32
    assert headers["authorization"].startswith("vapid t=")


def test_what_is_answered_ended_or_less_urgent_is_not_told(told: Told):
    told.ask("kim", "gwangju/ggm", least=Priority.HIGH)
    told.desk.receive([raised(PRESS, severity=2)])
    event = raised("gwangju/ggm/paint/line-1/oven-01", severity=4)
    told.desk.receive([event])
    told.desk.acknowledge(EVERYTHING, event.id, by="kim")
    assert told.sender.work() == 0


def test_many_at_once_are_one_message(told: Told):
    told.ask("kim", "gwangju/ggm")
    told.desk.receive([raised(f"gwangju/ggm/body/line-{k}/press-{k}", severity=4) for k in range(9)])
    assert told.sender.work() == 1
    [(_, message)] = told.messages()
    assert message["title"] == "9 new alarms"
    assert message["url"] == "/"


def test_what_stood_before_is_no_news_and_a_restart_tells_nothing_twice(told: Told, tmp_path):
    told.ask("kim", "gwangju/ggm")
    told.desk.receive([raised(PRESS, severity=4)])
    assert told.sender.work() == 1
    again = PushSender(told.desk, told.accounts, told.phones, told.sender.vapid)
    assert again.work() == 0
    told.desk.receive([cleared(PRESS)])
    assert again.work() == 0
    again.stop()


@pytest.mark.parametrize("status", [404, 410])
def test_a_phone_that_its_service_no_longer_knows_is_forgotten(told: Told, status: int):
    told.ask("kim", "gwangju/ggm")
    told.service.status = status
    told.desk.receive([raised(PRESS, severity=4)])
    assert told.sender.work() == 0
    assert told.phones.all() == []


def test_a_service_that_fails_stops_nobody_else_and_is_given_up_at_last(told: Told):
    told.ask("kim", "gwangju/ggm")
    told.service.status = 503
    for n in range(_GIVE_UP):
        assert len(told.phones.all()) == 1
        told.desk.receive([raised(f"gwangju/ggm/body/line-{n}/press-{n}", severity=4)])
        assert told.sender.work() == 0
    assert told.phones.all() == []


def test_an_account_that_is_gone_is_told_no_more(told: Told):
    told.ask("kim", "gwangju/ggm")
    told.phones.put(
        Phone(f"{told.service.url}/x", 4711, public(told.browser.key), bytes(16), "en", Priority.LOW)
    )
    told.desk.receive([raised(PRESS, severity=4)])
    assert told.sender.work() == 1
    assert [one.endpoint.rpartition("/")[2] for one in told.phones.all()] == ["kim"]


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/x",
        "https://evil.example/x",
        "https://fcm.googleapis.com@10.0.0.1/x",
        "https://10.0.0.1/fcm.googleapis.com",
        "https://127.0.0.1/x",
        "file:///etc/passwd",
        "https://fcm.googleapis.com/" + "x" * 3000,
        "",
    ],
)
def test_nobody_makes_the_desk_ask_another_address(endpoint: str):
    hosts = Settings().desk.push_hosts
    keys = to_text(public(Browser().key)), to_text(bytes(16))
    assert phone_of(1, "https://fcm.googleapis.com/x", *keys, "en", "high", hosts) is not None
    assert phone_of(1, endpoint, *keys, "en", "high", hosts) is None


@pytest.mark.parametrize(
    ("p256dh", "auth", "least"), [("x", "AAAA", "high"), ("", "", "high"), (None, None, "loud")]
)
def test_keys_that_are_none_are_refused(p256dh: str | None, auth: str | None, least: str):
    good = to_text(public(Browser().key)), to_text(bytes(16))
    keys = (good[0] if p256dh is None else p256dh, good[1] if auth is None else auth)
    assert phone_of(1, "https://fcm.googleapis.com/x", *keys, "en", least, Settings().desk.push_hosts) is None
