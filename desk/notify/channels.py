"""Build the channels that the settings name."""

from __future__ import annotations

from importlib import import_module

from desk.notify.base import Channel
from desk.settings.alarms import NotifySettings
from desk.settings.channel_kinds import channel_kinds
from pipeline.settings import SettingsError


def build_channels(settings: NotifySettings) -> dict[str, Channel]:
    """Every channel, by name. Raises `SettingsError` for an address that cannot be used."""
    return {name: _build(name, settings) for name in settings.channels}


def _build(name: str, settings: NotifySettings) -> Channel:
    channel = settings.channels[name]
    # Imported where needed: Apprise takes a second, and few desks use every kind.
    path = channel_kinds()[channel.kind]
    module, _, attribute = path.partition(":")
    made = getattr(import_module(module), attribute)(name, channel)
    if not isinstance(made, Channel):
        raise SettingsError(f"{path} of kind {channel.kind!r} makes no Channel: mend that package.")
    return made
