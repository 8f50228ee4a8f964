"""Slack, Teams, Telegram, SMS and a hundred others, through Apprise."""

from __future__ import annotations

import apprise

from desk.notify.base import Channel, NotSentError, Sent
from desk.rules.notification import Notification
from desk.settings.alarms import ChannelSettings
from pipeline.settings import SettingsError

_TYPES = {"urgent": "failure", "high": "failure", "medium": "warning", "low": "info"}


class AppriseChannel(Channel):
    """One Apprise address. Apprise says only "sent" or "not sent"; name one target an address.

    With several targets in one address, one that fails makes all of them be told again.
    """

    repeatable = False
    wants_end = False

    def __init__(self, name: str, settings: ChannelSettings) -> None:
        super().__init__(name)
        self._apprise = apprise.Apprise()
        if not self._apprise.add(settings.url.get_secret_value()):
            raise SettingsError(
                f"notify.channels.{name}.url is no address that Apprise knows; see "
                "https://github.com/caronc/apprise/wiki for the form of each service's address."
            )

    def send(self, notification: Notification, now: int) -> Sent:
        """Hand it to Apprise."""
        kind = _TYPES.get(notification.priority, "info")
        body = notification.text
        if not self._apprise.notify(
            title=notification.subject, body=body, notify_type=kind, body_format="text"
        ):
            raise NotSentError("apprise.failed")
        return Sent()
