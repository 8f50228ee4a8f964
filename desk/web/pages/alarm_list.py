"""The desk's list as HTML, made once for all who see the same: hundreds ask for it at the same moment."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from markupsafe import Markup

from desk.access.roles import Account
from desk.access.store import new_token
from desk.rules.views import AlarmView
from desk.service.desk import Desk
from desk.web.kit.render import Renderer
from pipeline.records import VerdictKind

#: Hours that one may shelve for; "" = until the condition ends.
SHELVES = ("0.5", "2", "8", "")
#: This many different boards are kept.
_KEPT = 64
#: Ages are shown; they may be so old themselves.
_MINUTE = 60_000


@dataclass(frozen=True, slots=True)
class AlarmList:
    """The desk's list in three parts, each the most urgent first."""

    waiting: list[AlarmView]
    seen: list[AlarmView]
    muted: list[AlarmView]

    @property
    def asked(self) -> int:
        """How many alarms wait for an acknowledgement, grouped ones too."""
        return sum(alarm.waits for lead in self.waiting for alarm in (lead, *lead.members))


def alarm_list(alarms: list[AlarmView]) -> AlarmList:
    """Split the desk's list: a group waits when any of its alarms does."""
    parts = AlarmList([], [], [])
    for one in alarms:
        if one.muted:
            parts.muted.append(one)
        elif one.waits or any(member.waits for member in one.members):
            parts.waiting.append(one)
        else:
            parts.seen.append(one)
    return parts


@dataclass(frozen=True, slots=True)
class RenderedAlarmList:
    """A board as HTML; ``blank`` stands where each reader's own token goes."""

    html: str
    asked: int
    taken: frozenset[str]
    blank: str

    def for_form(self, csrf: str) -> Markup:
        """The board of one reader; a token holds nothing that HTML would have to escape."""
        return Markup(self.html.replace(self.blank, csrf))  # noqa: S704 - made by the renderer


class AlarmListCache:
    """Keeps boards until the journal goes on, or a minute has passed.

    All that a board shows follows from the journal, the time, and the reader's places, role and language;
    besides, whoever has taken an alarm is not offered to take it.
    """

    def __init__(self, desk: Desk, render: Renderer) -> None:
        self._desk, self._render = desk, render
        self._lock = Lock()
        self._made: OrderedDict[tuple[object, ...], RenderedAlarmList] = OrderedDict()
        self._blank = new_token()  # nobody can write it into a comment

    def get(
        self, account: Account, language: str, known: Callable[[], dict[str, list[str]]]
    ) -> RenderedAlarmList:
        """The board of ``account``; ``known`` gives what is offered while typing."""
        # Of many who ask at once the first makes it, and the others wait for that.
        with self._lock:
            head, now = self._desk.head(), self._desk.clock()
            key = (head, now // _MINUTE, account.places, account.role, language)
            made = self._made.get((*key, None))
            if made is None or account.name in made.taken:
                made = self._made.get((*key, account.name)) or self._make(key, account, language, known)
            return made

    def _make(
        self,
        key: tuple[object, ...],
        account: Account,
        language: str,
        known: Callable[[], dict[str, list[str]]],
    ) -> RenderedAlarmList:
        alarms = self._desk.open_alarms(account.scope)
        parts = alarm_list(alarms)
        html = self._render.fragment(
            language,
            "alarm_list.html",
            alarm_list=parts,
            account=account,
            csrf=self._blank,
            address="/",
            now=self._desk.clock(),
            shelves=SHELVES,
            kinds=VerdictKind,
            known=known(),
        )
        taken = frozenset(one.taken_by for lead in alarms for one in (lead, *lead.members) if one.taken_by)
        made = RenderedAlarmList(html, parts.asked, taken, self._blank)
        self._made[(*key, account.name if account.name in taken else None)] = made
        while len(self._made) > _KEPT:
            self._made.popitem(last=False)
        return made
