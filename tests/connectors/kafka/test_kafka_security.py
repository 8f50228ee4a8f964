"""Every way to log in to the real broker, what the shipped access rules allow, and what they do not."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion
from kafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

from connectors.kafka.acls import apply_acls, missing_acls, read_acls
from connectors.kafka.errors import KafkaError
from connectors.kafka.security import async_options, client_options
from connectors.kafka.settings import KafkaSettings
from connectors.kafka.tokens import ClientCredentials, TokenError
from connectors.kafka.topics import Topics, require_topics
from tests.connectors.kafka.secure_broker import SecureBroker, bearer, start

RULES = Path(__file__).resolve().parents[3] / "deploy" / "kafka" / "acls.toml"
SECRET = "planted-kafka-secret"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """A broker with users, topics and the shipped access rules."""
    one = start(tmp_path_factory.mktemp("secure"))
    administrator = KafkaSettings(brokers=one.plain, partitions=2)
    admin: Any = KafkaAdminClient(bootstrap_servers=one.plain)
    kinds = {"worker": ScramMechanism.SCRAM_SHA_512, "desk": ScramMechanism.SCRAM_SHA_256}
    kinds["producer"] = ScramMechanism.SCRAM_SHA_256
    admin.alter_user_scram_credentials(
        [UserScramCredentialUpsertion(f"yeji-{name}", kind, SECRET) for name, kind in kinds.items()]
    )
    admin.close()
    topics = Topics(administrator)
    topics.apply(topics.check())
    topics.close()
    rules = read_acls(RULES, administrator)
    assert len(missing_acls(administrator, rules)) == len(rules)
    assert apply_acls(administrator, rules) == len(rules)
    deadline = time.monotonic() + 20
    while missing_acls(administrator, rules):  # until the broker knows of them
        assert time.monotonic() < deadline
    assert apply_acls(administrator, rules) == 0
    yield one
    one.node.stop()


def scram(broker: SecureBroker, name: str, **changes: Any) -> KafkaSettings:
    """Settings of one of the users."""
    mechanism = "SCRAM-SHA-512" if name == "worker" else "SCRAM-SHA-256"
    fields: dict[str, Any] = {
        "brokers": broker.sasl,
        "partitions": 2,
        "security": "SASL_SSL",
        "mechanism": mechanism,
        "username": f"yeji-{name}",
        "password": SECRET,
        "ca_file": broker.authority.file,
    }
    return KafkaSettings(**fields | changes)


def certificate(broker: SecureBroker, name: str, password: str = "") -> KafkaSettings:
    """Settings that log in with a certificate."""
    cert, key = broker.authority.issue(name, password)
    return KafkaSettings(
        brokers=broker.tls,
        partitions=2,
        security="SSL",
        ca_file=broker.authority.file,
        cert_file=cert,
        key_file=key,
        key_password=password or None,
    )


def token(broker: SecureBroker, name: str, folder: Path) -> KafkaSettings:
    """Settings that log in with a token in a file."""
    file = folder / "token"
    file.write_text(bearer(name) + "\n")
    return KafkaSettings(
        brokers=broker.sasl,
        partitions=2,
        security="SASL_SSL",
        mechanism="OAUTHBEARER",
        token_file=file,
        ca_file=broker.authority.file,
    )


async def _read_asynchronously(settings: KafkaSettings) -> int:
    """What the worker's client sees of the frames topic's end."""
    consumer = AIOKafkaConsumer(**async_options(settings))
    await consumer.start()
    try:
        part = TopicPartition(settings.frames, 0)
        consumer.assign([part])
        return int((await consumer.end_offsets([part]))[part])
    finally:
        await consumer.stop()


@pytest.mark.services
@pytest.mark.parametrize("way", ["scram-512", "certificate", "certificate-with-password", "token"])
def test_the_worker_logs_in(broker: SecureBroker, way: str, tmp_path: Path) -> None:
    settings = {
        "scram-512": lambda: scram(broker, "worker"),
        "certificate": lambda: certificate(broker, "yeji-worker"),
        "certificate-with-password": lambda: certificate(broker, "yeji-worker", "key-secret"),
        "token": lambda: token(broker, "yeji-worker", tmp_path),
    }[way]()
    require_topics(settings)
    assert asyncio.run(_read_asynchronously(settings)) >= 0


@pytest.mark.services
def test_each_program_may_do_its_work_and_no_more(broker: SecureBroker) -> None:
    producer = KafkaProducer(**client_options(scram(broker, "producer")))
    assert producer.send("telemetry.frames", b"{}", key=b"a").get(timeout=20).offset >= 0
    with pytest.raises(TopicAuthorizationFailedError):
        producer.send("maintenance.alerts", b"{}").get(timeout=20)
    producer.close()
    desk = KafkaProducer(**client_options(scram(broker, "desk")))
    assert desk.send("maintenance.feedback", b"{}", key=b"a").get(timeout=20).offset >= 0
    with pytest.raises(TopicAuthorizationFailedError):
        desk.send("yeji.snapshots", b"{}").get(timeout=20)
    desk.close()
    reader = KafkaConsumer(**client_options(scram(broker, "producer")), group_id="yeji")
    reader.subscribe(["telemetry.frames"])
    with pytest.raises((TopicAuthorizationFailedError, GroupAuthorizationFailedError)):
        reader.poll(timeout_ms=20_000)
    reader.close()


@pytest.mark.services
def test_who_does_not_log_in_gets_nothing_and_no_secret_is_told(broker: SecureBroker) -> None:
    wrong = "wrong-planted-secret"
    with pytest.raises(KafkaError) as caught:
        Topics(scram(broker, "worker", password=wrong), timeout=5)
    assert wrong not in str(caught.value)
    assert wrong not in repr(scram(broker, "worker", password=wrong))
    with pytest.raises(KafkaError):
        Topics(scram(broker, "worker", ca_file=None), timeout=3)  # a CA that nobody knows
    with pytest.raises(KafkaError):
        Topics(KafkaSettings(brokers=broker.tls, security="SSL", ca_file=broker.authority.file), timeout=3)


@pytest.mark.services
def test_a_key_without_its_password_never_asks_the_terminal(broker: SecureBroker) -> None:
    settings = certificate(broker, "locked", "key-secret")
    with pytest.raises(KafkaError, match="certificates of Kafka cannot be used") as caught:
        client_options(settings.model_copy(update={"key_password": None}))
    assert "key-secret" not in str(caught.value)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    bare = KafkaSettings(security="SASL_SSL", mechanism="OAUTHBEARER")
    with pytest.raises(KafkaError, match=r"kafka\.token_file"):
        client_options(bare)
    remote = {"token_url": "http://idp.example/token", "client_id": "yeji", "client_secret": "s"}
    with pytest.raises(KafkaError, match="must be https"):
        client_options(bare.model_copy(update=KafkaSettings(**remote).model_dump(include=set(remote))))
    rules = tmp_path / "acls.toml"
    for text in (
        '[[allow]]\nprincipal = "yeji"\ntopics = ["a"]\noperations = ["READ"]',
        '[[allow]]\nprincipal = "User:y"\ntopics = ["{no_such}"]\noperations = ["READ"]',
        '[[allow]]\nprincipal = "User:y"\ntopics = ["a"]\noperations = ["FLY"]',
        "no toml",
    ):
        rules.write_text(text)
        with pytest.raises(KafkaError, match="holds no access rules"):
            read_acls(rules, KafkaSettings())


class _Issuer(BaseHTTPRequestHandler):
    """Gives a new token each time, to who knows the secret."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        server: Any = self.server
        server.asked += 1
        known = self.headers["Authorization"] == "Basic eWVqaTpzZWNyZXQ="
        body = b'{"access_token": "t%d", "expires_in": 100}' % server.asked if known else b"secret?"
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Silence."""


def test_a_token_is_kept_until_shortly_before_it_ends() -> None:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Issuer)
    server.asked = 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url, now = f"http://127.0.0.1:{server.server_port}/token", [0.0]
    tokens = ClientCredentials(url, "yeji", "secret", clock=lambda: now[0])
    assert (tokens(), tokens()) == ("t1", "t1")
    now[0] = 41.0
    assert tokens() == "t2"
    with pytest.raises(TokenError, match="401") as caught:
        ClientCredentials(url, "yeji", "planted")()
    assert "planted" not in str(caught.value)
    server.shutdown()
    server.server_close()
