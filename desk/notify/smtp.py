"""E-mail over SMTP, step by step, so that it is known at which step a notification stayed behind."""

from __future__ import annotations

import smtplib
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from urllib.parse import unquote, urlsplit

from desk.notify.base import (
    Channel,
    DeferredError,
    NotSentError,
    RefusedNotificationError,
    Sent,
    UnsureError,
)
from desk.rules.notification import Notification
from desk.settings.alarms import ChannelSettings
from pipeline.cause import Cause


class EmailChannel(Channel):
    """Sends each notification to all addresses of a channel in one SMTP transaction.

    The Message-ID is the notification's id. What some addresses refuse, for now or for good, goes to the
    others at once; those that refuse it for now are named in `Sent.later`, and get one of their own.
    """

    repeatable = False
    wants_end = False

    def __init__(self, name: str, settings: ChannelSettings) -> None:
        super().__init__(name)
        self.settings = settings
        url = urlsplit(settings.url.get_secret_value())
        self.host, self.tls = url.hostname or "localhost", url.scheme == "smtps"
        self.port = url.port or (465 if self.tls else 25)
        self.server = f"{self.host}:{self.port}"
        self.user = unquote(url.username) if url.username else None
        self.password = unquote(url.password) if url.password else ""

    def send(self, notification: Notification, now: int) -> Sent:
        """Hand it to the server."""
        try:
            server = self._connect()
        except (OSError, smtplib.SMTPException) as error:
            raise NotSentError("mail.unreachable", server=self.server, error=str(error)) from error
        try:
            answers = self._address(server, notification)
            self._hand_over(server, _message(notification, self.settings))
        finally:
            try:
                server.quit()
            except (OSError, smtplib.SMTPException):
                server.close()
        return answers

    def _connect(self) -> smtplib.SMTP:
        timeout = self.settings.timeout
        if self.tls:
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=timeout, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=timeout)
        try:
            server.ehlo_or_helo_if_needed()
            if not self.tls and self.settings.starttls and server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
                server.ehlo()
            elif self.user and not self.tls and self.settings.starttls:
                raise NotSentError("mail.clear", server=self.server)
            if self.user:
                server.login(self.user, self.password)
        except BaseException:
            server.close()
            raise
        return server

    def _address(self, server: smtplib.SMTP, notification: Notification) -> Sent:
        """Name sender and addresses; says who will not have it, if anybody does."""
        addresses = notification.to or tuple(self.settings.to)
        refused: list[str] = []
        later: dict[str, str] = {}
        try:
            code, reply = server.mail(parseaddr(self.settings.sender)[1])
            if code >= 400:
                raise NotSentError("mail.sender", reply=f"{code} {_text(reply)}")
            for address in addresses:
                code, reply = server.rcpt(parseaddr(address)[1])
                if 400 <= code < 500:
                    later[address] = f"{address} ({code} {_text(reply)})"
                if code >= 500:
                    refused.append(f"{address} ({code} {_text(reply)})")
        except (OSError, smtplib.SMTPException) as error:
            raise NotSentError("mail.broken", error=str(error)) from error
        if len(refused) == len(addresses):
            raise RefusedNotificationError("mail.addresses", addresses=", ".join(refused))
        if len(refused) + len(later) == len(addresses):
            # One address that waits alone says nothing of the channel.
            kind = DeferredError if notification.to else NotSentError
            raise kind("mail.for-now", later=", ".join(later.values()))
        return Sent(_remark(", ".join(refused), ", ".join(later.values())), tuple(later))

    def _hand_over(self, server: smtplib.SMTP, message: bytes) -> None:
        try:
            code, reply = server.docmd("DATA")
        except (OSError, smtplib.SMTPException) as error:
            raise NotSentError("mail.broken", error=str(error)) from error
        if code != 354:
            raise NotSentError("mail.data", reply=f"{code} {_text(reply)}")
        try:
            server.send(message.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
            code, reply = server.getreply()
        except (OSError, smtplib.SMTPException) as error:
            raise UnsureError("mail.silent", error=str(error)) from error
        if 400 <= code < 500:
            raise NotSentError("mail.later", reply=f"{code} {_text(reply)}")
        if code >= 500:
            raise RefusedNotificationError("mail.refused", reply=f"{code} {_text(reply)}")


def _remark(refused: str, later: str) -> Cause | None:
    if refused and later:
        return Cause("mail.mixed", addresses=refused, later=later)
    if later:
        return Cause("mail.waiting", later=later)
    return Cause("mail.partly", addresses=refused) if refused else None


def _message(notification: Notification, settings: ChannelSettings) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = notification.subject
    message["From"] = settings.sender
    message["To"] = ", ".join(notification.to or settings.to)
    message["Date"] = format_datetime(datetime.fromtimestamp(notification.made / 1000, UTC))
    message["Message-ID"] = f"<{notification.copy_of or notification.id}@yeji>"
    message["Auto-Submitted"] = "auto-generated"  # so that no absence note comes back
    message["Content-Language"] = notification.language
    if notification.priority == "urgent":
        message["Importance"] = "high"
    if len(notification.alerts) == 1:  # what is about one alarm stays together in the reader's list
        message["References"] = f"<{notification.alerts[0].id}@yeji>"
    message.set_content(notification.text, cte="base64")
    return message.as_bytes().rstrip(b"\r\n")


def _text(reply: bytes) -> str:
    return reply.decode("utf-8", "replace").replace("\n", " ")
