"""Settings of the alarm desk and of telling people: sections [desk] and [notify] of `yeji.toml`."""

from __future__ import annotations

import re
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from desk.rules.shifts import parse_hours
from desk.settings.access import AccessSettings
from desk.settings.channel_kinds import channel_kinds
from desk.texts.catalogue import Language
from pipeline.settings import Section


class DeskSettings(Section):
    """The alarm desk (ISA-18.2)."""

    host: str = Field("127.0.0.1", description="address that the desk's web application listens on")
    port: int = Field(8011, ge=0, le=65535, description="port to listen on; 0 = any free one")
    url: str = Field("http://127.0.0.1:8011", description="the desk as people reach it: links in messages")
    grafana: str = Field(
        "", description="Grafana as people reach it, for links to the same machine and time; none = no link"
    )
    language: Language = Field(
        "en", description="language of who chose none and whose browser asks for none that there is"
    )
    timezone: str = Field("Asia/Seoul", description="of shifts, quiet hours and the times in messages")
    chatter: int = Field(3, ge=2, description="raises in a minute that make an alarm chattering")
    quiet: float = Field(10.0, gt=0, description="minutes without a raise that end chattering")
    flood: int = Field(10, ge=1, description="more alarms than this in ten minutes are a flood")
    stale: float = Field(24.0, gt=0, description="hours after which a standing alarm is listed as stale")
    group: float = Field(10.0, ge=0, description="minutes within which alarms of one line belong together")
    shelf: float = Field(12.0, gt=0, description="longest time on the shelf, hours")
    budget: float = Field(150.0, gt=0, description="alarms a day that a crew can handle (ISA-18.2)")
    repeat: int = Field(
        3, ge=2, description="raises in a week, none of them judged, that raise an alarm's priority"
    )
    parents: dict[str, str] = Field(
        default_factory=dict,
        description="pattern of machines = the machine they need; while it is down, they are suppressed",
    )
    push_hosts: list[str] = Field(
        default_factory=lambda: [
            "fcm.googleapis.com",
            "updates.push.services.mozilla.com",
            "*.push.apple.com",
            "*.notify.windows.com",
        ],
        description="push services of browsers that messages to phones may go to; none = no phone is told",
    )
    access: AccessSettings = Field(default_factory=AccessSettings, description="who may, and for how long")

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(
                f"{name!r} is no time zone; write one like Asia/Seoul or Europe/Berlin"
            ) from None
        return name

    @model_validator(mode="after")
    def _reached(self) -> DeskSettings:
        """Links lead to the port that is set, where nothing else is said of how people reach the desk."""
        if "url" not in self.model_fields_set and self.port:
            self.url = f"http://127.0.0.1:{self.port}"
        return self

    @field_validator("url", "grafana")
    @classmethod
    def _url(cls, url: str, info: ValidationInfo) -> str:
        if not url and info.field_name == "grafana":
            return url
        if not url.startswith(("http://", "https://")):
            raise ValueError("write the whole address, beginning with http:// or https://")
        return url.rstrip("/")


class ChannelSettings(Section):
    """One way to reach people or a system."""

    kind: str = Field(
        description="what it is: email, webhook, alertmanager, apprise, or an installed package's kind"
    )
    url: SecretStr = Field(
        description="email: smtp://user:password@host:port or smtps://…; webhook, alertmanager: http(s)://…; "
        "apprise: any address that Apprise knows, as slack://…, tgram://…, msteams://…"
    )
    to: list[str] = Field(default_factory=list, description="email: addresses")
    sender: str = Field("yeji@localhost", description="email: from whom")
    secret: SecretStr | None = Field(
        None, description="webhook: key that signs (HMAC-SHA256), 16 or more long"
    )
    starttls: bool = Field(True, description="email: encrypt when the server offers it")
    timeout: float = Field(10.0, gt=0, le=120, description="seconds")
    options: dict[str, str] = Field(
        default_factory=dict, description="what the kind of an installed package needs besides"
    )

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        kinds = channel_kinds()
        if kind not in kinds:
            raise ValueError(f"there is no kind of channel {kind!r}; write one of {', '.join(sorted(kinds))}")
        return kind

    @model_validator(mode="after")
    def _fits(self) -> ChannelSettings:
        url = self.url.get_secret_value()
        schemes = {
            "email": ("smtp://", "smtps://"),
            "webhook": ("http://", "https://"),
            "alertmanager": ("http://", "https://"),
        }.get(self.kind)
        if schemes and not url.startswith(schemes):
            raise ValueError(f"the url of a channel of kind {self.kind} begins with {' or '.join(schemes)}")
        if self.kind == "email" and not self.to:
            raise ValueError("an email channel needs `to`, a list of addresses")
        if self.kind == "webhook" and (self.secret is None or len(self.secret.get_secret_value()) < 16):
            raise ValueError("a webhook needs `secret`, 16 characters or more, that its receiver knows too")
        return self


class CrewSettings(Section):
    """People who are told together."""

    channels: list[str] = Field(min_length=1, description="names of channels, all of which are used")
    language: Language = Field("ko", description="language of their messages")
    shifts: list[str] = Field(
        default_factory=list, description='when they are at work, as "mon-fri 06:00-14:00"; none = always'
    )
    quiet: list[str] = Field(
        default_factory=list, description="hours in which only urgent alarms are sent; the rest waits"
    )
    on_call: bool = Field(
        False,
        description="told is who is on call for the machine by the desk's calendar: e-mail goes to their own "
        "addresses, or to all of the channel's when nobody is on call or has one",
    )
    budget: int = Field(30, ge=1, description="messages an hour; what is more goes into one summary")

    @field_validator("shifts", "quiet")
    @classmethod
    def _hours(cls, hours: list[str]) -> list[str]:
        for hour in hours:
            parse_hours(hour)
        return hours


class StepSettings(Section):
    """Who is told when nobody has acknowledged for a while."""

    after: float = Field(gt=0, description="minutes after the alarm")
    crews: list[str] = Field(min_length=1, description="names of the crews that are told then")


class RouteSettings(Section):
    """Which alarms go to whom. All routes that match are used."""

    areas: list[str] = Field(
        default_factory=list, description="places as gwangju/ggm/body; none = everywhere"
    )
    classes: list[str] = Field(default_factory=list, description="machine classes; none = all")
    priority: Literal["low", "medium", "high", "urgent"] = Field("low", description="and above")
    kinds: list[Literal["condition", "quality", "limit", "moved"]] = Field(
        default_factory=list, description="none = all"
    )
    crews: list[str] = Field(
        min_length=1, description="who is told at once: those on shift, or all if none is"
    )
    escalate: list[StepSettings] = Field(default_factory=list)
    remind: float = Field(0.0, ge=0, description="minutes between reminders until acknowledged; 0 = none")


class OrderRouteSettings(Section):
    """Which work orders are told by what: each change, to systems and to planners' mailboxes."""

    areas: list[str] = Field(
        default_factory=list, description="places as gwangju/ggm/body; none = everywhere"
    )
    channels: list[str] = Field(
        min_length=1, description="names of channels; a webhook takes the order as JSON, others as text"
    )
    language: Language = Field("ko", description="language of the text")


class NotifySettings(Section):
    """Telling people: channels, crews and routes."""

    channels: dict[str, ChannelSettings] = Field(default_factory=dict)
    crews: dict[str, CrewSettings] = Field(default_factory=dict)
    routes: list[RouteSettings] = Field(default_factory=list)
    work_orders: list[OrderRouteSettings] = Field(
        default_factory=list, description="where each change of a work order goes, as to a CMMS"
    )
    give_up: float = Field(24.0, gt=0, description="hours after which a message is given up as unsent")
    first_wait: float = Field(
        5.0, gt=0, description="seconds before the second try; doubles up to `longest_wait`"
    )
    longest_wait: float = Field(300.0, gt=0, description="seconds between two tries at most")
    dead: int = Field(5, ge=1, description="failures in a row after which a channel raises its own alarm")

    @field_validator("channels")
    @classmethod
    def _names(cls, channels: dict[str, ChannelSettings]) -> dict[str, ChannelSettings]:
        for name in channels:  # it becomes a level of the name of the channel's own alarm
            if not re.fullmatch(r"\w[\w-]{0,40}", name):
                raise ValueError(f"channel {name!r}: name it with letters, digits, _ and -, 41 at most")
        return channels

    @model_validator(mode="after")
    def _known(self) -> NotifySettings:
        for name, crew in self.crews.items():
            for channel in crew.channels:
                _must_be(channel, self.channels, f"crews.{name}.channels", "channel")
        for number, route in enumerate(self.routes):
            wanted = [*route.crews, *(crew for step in route.escalate for crew in step.crews)]
            for crew_name in wanted:
                _must_be(crew_name, self.crews, f"routes[{number}]", "crew")
        for number, order_route in enumerate(self.work_orders):
            for channel in order_route.channels:
                where = f"work_orders[{number}].channels"
                _must_be(channel, self.channels, where, "channel")
                if self.channels[channel].kind == "alertmanager":
                    raise ValueError(f"{where}: {channel!r} is an Alertmanager, which takes alarms only")
        return self


def _must_be(
    name: str,
    known: dict[str, object] | dict[str, CrewSettings] | dict[str, ChannelSettings],
    where: str,
    what: str,
) -> None:
    if name not in known:
        raise ValueError(
            f"{where} names {what} {name!r}, which is none of {', '.join(sorted(known)) or 'none'}"
        )
