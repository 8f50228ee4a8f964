"""Tells phones of new alarms by Web Push: who asked for it, and a thread that follows the journal."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import structlog

from connectors.sqlite.files import FileKind, StoreError
from desk.access.accounts import AccessError, Accounts
from desk.access.roles import Account
from desk.notify.push_message import Vapid, encrypt, from_text, to_text
from desk.rules.life import parse_life
from desk.rules.point import waits
from desk.rules.scope import EVERYTHING
from desk.rules.views import AlarmView
from desk.service.desk import Desk, NotFoundError
from desk.texts.catalogue import Texts
from pipeline.priority import Priority

log = structlog.get_logger(__name__)
_FILE = FileKind(
    application_id=0x796A7075,  # "yjpu"
    what="the phones that are told",
    steps=(
        """
        CREATE TABLE phones (
            endpoint TEXT PRIMARY KEY,           -- the browser's address at its push service
            account INTEGER NOT NULL,
            p256dh BLOB NOT NULL, auth BLOB NOT NULL,
            language TEXT NOT NULL,
            least INTEGER NOT NULL,              -- pipeline.priority.Priority, and above
            failures INTEGER NOT NULL DEFAULT 0  -- in a row
        ) WITHOUT ROWID;
        CREATE TABLE place (seq INTEGER NOT NULL);  -- up to which entry of the journal phones were told
        """,
    ),
)
#: More alarms at once than this are one message: a phone that rings twelve times is switched off.
MOST_AT_ONCE = 3
#: A phone that could not be told so often in a row is forgotten.
_GIVE_UP = 20
#: A push service keeps a message for a phone that is off for so many seconds.
_KEPT = 3600
_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Phone:
    """One browser that asked to be told, of alarms of priority ``least`` and above."""

    endpoint: str
    account: int
    p256dh: bytes
    auth: bytes
    language: str
    least: Priority


def allowed(endpoint: str, hosts: list[str]) -> bool:
    """Whether ``endpoint`` is at a push service that we send to: nobody makes us ask other addresses.

    >>> allowed("https://fcm.googleapis.com/fcm/send/x", ["*.googleapis.com"])
    True
    >>> allowed("http://fcm.googleapis.com/x", ["*.googleapis.com"]), allowed("https://10.0.0.1/", ["*.com"])
    (False, False)
    """
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    secure = parts.scheme == "https" or (parts.scheme == "http" and host == "127.0.0.1")
    return secure and "@" not in parts.netloc and any(fnmatchcase(host, one) for one in hosts)


class Phones:
    """The phones that are told, in a file readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._db = _FILE.open(path)
        path.chmod(0o600)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def put(self, phone: Phone) -> None:
        """Tell this phone from now on; asked again, it is told as it now asks."""
        with self._lock:
            self._db.execute(
                "INSERT OR REPLACE INTO phones (endpoint, account, p256dh, auth, language, least) "
                "VALUES (?,?,?,?,?,?)",
                (phone.endpoint, phone.account, phone.p256dh, phone.auth, phone.language, int(phone.least)),
            )

    def remove(self, endpoint: str, account: int | None = None) -> None:
        """Tell it no more; of ``account`` alone, where that is given."""
        with self._lock:
            self._db.execute(
                "DELETE FROM phones WHERE endpoint = ? AND (? IS NULL OR account = ?)",
                (endpoint, account, account),
            )

    def all(self) -> list[Phone]:
        """Every phone."""
        with self._lock:
            rows = self._db.execute(
                "SELECT endpoint, account, p256dh, auth, language, least FROM phones ORDER BY endpoint"
            ).fetchall()
        return [
            Phone(endpoint, account, p256dh, auth, language, Priority(least))
            for endpoint, account, p256dh, auth, language, least in rows
        ]

    def failed(self, endpoint: str) -> bool:
        """It could not be told; True when it is forgotten now."""
        with self._lock:
            self._db.execute("UPDATE phones SET failures = failures + 1 WHERE endpoint = ?", (endpoint,))
            gone = self._db.execute(
                "DELETE FROM phones WHERE endpoint = ? AND failures >= ?", (endpoint, _GIVE_UP)
            ).rowcount
        return gone > 0

    def told(self, endpoint: str) -> None:
        """It was told."""
        with self._lock:
            self._db.execute("UPDATE phones SET failures = 0 WHERE endpoint = ?", (endpoint,))

    def place(self) -> int | None:
        """The last entry of the journal that phones were told of; None = none yet."""
        with self._lock:
            row = self._db.execute("SELECT seq FROM place").fetchone()
        return None if row is None else int(row[0])

    def move(self, seq: int) -> None:
        """Phones were told of all up to ``seq``."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM place")
            self._db.execute("INSERT INTO place VALUES (?)", (seq,))
            self._db.execute("COMMIT")


class PushSender:
    """Follows the journal, and tells each phone of new alarms that wait, within its account's places."""

    def __init__(self, desk: Desk, accounts: Accounts, phones: Phones, vapid: Vapid) -> None:
        self.desk, self.accounts, self.phones, self.vapid = desk, accounts, phones, vapid
        self._stop = threading.Event()
        self._client = httpx.Client(timeout=_TIMEOUT, follow_redirects=False)
        self._thread = threading.Thread(target=self._run, name="push", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End soon."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=30)
        self._client.close()

    def work(self) -> int:
        """Tell of what is new since the last time; returns how many messages went out."""
        place, head = self.phones.place(), self.desk.head()
        if place is None or place > head:  # what stands already is no news
            self.phones.move(head)
            return 0
        entries = self.desk.journal(EVERYTHING, after=place, limit=1000)
        if not entries:
            return 0
        fresh = [
            entry.alarm
            for entry in entries
            if entry.point
            and waits(parse_life(entry.after))
            and not (entry.before and waits(parse_life(entry.before)))
        ]
        alarms = [found for alarm in dict.fromkeys(fresh) if (found := self._alarm(alarm)) is not None]
        sent = sum(self._tell(phone, alarms) for phone in self.phones.all()) if alarms else 0
        self.phones.move(entries[-1].seq)
        return sent

    def _alarm(self, alarm: str) -> AlarmView | None:
        try:
            found = self.desk.alarm(EVERYTHING, alarm)
        except NotFoundError:
            return None
        return found if found.waits else None

    def _tell(self, phone: Phone, alarms: list[AlarmView]) -> int:
        account = self._account(phone)
        if account is None:
            return 0
        wanted = [
            alarm for alarm in alarms if alarm.priority >= phone.least and account.scope.allows(alarm.machine)
        ]
        wanted.sort(key=lambda one: (-one.priority, one.onset))
        if len(wanted) > MOST_AT_ONCE:
            return self._send(phone, self._several(phone, wanted), wanted[0].priority)
        return sum(self._send(phone, self._single(phone, one), one.priority) for one in wanted)

    def _account(self, phone: Phone) -> Account | None:
        try:
            found = self.accounts.get(phone.account)
        except AccessError:
            found = None
        if found is None or found.disabled:
            self.phones.remove(phone.endpoint)
            return None
        return found

    def _single(self, phone: Phone, one: AlarmView) -> dict[str, str]:
        t = Texts(phone.language)
        advice = self.desk.advice.advise(one, self.desk.clock(), phone.language)
        unit = self.desk.settings.name_of(one.machine, phone.language)
        return {
            "title": f"[{t(f'priority.{one.priority.name.lower()}')}] {unit}",
            "body": advice.headline if advice else t(f"kind.{one.kind}"),
            "tag": to_text(hashlib.sha256(one.point.encode()).digest()[:18]),
            "url": f"/alarms/{one.id}",
            "priority": one.priority.name.lower(),
        }

    def _several(self, phone: Phone, alarms: list[AlarmView]) -> dict[str, str]:
        t = Texts(phone.language)
        names = ", ".join(self.desk.settings.name_of(alarm.machine, phone.language) for alarm in alarms[:5])
        return {
            "title": t("push.several", n=len(alarms)),
            "body": names + (" …" if len(alarms) > 5 else ""),
            "tag": "several",
            "url": "/",
            "priority": alarms[0].priority.name.lower(),
        }

    def _send(self, phone: Phone, message: dict[str, str], priority: Priority) -> int:
        """One message; whoever the push service no longer knows is forgotten."""
        content = json.dumps({**message, "body": message["body"][:600]}, ensure_ascii=False).encode()
        headers = {
            "Authorization": self.vapid.authorization(phone.endpoint, self.desk.clock()),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(_KEPT),
            "Urgency": "high" if priority >= Priority.HIGH else "normal",
            "Topic": message["tag"][:32],
        }
        try:
            body = encrypt(content, phone.p256dh, phone.auth)
            answer = self._client.post(phone.endpoint, content=body, headers=headers)
        except (httpx.HTTPError, ValueError) as error:
            self._failed(phone, str(error) or type(error).__name__)
            return 0
        if answer.status_code in (404, 410):
            self.phones.remove(phone.endpoint)
            return 0
        if not answer.is_success:
            self._failed(phone, f"the push service answered {answer.status_code}")
            return 0
        self.phones.told(phone.endpoint)
        return 1

    def _failed(self, phone: Phone, why: str) -> None:
        forgotten = self.phones.failed(phone.endpoint)
        log.warning("a phone could not be told", account=phone.account, why=why, forgotten=forgotten)

    def _run(self) -> None:
        while not self._stop.wait(1.0):
            try:
                self.work()
            except (StoreError, sqlite3.Error) as error:
                log.error("phones cannot be told, and it is tried again", why=str(error))
            except Exception:
                log.exception("telling phones stumbled, and is tried again")


def phone_of(
    account: int, endpoint: str, p256dh: str, auth: str, language: str, least: str, hosts: list[str]
) -> Phone | None:
    """The phone that a browser describes; None for one that we cannot or will not send to."""
    try:
        keys = from_text(p256dh), from_text(auth)
        encrypt(b"", *keys)
        priority = Priority[least.upper()]
    except (ValueError, KeyError):
        return None
    if len(endpoint) > 2000 or not allowed(endpoint, hosts):
        return None
    return Phone(endpoint, account, *keys, language, priority)
