"""The kinds of sinks that settings may name: our own, and those of installed packages (`yeji.sinks`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from connectors.base.contract import Sink
from connectors.base.kinds import kinds_of, settings_by_kind
from connectors.base.sink_settings import SinkSettings
from connectors.influx.settings import InfluxSinkSettings
from connectors.sqlite.settings import SqliteSinkSettings
from pipeline.settings import SettingsError

#: Entry points of this group each name a `SinkKind` of another package.
GROUP = "yeji.sinks"


@dataclass(frozen=True, slots=True)
class SinkKind:
    """A kind of sink. ``path`` is ``module:callable``, imported only where one is opened.

    The callable is given the sink's settings, and returns a `Sink`. ``section``: where these settings stand
    when there is no ``[sinks.NAME]`` for them; only our own kinds have one.
    """

    kind: str
    settings: type[SinkSettings]
    path: str
    section: str | None = None

    def open(self, name: str, settings: Any) -> Sink:
        """A sink of this kind, not set up yet. Raises `SettingsError` when the settings cannot be used."""
        module, _, attribute = self.path.partition(":")
        try:
            made = getattr(import_module(module), attribute)(settings)
        except SettingsError as error:
            raise SettingsError(f"[sinks.{name}]: {error}") from error
        if not isinstance(made, Sink):
            raise SettingsError(f"{self.path} of kind {self.kind!r} makes no Sink: mend that package.")
        return made


class HasSinks(Protocol):
    """Settings with sinks by name."""

    @property
    def sinks(self) -> Mapping[str, SinkSettings]:
        """The sinks."""


OWN: tuple[SinkKind, ...] = (
    SinkKind("influx", InfluxSinkSettings, "connectors.influx.sink:InfluxSink", section="influx"),
    SinkKind("sqlite", SqliteSinkSettings, "connectors.sqlite.store:open_sink"),
)


@cache
def sink_kinds() -> Mapping[str, SinkKind]:
    """Every kind by its name. Raises `SettingsError` when two packages bring the same one."""
    return kinds_of(GROUP, SinkKind, OWN)


def sink_settings_of_kind(value: Any) -> SinkSettings:
    """The settings of a sink as its ``kind`` has them. Raises ValueError when the kind is not known."""
    return settings_by_kind(value, SinkSettings, {name: kind.settings for name, kind in sink_kinds().items()})


def open_sink(name: str, settings: HasSinks) -> Sink:
    """The sink ``[sinks.NAME]``, or the one whose own section is ``[NAME]``. Raises `SettingsError`."""
    kinds = sink_kinds()
    if name in settings.sinks:
        own = settings.sinks[name]
        return kinds[own.kind].open(name, own)
    section = kinds[name].section if name in kinds else None
    if section is None:
        known = sorted({*settings.sinks, *(kind.kind for kind in OWN if kind.section)})
        raise SettingsError(
            f"There is no sink {name!r}: write a section [sinks.{name}] with its kind, or one of "
            f"{', '.join(known)}. See docs/extend.md."
        )
    return kinds[name].open(name, getattr(settings, section))


def open_sinks(names: Sequence[str], settings: HasSinks) -> dict[str, Sink]:
    """The sinks of these names, set up. Raises `SettingsError` or `SinkUnavailableError`; none stays open."""
    opened: dict[str, Sink] = {}
    try:
        for name in names:
            if name in opened:
                raise SettingsError(f"The sink {name!r} is named twice.")
            opened[name] = open_sink(name, settings)
            opened[name].setup()
    except BaseException:
        for sink in opened.values():
            with suppress(Exception):
                sink.close()
        raise
    return opened
