"""The desk's list as HTML, made once for all who see the same: hundreds ask for it at the same moment."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from urllib.parse import urlencode

from markupsafe import Markup

from desk.access.roles import Account
from desk.access.store import new_token
from desk.rules.views import card_of_view
from desk.service.desk import Desk
from desk.store.listing import Choice
from desk.web.kit.render import Renderer
from pipeline.priority import Priority
from pipeline.records import AlarmKind, VerdictKind

#: Hours that one may shelve for; "" = until the condition ends.
SHELVES = ("0.5", "2", "8", "")
#: This many different boards are kept.
_KEPT = 64
#: Ages are shown; they may be so old themselves.
_MINUTE = 60_000


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
        self,
        account: Account,
        language: str,
        known: Callable[[], dict[str, list[str]]],
        wanted: Choice = Choice(),  # noqa: B008 - never changed
    ) -> RenderedAlarmList:
        """The page ``wanted`` of ``account``; ``known`` gives what is offered while typing."""
        # Of many who ask at once the first makes it, and the others wait for that.
        with self._lock:
            head, now = self._desk.head(), self._desk.clock()
            key = (head, now // _MINUTE, account.places, account.role, language, wanted)
            made = self._made.get((*key, None))
            if made is None or account.name in made.taken:
                made = self._made.get((*key, account.name)) or self._make(
                    key, account, language, known, wanted
                )
            return made

    def _make(
        self,
        key: tuple[object, ...],
        account: Account,
        language: str,
        known: Callable[[], dict[str, list[str]]],
        wanted: Choice,
    ) -> RenderedAlarmList:
        page, alarms = self._desk.listed(account.scope, wanted)
        html = self._render.fragment(
            language,
            "alarm_list.html",
            cards=alarms,
            page=page,
            wanted=wanted,
            more_of={alarm.id: page.sizes[card_of_view(alarm)] - 1 - len(alarm.members) for alarm in alarms},
            kinds_of=list(AlarmKind),
            priorities=sorted(Priority, reverse=True),
            link=lambda **change: address_of(replace(wanted, **change)),
            account=account,
            csrf=self._blank,
            address=address_of(wanted),
            now=self._desk.clock(),
            shelves=SHELVES,
            kinds=VerdictKind,
            known=known(),
        )
        taken = frozenset(one.taken_by for lead in alarms for one in (lead, *lead.members) if one.taken_by)
        made = RenderedAlarmList(html, page.waiting, taken, self._blank)
        self._made[(*key, account.name if account.name in taken else None)] = made
        while len(self._made) > _KEPT:
            self._made.popitem(last=False)
        return made


def address_of(wanted: Choice) -> str:
    """The address of a page of the list.

    >>> address_of(Choice()), address_of(Choice(show="muted", priority=3, page=2))
    ('/', '/?show=muted&priority=high&page=2')
    """
    usual = Choice()
    given = {
        "show": wanted.show if wanted.show != usual.show else "",
        "priority": Priority(wanted.priority).name.lower() if wanted.priority else "",
        "kind": wanted.kind,
        "q": wanted.text,
        "order": wanted.order if wanted.order != usual.order else "",
        "page": str(wanted.page) if wanted.page > 1 else "",
    }
    query = urlencode({name: value for name, value in given.items() if value})
    return f"/?{query}" if query else "/"
