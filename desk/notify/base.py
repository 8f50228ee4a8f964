"""What a channel must do: send one letter, and say truly whether it went out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from desk.rules.notification import Notification
from pipeline.cause import Cause, CodedError


class ChannelError(CodedError):
    """A notification did not go out; `cause.CODE` in the catalogue of texts says why."""


class NotSentError(ChannelError):
    """Nothing has gone out, and it can be tried again later."""


class RefusedNotificationError(ChannelError):
    """The other side will never take this notification; others it may take."""


class UnsureError(ChannelError):
    """It may have gone out or not: the other side fell silent after it had everything."""


class DeferredError(ChannelError):
    """The other side does not take this notification for now; others it may take at once."""


@dataclass(frozen=True, slots=True)
class Sent:
    """It went out. ``remark`` is for the journal; ``later`` are addresses that did not take it for now."""

    remark: Cause | None = None
    later: tuple[str, ...] = ()


class Channel(ABC):
    """One way out. Used from one thread at a time."""

    #: Sending the same notification again does no harm: the other side knows it by its id.
    repeatable: ClassVar[bool]
    #: Whether it also wants to know when an alarm is over: systems do, people look at the desk.
    wants_end: ClassVar[bool]

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def send(self, notification: Notification, now: int) -> Sent:
        """Send ``notification`` at ``now`` (ms UTC).

        Raises `NotSentError`, `DeferredError`, `RefusedNotificationError` or `UnsureError`; anything else is
        a bug.
        """

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Let go of connections."""
