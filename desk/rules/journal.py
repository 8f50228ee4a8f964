"""The journal: who did what, when and why, each entry sealed with a hash of all that stands before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from desk.advice.catalogue import AdviceEdit
from desk.rules.on_call import OnCallChange
from desk.rules.rationalisation import Rationalisation
from desk.rules.suppression import Window
from desk.rules.work_orders import WorkOrder
from pipeline.cause import Cause
from pipeline.records import AlarmEvent, Verdict


class Action(StrEnum):
    """What an entry tells of. The first fourteen are `desk.rules.life.Event`, word for word."""

    RAISE = "raise"
    CLEAR = "clear"
    LATCH = "latch"
    UNLATCH = "unlatch"
    ACKNOWLEDGE = "acknowledge"
    CLOSE = "close"
    SHELVE_ONCE = "shelve-once"
    SHELVE_TIMED = "shelve-timed"
    UNSHELVE = "unshelve"
    EXPIRE = "expire"
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    OUT_OF_SERVICE = "out-of-service"
    IN_SERVICE = "in-service"
    TAKE = "take"
    COMMENT = "comment"
    VERDICT = "verdict"
    WINDOW = "window"
    WINDOW_END = "window-end"
    DOWN = "down"
    UP = "up"
    TOLD = "told"
    UNSENT = "unsent"
    TUNE = "tune"
    ADVICE = "advice"
    WORK_ORDER = "work-order"
    ATTACH = "attach"
    EXPORT = "export"
    ORDER_REQUEST = "order-request"
    ORDER_PLAN = "order-plan"
    ORDER_START = "order-start"
    ORDER_FINISH = "order-finish"
    ORDER_SIGN_OFF = "order-sign-off"
    ORDER_REOPEN = "order-reopen"
    ORDER_CANCEL = "order-cancel"
    ORDER_LINK = "order-link"
    ROTA = "rota"
    SWAP = "swap"
    CALENDAR = "calendar"
    RATIONALISE = "rationalise"
    SIGN_IN = "sign-in"
    SIGN_IN_FAILED = "sign-in-failed"
    SIGN_IN_LOCKED = "sign-in-locked"
    SIGN_OUT = "sign-out"
    SESSION_ENDED = "session-ended"
    ACCOUNT_ADDED = "account-added"
    ACCOUNT_CHANGED = "account-changed"
    LINK_MADE = "link-made"
    PASSWORD_SET = "password-set"  # noqa: S105 - a word for the journal
    FACTOR_ADDED = "factor-added"
    FACTOR_REMOVED = "factor-removed"
    KEY_MADE = "key-made"
    KEY_ENDED = "key-ended"


#: What happens to accounts, sessions and keys.
ACCESS = frozenset(
    {
        Action.SIGN_IN,
        Action.SIGN_IN_FAILED,
        Action.SIGN_IN_LOCKED,
        Action.SIGN_OUT,
        Action.SESSION_ENDED,
        Action.ACCOUNT_ADDED,
        Action.ACCOUNT_CHANGED,
        Action.LINK_MADE,
        Action.PASSWORD_SET,
        Action.FACTOR_ADDED,
        Action.FACTOR_REMOVED,
        Action.KEY_MADE,
        Action.KEY_ENDED,
    }
)


#: What waited longer on a device (ms) is not believed about its time.
DAY = 86_400_000
#: Who acts when nobody does.
SYSTEM = "yeji"


class Notified(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who was to be told by what: ``kind`` is a `desk.rules.routing.Kind`; ``to`` are single addresses."""

    kind: str
    crew: str
    channel: str
    to: tuple[str, ...] = ()


class CmmsOrder(msgspec.Struct, frozen=True, omit_defaults=True):
    """A work order of the plant's maintenance system (CMMS), and its web address there."""

    number: str
    url: str = ""


class Attachment(msgspec.Struct, frozen=True, omit_defaults=True):
    """A photo or a voice note: its ``kind``, media type, bytes, and the SHA-256 by which it is kept."""

    kind: str
    media: str
    size: int
    sha256: str


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One line of the journal.

    ``at``     when the desk wrote it (ms UTC, the desk's clock)
    ``time``   the event time that it speaks of; the same as ``at`` for what people do
    ``by``     a person's name, or `SYSTEM`
    ``point``  the alarm point, ``alarm`` its occurrence (`AlarmEvent.id`); "" when it is about neither
    ``before`` and ``after``  the point's life (`desk.rules.life.Life.code`)
    ``why``    what a person wrote; ``cause`` is what Yeji itself has to say
    ``version`` and ``role``  which version of a class's settings went into which role (`Action.TUNE`)
    ``order``  the maintenance system's order that an alarm led to (`Action.WORK_ORDER`)
    ``work``  the desk's own work order, as the entry leaves it (``ORDER_…``)
    ``rationalisation``  what was agreed on for alarm points, as the entry leaves it
    ``on_call``  a rota, a swap or an imported calendar, as the entry leaves it
    ``notified``  who was told by what, or was not (`Action.TOLD`, `Action.UNSENT`)
    ``event``, ``verdict``, ``window``, ``advice``, ``attachment``, ``until``, ``reasons``, ``group``,
    ``modes``, ``raised``  what the action carries; ``raised`` by how many priorities repetition raises it
    ``about``, ``address``, ``role``, ``places``  an account or key, from where, what it may (`ACCESS`)
    ``client``  the id that a device gave the act, so that it is done once however often it is sent
    """

    seq: int = 0
    at: int
    time: int
    by: str
    action: Action
    machine: str
    point: str = ""
    alarm: str = ""
    before: str = ""
    after: str = ""
    why: str = ""
    criticality: int = 0
    event: AlarmEvent | None = None
    verdict: Verdict | None = None
    window: Window | None = None
    advice: AdviceEdit | None = None
    until: int | None = None
    reasons: tuple[str, ...] = ()
    group: str = ""
    modes: tuple[tuple[str, float], ...] = ()
    client: str = ""
    attachment: Attachment | None = None
    raised: int = 0
    cause: Cause | None = None
    notified: Notified | None = None
    version: int = 0
    role: str = ""
    order: CmmsOrder | None = None
    about: str = ""
    address: str = ""
    places: tuple[str, ...] = ()
    work: WorkOrder | None = None
    on_call: OnCallChange | None = None
    rationalisation: Rationalisation | None = None


#: What the first entry follows.
GENESIS = bytes(32)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


class JournalError(Exception):
    """The journal is not what was written; the message says at which entry."""


def encode_entry(entry: Entry) -> bytes:
    """The bytes that are kept and sealed."""
    return _encode(entry)


def decode_entry(body: bytes) -> Entry:
    """The inverse of `encode_entry`. Raises `JournalError`."""
    try:
        return _decode(body)
    except msgspec.DecodeError as error:
        raise JournalError(f"An entry cannot be read: {error}.") from None


def seal(previous: bytes, body: bytes) -> bytes:
    """The hash (32 bytes, SHA-256) of an entry that follows the one with hash ``previous``."""
    return hashlib.sha256(previous + body).digest()


def verify(
    rows: Iterable[tuple[int, bytes, bytes]], expected_heads: Iterable[bytes] = ()
) -> tuple[int, bytes]:
    """Check the whole chain of (seq, body, hash); give the number of entries and the last hash.

    ``expected_heads`` are hashes noted earlier outside of the store: each must still stand in the chain,
    or the journal was cut short or written again. Raises `JournalError`.
    """
    previous, count = GENESIS, 0
    missing = set(expected_heads) - {GENESIS}
    for seq, body, kept in rows:
        count += 1
        if seq != count:
            raise JournalError(f"Entry {count} is missing: the journal goes on with {seq}.")
        if seal(previous, body) != kept:
            raise JournalError(f"Entry {seq} or its hash was changed after it was written.")
        if decode_entry(body).seq != seq:
            raise JournalError(f"Entry {seq} says of itself that it is entry {decode_entry(body).seq}.")
        previous = kept
        missing.discard(kept)
    if missing:
        raise JournalError(
            f"The journal is whole in itself, but the hash {next(iter(missing)).hex()}, noted earlier, "
            "is not in it: its end was cut off, or it was written anew."
        )
    return count, previous


@dataclass(frozen=True, slots=True)
class Sent:
    """An act as a device sent it, perhaps late and more than once.

    ``client`` is the id that the device of ``by`` gave it, and nobody else's; ``at`` when it was tapped, by
    the device's clock (ms UTC).
    """

    by: str
    client: str
    at: int | None = None

    def key(self, alarm: str) -> str:
        """What makes it one and the same act."""
        return f"{self.by} {self.client} {alarm}"

    def time(self, now: int) -> int:
        """When it was done: as the device says, unless its clock is ahead, or it says more than a day ago."""
        return now if self.at is None or not now - DAY <= self.at <= now else self.at
