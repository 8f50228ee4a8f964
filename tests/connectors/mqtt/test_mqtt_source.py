"""MQTT against a real mosquitto: mapping, acknowledgement, kept and repeated messages, logins, TLS."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from paho.mqtt.publish import single

from connectors.mqtt.settings import MqttSettings
from connectors.mqtt.source import MqttSource
from pipeline.records import Reason
from pipeline.settings import SettingsError
from tests.conftest import MqttBroker
from tests.connectors.collecting import collecting, until
from tests.connectors.mqtt.brokers import broker, publish, publisher

pytestmark = pytest.mark.services

TIME = 1_790_000_000_000


def source(port: int, name: str, **settings: object) -> MqttSource:
    connection = {"host": "127.0.0.1", "port": port, **settings.pop("broker", {})}  # type: ignore[dict-item]
    return MqttSource(name, MqttSettings.model_validate({"kind": "mqtt", "broker": connection, **settings}))


def payload(time: int, **values: float) -> str:
    return json.dumps({"machine": "acme/gj/body/line-1/press-1", "time": time, "sensors": values})


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_payloads_are_mapped_and_gathered_into_frames(
    mosquitto: MqttBroker, version: str, unique: object
) -> None:
    name = unique("mapped")  # type: ignore[operator]
    mapping = {"levels": "acme/gj/body/line-1", "topic": f"{name}/{{machine}}/{{sensor}}"}
    with collecting(
        source(mosquitto.port, name, topics=[f"{name}/#"], mapping=mapping, broker={"version": version})
    ) as got:
        until(lambda: got.source.status.connected)  # type: ignore[attr-defined]
        with publisher(mosquitto.port) as client:
            for i in range(100):
                client.publish(
                    f"{name}/press-{i % 2}/temp", json.dumps({"value": 20.0 + i, "time": TIME + i}), 1
                )
            client.publish(f"{name}/press-0/temp", "{not json", 1).wait_for_publish(10)
        got.until(lambda c: len(c.values("temp")) == 100 and c.rejections)
        whole = got.by_machine()
        assert {machine: len(frame) for machine, frame in whole.items()} == {
            "acme/gj/body/line-1/press-0": 50,
            "acme/gj/body/line-1/press-1": 50,
        }
        assert whole["acme/gj/body/line-1/press-1"].time.tolist() == [TIME + i for i in range(1, 100, 2)]
        (bad,) = got.rejections
        assert (bad.reason, bad.topic, bad.original) == (
            Reason.NOT_JSON,
            f"{name}/press-0/temp",
            b"{not json",
        )
        assert len(got.frames) < 50, "they come gathered, not one a message"


def test_a_message_is_acknowledged_only_when_its_readings_are_durable(
    mosquitto: MqttBroker, unique: object
) -> None:
    """The one who dies before that gets it again, and one who goes on does not bring it twice."""
    name = unique("ack")  # type: ignore[operator]
    first = source(mosquitto.port, name, topics=[name])
    with collecting(first, acknowledges=False) as got:
        until(lambda: first.status.connected)
        publish(mosquitto.port, name, payload(TIME, t=1.0))
        publish(mosquitto.port, name, payload(TIME + 1, t=2.0))
        got.until(lambda c: c.values("t") == [1.0, 2.0])
    with collecting(source(mosquitto.port, name, topics=[name])) as got:
        got.until(lambda c: c.values("t") == [1.0, 2.0])
        publish(mosquitto.port, name, payload(TIME + 2, t=3.0))
        got.until(lambda c: c.values("t") == [1.0, 2.0, 3.0])
    with collecting(source(mosquitto.port, name, topics=[name])) as got:
        publish(mosquitto.port, name, payload(TIME + 3, t=4.0))
        got.until(lambda c: c.values("t"))
        assert got.values("t") == [4.0], "what was acknowledged does not come again"


def test_what_is_delivered_again_after_a_loss_of_the_broker_is_not_brought_twice(tmp_path: Path) -> None:
    with broker(tmp_path) as b:
        one = source(b.port, "hall", topics=["t"])
        with collecting(one, acknowledges=False) as got:
            until(lambda: one.status.connected)
            publish(b.port, "t", payload(TIME, t=1.0))
            publish(b.port, "t", "42")  # no time of its own
            got.until(lambda c: c.values("t") == [1.0] and len(c.items) >= 2)
            before = len(got.items)
            b.stop()
            until(lambda: not one.status.connected)
            b.start()
            until(lambda: one.status.connected)
            until(lambda: one.status.repeated == 2)
            got.acknowledge_all()
            publish(b.port, "t", payload(TIME + 1, t=2.0))
            got.until(lambda c: c.values("t") == [1.0, 2.0])
            assert len(got.items) == before + 1
            got.acknowledge_all()
        with collecting(source(b.port, "hall", topics=["t"])) as got:
            publish(b.port, "t", payload(TIME + 2, t=3.0))
            got.until(lambda c: c.values("t"))
            assert got.values("t") == [3.0], "everything before was acknowledged, the repeated ones too"


def test_the_broker_keeps_what_comes_while_we_are_away(mosquitto: MqttBroker, unique: object) -> None:
    name = unique("away")  # type: ignore[operator]
    one = source(mosquitto.port, name, topics=[name])
    with collecting(one):
        until(lambda: one.status.connected)
    publish(mosquitto.port, name, payload(TIME, t=1.0))
    with collecting(source(mosquitto.port, name, topics=[name])) as got:
        got.until(lambda c: c.values("t") == [1.0])


@pytest.mark.parametrize(("retained", "taken"), [("timed", [1.0]), ("ignore", []), ("take", [1.0, 7.0])])
def test_kept_messages_are_taken_as_the_settings_say(
    mosquitto: MqttBroker, unique: object, retained: str, taken: list[float]
) -> None:
    name = unique("kept")  # type: ignore[operator]
    publish(mosquitto.port, f"{name}/timed", payload(TIME, t=1.0), retain=True)
    publish(mosquitto.port, f"{name}/bare", json.dumps({"machine": "m", "x": 7.0}), retain=True)
    one = source(mosquitto.port, name, topics=[f"{name}/#"], retained=retained)
    with collecting(one) as got:
        until(lambda: one.status.connected)
        until(lambda: one.status.arrivals == 2)
        publish(mosquitto.port, f"{name}/live", payload(TIME + 5, t=9.0))
        got.until(lambda c: 9.0 in c.values("t"))
        assert sorted(got.values("t") + got.values("x")) == [*taken, 9.0]
        assert one.status.repeated == 2 - len(taken)


def test_the_same_value_and_time_again_is_not_brought_again(mosquitto: MqttBroker, unique: object) -> None:
    name = unique("repeats")  # type: ignore[operator]
    one = source(mosquitto.port, name, topics=[name])
    with collecting(one) as got:
        until(lambda: one.status.connected)
        for _ in range(5):
            publish(mosquitto.port, name, payload(TIME, t=1.0))
        publish(mosquitto.port, name, payload(TIME + 1000, t=1.0))
        got.until(lambda c: sum(len(frame) for frame in c.frames) >= 2)
        assert got.values("t") == [1.0, 1.0]
        assert one.status.repeated == 4


def test_bare_numbers_are_read_as_the_mapping_does(mosquitto: MqttBroker, unique: object) -> None:
    """A topic's later numbers go a shorter way, which comes to the same; whatever else comes is read."""
    name = unique("bare")  # type: ignore[operator]
    mapping = {
        "topic": f"{name}/{{machine}}/{{sensor}}",
        "levels": "acme/gj/body/line-1",
        "names": {"t": "temp"},
    }
    one = source(mosquitto.port, name, topics=[f"{name}/#"], mapping=mapping)
    with collecting(one) as got:
        until(lambda: one.status.connected)
        for number in (b"1.5", b"2", b" 3.5 ", b'{"value": 4.5}', b"nan", b"5e0", b"off", b"6"):
            publish(mosquitto.port, f"{name}/press-1/t", number)
        got.until(lambda c: 6.0 in c.values("temp"))
        assert got.values("temp") == [1.5, 2.0, 3.5, 4.5, 5.0, 6.0]
        assert {frame.machine for frame in got.frames} == {"acme/gj/body/line-1/press-1"}
        assert [one.original for one in got.rejections if one.original != b"nan"] == [b"off"]


def certificates(folder: Path) -> None:
    """A CA, and a certificate each for the broker and for us."""
    folder.mkdir()

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = "-newkey rsa:2048 -nodes -keyout"
    openssl(*f"req -x509 {key} ca.key -out ca.pem -days 2 -subj /CN=plant-ca".split())
    for name, alt in (("broker", "IP:127.0.0.1"), ("yeji", "DNS:yeji")):
        openssl(*f"req {key} {name}.key -out {name}.csr -subj /CN={name}".split())
        (folder / "alt").write_text(f"subjectAltName={alt}\n")
        signed = f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile alt"
        openssl(*signed.split(), "-out", f"{name}.pem")


def test_tls_with_a_certificate_of_our_own(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    certificates(keys)
    configuration = (
        f"cafile {keys}/ca.pem\ncertfile {keys}/broker.pem\nkeyfile {keys}/broker.key\n"
        "require_certificate true\nuse_identity_as_username true\nallow_anonymous false\n"
    )
    with broker(tmp_path / "broker", configuration) as b:
        login = {"tls": True, "ca_file": f"{keys}/ca.pem"}
        ours = {"cert_file": f"{keys}/yeji.pem", "key_file": f"{keys}/yeji.key"}
        one = source(b.port, "tls", topics=["t"], broker=login | ours)
        with collecting(one) as got:
            until(lambda: one.status.connected)
            single(
                "t",
                payload(TIME, t=5.0),
                1,
                hostname="127.0.0.1",
                port=b.port,
                tls={
                    "ca_certs": f"{keys}/ca.pem",
                    "certfile": f"{keys}/yeji.pem",
                    "keyfile": f"{keys}/yeji.key",
                },
            )
            got.until(lambda c: c.values("t") == [5.0])
        stranger = source(b.port, "stranger", topics=["t"], broker=login)
        with collecting(stranger):
            until(lambda: "lost" in stranger.status.detail or "reached" in stranger.status.detail)
            assert not stranger.status.connected


def test_a_wrong_password_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text("")
    subprocess.run(["mosquitto_passwd", "-b", str(tmp_path / "passwords"), "yeji", "right"], check=True)
    with broker(tmp_path / "b", f"allow_anonymous false\npassword_file {tmp_path}/passwords\n") as b:
        wrong = source(b.port, "wrong", broker={"username": "yeji", "password": "wrong"})
        with collecting(wrong):
            until(lambda: "broker.username" in wrong.status.detail)
        right = source(b.port, "right", broker={"username": "yeji", "password": "right"})
        with collecting(right):
            until(lambda: right.status.connected)


def test_a_broker_that_is_away_says_what_to_do_and_is_found_when_it_comes(tmp_path: Path) -> None:
    with broker(tmp_path) as b:
        b.stop()
        one = source(b.port, "early", topics=["t"])
        with collecting(one) as got:
            until(lambda: "Start the broker" in one.status.detail)
            b.start()
            until(lambda: one.status.connected)
            publish(b.port, "t", payload(TIME, t=1.0))
            got.until(lambda c: c.values("t") == [1.0])


def test_settings_that_cannot_be_used_say_so() -> None:
    with pytest.raises(SettingsError, match=r"broker\.ca_file names /nowhere, which is no file"):
        source(1, "x", broker={"tls": True, "ca_file": "/nowhere"})
    with pytest.raises(ValueError, match=r"'a/#/b' is no pattern"):
        source(1, "x", topics=["a/#/b"])
