"""The settings of everything up to the desk and its pages."""

from __future__ import annotations

from pydantic import Field

from connectors.base.settings import ConnectorsSettings
from desk.settings.alarms import DeskSettings, NotifySettings
from desk.texts.catalogue import Language
from pipeline.settings import Section


class PageSettings(Section):
    """The local page."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8010, ge=0, le=65535, description="port to listen on; 0 = any free one")
    language: Language = Field(
        "en", description="language of who chose none and whose browser asks for none that there is"
    )
    hosts: list[str] = Field(
        default_factory=list, description="names it is reached by, besides localhost and this machine's"
    )


class SettingsWithDesk(ConnectorsSettings):
    """What the desk and its pages read, on top of the connectors' settings."""

    page: PageSettings = Field(default_factory=PageSettings)
    desk: DeskSettings = Field(default_factory=DeskSettings)
    notify: NotifySettings = Field(default_factory=NotifySettings)
