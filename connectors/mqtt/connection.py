"""A connection to an MQTT broker that keeps itself up: login, TLS, subscriptions, late acknowledgement."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from connectors.mqtt.settings import MqttConnectionSettings
from pipeline.settings import SettingsError

#: The connection that a message came over and its number there: what `MqttConnection.acknowledge` takes.
Token = tuple[int, int]
#: This many messages may be unacknowledged at once (MQTT 5).
_UNACKNOWLEDGED = 65_535


class MqttConnection:
    """Connects to ``settings``' broker and subscribes to ``topics`` at ``qos``, again after each loss.

    ``on_message`` is called in the connection's own thread with the message and its token (None at QoS 0);
    ``on_state`` with whether it is connected, and what is wrong. ``will`` is the topic and payload of our
    death, ``birth`` what is published retained at QoS 1 once connected. Without ``keeps`` each
    connection begins again, and the broker keeps nothing for us meanwhile. Raises `SettingsError`.
    """

    def __init__(
        self,
        name: str,
        settings: MqttConnectionSettings,
        topics: Sequence[str],
        qos: int,
        on_message: Callable[[paho.MQTTMessage, Token | None], None],
        on_state: Callable[[bool, str], None],
        *,
        will: Callable[[], tuple[str, bytes]] | None = None,
        birth: Callable[[], tuple[str, bytes]] | None = None,
        keeps: bool = True,
    ) -> None:
        self._settings, self._topics, self._qos = settings, topics, qos
        self._on_message, self._on_state, self._will, self._birth = on_message, on_state, will, birth
        self._five = settings.version == "5"
        self._generation = 0
        self._refused = False
        self._keeps = keeps and qos > 0 and settings.keep > 0
        self.port = settings.port or (8883 if settings.tls else 1883)
        options: dict[str, Any] = {} if self._five else {"clean_session": not self._keeps}
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id or f"yeji-{name}",
            protocol=MQTTProtocolVersion.MQTTv5 if self._five else MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
            **options,
        )
        if settings.username is not None:
            password = None if settings.password is None else settings.password.get_secret_value()
            self._client.username_pw_set(settings.username, password)
        if settings.tls:
            self._client.tls_set_context(tls_context(settings))
        self._client.reconnect_delay_set(1, 30)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_connect_fail = self._failed
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._arrived

    @property
    def address(self) -> str:
        """Where the broker is."""
        return f"{self._settings.host}:{self.port}"

    @property
    def generation(self) -> int:
        """Counts the connections; tokens of an earlier one acknowledge nothing."""
        return self._generation

    def start(self) -> None:
        """Connect in a thread of its own, and try again for ever."""
        options: dict[str, Any] = {}
        if self._five:
            properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = _UNACKNOWLEDGED
            if self._keeps:
                properties.SessionExpiryInterval = min(round(self._settings.keep), 0xFFFFFFFF)
            options = {"clean_start": not self._keeps, "properties": properties}
        self._set_will()
        self._client.connect_async(
            self._settings.host, self.port, keepalive=self._settings.keepalive, **options
        )
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect; the broker goes on keeping what was not acknowledged."""
        self._client.disconnect()
        self._client.loop_stop()

    def acknowledge(self, tokens: Sequence[object]) -> None:
        """Tell the broker that these messages are safe; those of an earlier connection come again."""
        for token in tokens:
            if isinstance(token, tuple) and token[0] == self._generation:
                self._client.ack(token[1], 1)

    def publish(self, topic: str, payload: bytes, qos: int = 0, *, retain: bool = False) -> None:
        """Publish; from any thread."""
        self._client.publish(topic, payload, qos, retain)

    def _set_will(self) -> None:
        if self._will is not None:
            topic, payload = self._will()
            self._client.will_set(topic, payload, 1, retain=True)

    # -- called by the client

    def _connected(self, client: Any, data: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            self._refused = True
            self._on_state(
                False,
                f"{self.address} refuses the connection ({code}). Correct broker.username and password.",
            )
            return
        self._generation += 1
        if self._five:
            # Kept messages only for a subscription that is new: not again after each loss of the connection.
            options = SubscribeOptions(qos=self._qos, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
            client.subscribe([(topic, options) for topic in self._topics])
        else:
            client.subscribe([(topic, self._qos) for topic in self._topics])
        if self._birth is not None:
            topic, payload = self._birth()
            client.publish(topic, payload, 1, retain=True)

    def _subscribed(self, client: Any, data: Any, number: int, codes: list[Any], properties: Any) -> None:
        refused = [topic for topic, code in zip(self._topics, codes, strict=False) if code.is_failure]
        if refused:
            self._on_state(
                False, f"{self.address} refuses to subscribe us to {', '.join(refused)}: grant the right"
            )
        else:
            self._on_state(True, "")

    def _disconnected(self, client: Any, data: Any, flags: Any, code: Any, properties: Any) -> None:
        self._set_will()
        if self._refused:  # why has been told
            self._refused = False
            return
        self._on_state(False, f"the connection to {self.address} was lost ({code})")

    def _failed(self, client: Any, data: Any) -> None:
        self._on_state(
            False, f"{self.address} cannot be reached. Start the broker, or correct broker.host and port."
        )

    def _arrived(self, client: Any, data: Any, message: paho.MQTTMessage) -> None:
        self._on_message(message, (self._generation, message.mid) if message.qos else None)


def tls_context(settings: MqttConnectionSettings) -> ssl.SSLContext:
    """The TLS context of these settings. Raises `SettingsError` for a file that is not there or none."""
    for key, path in (
        ("ca_file", settings.ca_file),
        ("cert_file", settings.cert_file),
        ("key_file", settings.key_file),
    ):
        if path is not None and not Path(path).is_file():
            raise SettingsError(f"broker.{key} names {path}, which is no file. Correct the path.")
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file is not None:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except (ssl.SSLError, OSError) as error:
        raise SettingsError(f"broker.ca_file, cert_file or key_file cannot be used: {error}") from error
    return context
