"""A channel: a line for the text board over a production line, which shows what is appended to a file."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from desk.notify.base import Channel, NotSentError, Sent
from desk.rules.notification import Notification
from desk.settings.alarms import ChannelSettings


class BoardChannel(Channel):
    """``url`` = file:///the/board; ``options.width``: how many characters a line has."""

    repeatable: ClassVar[bool] = False  # the board would show it twice
    wants_end: ClassVar[bool] = False

    def __init__(self, name: str, settings: ChannelSettings) -> None:
        super().__init__(name)
        self.path = Path(settings.url.get_secret_value().removeprefix("file://"))
        self.width = int(settings.options.get("width", "40"))

    def send(self, notification: Notification, now: int) -> Sent:
        """Append the subject. What cannot be written now is tried again later."""
        try:
            with self.path.open("a", encoding="utf-8") as board:
                board.write(notification.subject[: self.width] + "\n")
        except OSError as error:
            raise NotSentError(f"{self.path} cannot be written: {error}") from error
        return Sent()
