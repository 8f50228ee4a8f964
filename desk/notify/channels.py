"""Build the channels that the settings name."""

from __future__ import annotations

from desk.notify.base import Channel
from desk.settings.alarms import NotifySettings


def build_channels(settings: NotifySettings) -> dict[str, Channel]:
    """Every channel, by name. Raises `SettingsError` for an address that cannot be used."""
    return {name: _build(name, settings) for name in settings.channels}


def _build(name: str, settings: NotifySettings) -> Channel:
    channel = settings.channels[name]
    # Imported where needed: Apprise takes a second, and few desks use every kind.
    if channel.kind == "email":
        from desk.notify.smtp import EmailChannel

        return EmailChannel(name, channel)
    if channel.kind == "webhook":
        from desk.notify.webhooks import WebhookChannel

        return WebhookChannel(name, channel)
    if channel.kind == "alertmanager":
        from desk.notify.webhooks import AlertmanagerChannel

        return AlertmanagerChannel(name, channel)
    from desk.notify.apprise_channel import AppriseChannel

    return AppriseChannel(name, channel)
