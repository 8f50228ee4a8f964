"""Notifications to systems: a signed webhook in Alertmanager's format, and Alertmanager itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from desk.notify.base import Channel, NotSentError, RefusedNotificationError, Sent
from desk.notify.signing import sign
from desk.rules.notification import Alert, Notification
from desk.rules.routing import Kind
from desk.settings.alarms import ChannelSettings
from pipeline.machine import LEVELS

#: Answers that say "this notification, never": its form or size. All others somebody may mend.
_NEVER = (400, 413, 415, 422)
_encode = msgspec.json.Encoder().encode


class HttpChannel(Channel):
    """Posts JSON. The receiver knows a notification by its id, so that a second try does no harm."""

    repeatable = True
    wants_end = True

    def __init__(self, name: str, settings: ChannelSettings) -> None:
        super().__init__(name)
        self.url = settings.url.get_secret_value()
        self._client = httpx.Client(timeout=settings.timeout, follow_redirects=False)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _post(self, url: str, body: bytes, headers: dict[str, str]) -> Sent:
        headers = {"content-type": "application/json", "user-agent": "yeji"} | headers
        try:
            answer = self._client.post(url, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise NotSentError(
                "http.silent", server=_where(url), error=str(error) or type(error).__name__
            ) from error
        if answer.is_success:
            return Sent()
        reply = f"{answer.status_code} {answer.text[:200]}".strip()
        if answer.status_code in _NEVER:
            raise RefusedNotificationError("http.answer", server=_where(url), reply=reply)
        raise NotSentError("http.answer", server=_where(url), reply=reply)


class WebhookChannel(HttpChannel):
    """A signed webhook (`desk.notify.signing`); its body is what Alertmanager sends to a webhook."""

    def __init__(self, name: str, settings: ChannelSettings) -> None:
        super().__init__(name, settings)
        self._secret = settings.secret.get_secret_value() if settings.secret else ""

    def send(self, notification: Notification, now: int) -> Sent:
        """Post it, signed for this moment."""
        body = _encode(order_body(notification) if notification.change else webhook_body(notification))
        stamp = now // 1000
        signed = {
            "webhook-id": notification.id,
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign(self._secret, notification.id, stamp, body),
        }
        return self._post(self.url, body, signed)


class AlertmanagerChannel(HttpChannel):
    """Prometheus Alertmanager's own API (v2): it knows an alert by its labels."""

    def send(self, notification: Notification, now: int) -> Sent:
        """Post the notification's alarms; those that last hold for a week unless they end before."""
        alerts = [alertmanager_alert(alert, until=now + 7 * 86_400_000) for alert in notification.alerts]
        return self._post(f"{self.url.rstrip('/')}/api/v2/alerts", _encode(alerts), {})


def webhook_body(notification: Notification) -> dict[str, Any]:
    """Alertmanager's webhook payload, version 4, with the notification's own text beside it."""
    ended = notification.kind is Kind.ENDED
    alerts = [
        {
            "status": "resolved" if ended else "firing",
            **alertmanager_alert(alert, until=None),
            "fingerprint": alert.point.replace("-", "")[:16],
        }
        for alert in notification.alerts
    ]
    common = {"crew": notification.crew, "priority": notification.priority}
    return {
        "version": "4",
        "groupKey": notification.id,
        "truncatedAlerts": notification.more,
        "status": "resolved" if ended else "firing",
        "receiver": notification.channel,
        "groupLabels": common,
        "commonLabels": common,
        "commonAnnotations": {"summary": notification.subject},
        "externalURL": notification.link,
        "alerts": alerts,
        "yeji": {
            "id": notification.id,
            "kind": notification.kind,
            "crew": notification.crew,
            "language": notification.language,
            "subject": notification.subject,
            "text": notification.text,
            "on_call": notification.on_call,
        },
    }


def order_body(notification: Notification) -> dict[str, Any]:
    """A change of a work order, in the form that Standard Webhooks asks for: type, timestamp, data."""
    change = notification.change
    assert change is not None  # noqa: S101 - the caller looked
    order = change.order
    data = {
        "id": order.id,
        "number": order.number,
        "machine": order.machine,
        "title": order.title,
        "state": order.state,
        "priority": order.priority.name.lower(),
        "alarm": order.alarm or None,
        "assignee": order.assignee,
        "due": _moment(order.due),
        "instructions": order.instructions,
        "requested_by": order.requested_by,
        "requested_at": _rfc3339(order.requested_at),
        "started_at": _moment(order.started_at),
        "done_by": order.done_by or None,
        "done_at": _moment(order.done_at),
        "report": order.report,
        "verdict": order.verdict or None,
        "parts": [{"name": part.name, "quantity": part.quantity} for part in order.parts],
        "downtime_minutes": order.downtime,
        "signed_by": order.signed_by or None,
        "signed_at": _moment(order.signed_at),
        "external": order.external,
        "url": order.url,
        "link": notification.link,
    }
    return {
        "type": f"work-order.{change.act}",
        "timestamp": _rfc3339(change.at),
        "data": data | {"seq": change.seq, "by": change.by, "why": change.why},
    }


def alertmanager_alert(alert: Alert, until: int | None) -> dict[str, Any]:
    """One alarm in Alertmanager's words; ``until`` is when it ends by itself, None = not said."""
    levels = dict(zip(LEVELS, alert.machine.split("/"), strict=True)) if alert.machine.count("/") == 4 else {}
    ends = alert.ends if alert.ends is not None else until
    labels = {
        "alertname": f"Yeji{alert.kind.title()}",
        **levels,
        "machine": alert.machine,
        "class": alert.machine_class,
        "kind": alert.kind,
        "sensor": alert.sensor,
        "severity": alert.priority,
        "point": alert.point,
    }
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {"summary": alert.summary, "description": alert.description, "alarm": alert.id},
        "startsAt": _rfc3339(alert.starts),
        "endsAt": "0001-01-01T00:00:00Z" if ends is None else _rfc3339(ends),
        "generatorURL": alert.link,
    }


def _moment(time: int | None) -> str | None:
    return None if time is None else _rfc3339(time)


def _rfc3339(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _where(url: str) -> str:
    """The address without what may be a secret: its path and query, and a password."""
    parts = httpx.URL(url)
    return f"{parts.scheme}://{parts.host}" + (f":{parts.port}" if parts.port else "")
