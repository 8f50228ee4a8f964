"""The desk as pages, the command and the API use it: every act and every question, each within a scope."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from connectors.base.clock import now_ms
from desk.access.log import AccessEvent
from desk.advice.catalogue import AdviceEdit, CatalogueError, Mode, check_mode
from desk.rules.desk import RefusedError, Rules, Surroundings, act, note, receive, shelve, tick
from desk.rules.finding import Finding
from desk.rules.grouping import all_data, group_of
from desk.rules.journal import Action, Attachment, CmmsOrder, Entry, Sent
from desk.rules.kpis import Kpis, kpis
from desk.rules.life import Event
from desk.rules.point import Point, apply, point_id
from desk.rules.recurrence import WITHIN
from desk.rules.report import ShiftReport, shift_report
from desk.rules.review import Reviewed, review
from desk.rules.routing import OWN
from desk.rules.scope import Scope, within
from desk.rules.standing import of_views
from desk.rules.suppression import Window, reasons
from desk.rules.views import AlarmView, arrange, card_of_view, view
from desk.service.advice import AdviceBook
from desk.service.attachments import Attachments, prepare
from desk.settings.whole import SettingsWithDesk
from desk.store.listing import Choice, Page, page_of
from desk.store.outbox import Posted, posted
from desk.store.store import DeskStore, LinkedOrder, Transaction
from pipeline.assessment import Standing
from pipeline.cause import Cause
from pipeline.machine import parse_machine
from pipeline.records import ID_NAMESPACE, AlarmEvent, AlarmPhase, Verdict, VerdictKind

HOUR = 3_600_000
_ALL = 2**62


class NotFoundError(Exception):
    """There is no such alarm, machine or window within the scope. Out of scope looks the same."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One alarm of a machine's past; event times. ``ended`` None = its condition lasts."""

    event: AlarmEvent
    ended: int | None
    verdict: Verdict | None


def desk_path(settings: SettingsWithDesk) -> Path:
    """Where the desk's file is."""
    return settings.data / "desk.sqlite"


class Desk:
    """The alarm desk over one file. Every method is one transaction; safe to use from several threads.

    Methods that a person calls take a `Scope` first and raise `NotFoundError` for what lies outside of it,
    and `desk.rules.desk.RefusedError` for acts that have no place in the alarm's state; both say what
    to tell the person. ``alarm`` is an `AlarmEvent.id`. Times are ms UTC; ``clock`` returns the desk's own.
    """

    def __init__(self, path: Path, settings: SettingsWithDesk, clock: Callable[[], int] = now_ms) -> None:
        self.settings, self.clock = settings, clock
        self.store = DeskStore(path)
        self.advice = AdviceBook(self.store, settings)
        self.attachments = Attachments(path.parent / "attachments")
        desk = settings.desk
        self.rules = Rules(
            desk.chatter,
            round(desk.quiet * 60_000),
            round(desk.shelf * HOUR),
            round(desk.group * 60_000),
            desk.repeat,
        )
        self.stale_after = round(desk.stale * HOUR)
        #: names likely failure modes of a raised alarm; set by whoever has a classifier
        self.modes: Callable[[AlarmEvent], tuple[tuple[str, float], ...]] = lambda _: ()
        #: every machine that is watched, those that never alarmed too; set by whoever has the readings
        self.fleet: Callable[[], Iterable[str]] = lambda: ()
        #: the e-mail addresses of people, by account; set by whoever has the accounts
        self.addresses: Callable[[Iterable[str]], Mapping[str, str]] = lambda _: {}

    def close(self) -> None:
        """Close the file."""
        self.store.close()

    # -- what comes from the pipeline

    def receive(
        self, events: Iterable[AlarmEvent], offsets: Mapping[tuple[str, int], int] | None = None
    ) -> list[Entry]:
        """Take in alarm events, any of which may have come before; returns the new journal entries.

        ``offsets``, (topic, partition) → last offset of these events, are kept in the same transaction.
        """
        now = self.clock()
        with self.store.writing() as t:
            windows, down = t.windows(open_after=now), t.down()
            for event in events:
                self._take_one(t, event, now, windows, down)
            for (topic, partition), offset in (offsets or {}).items():
                t.keep_offset(topic, partition, offset)
            return t.written

    def _take_one(
        self, t: Transaction, event: AlarmEvent, now: int, windows: Sequence[Window], down: Mapping[str, int]
    ) -> None:
        known = t.known(event.id)
        around = Surroundings()
        # An occurrence stays with the point that it was raised on, whatever counts as one point by now.
        raised_on = t.occurrence(event.id)
        point = t.point(raised_on[0] if raised_on else point_id(event))
        if event.phase is AlarmPhase.RAISED and not known.raised:
            near = t.shown_on_line(event.machine.rpartition("/")[0])
            if all_data(event):
                near += t.shown_of_cause(event.kind, event.code)
            around = Surroundings(
                self._criticality(event),
                reasons(
                    event.machine, windows=windows, down=down, parents=self.settings.desk.parents, now=now
                ),
                # the desk's own channels fail for reasons of their own
                "" if within(event.machine, OWN) else group_of(event, near, self.rules.group_within),
                self.modes(event),
            )
        for entry in receive(point, event, known, at=now, rules=self.rules, around=around):
            t.append(entry)

    def _criticality(self, event: AlarmEvent) -> int:
        name = event.machine_class
        if name not in self.settings.classes:
            name = self.settings.class_of(event.machine) or ""
        return self.settings.classes[name].criticality if name in self.settings.classes else 2

    def tick(self) -> list[Entry]:
        """Let time do its part: shelves run out, windows open and end, chattering ends. Call each second."""
        now = self.clock()
        parents = self.settings.desk.parents
        with self.store.reading() as r:  # most of the time there is nothing to do, and nothing to lock
            windows, down = r.windows(open_after=now), r.down()
            due = [
                point.id
                for point in r.timed()
                if tick(
                    point,
                    now=now,
                    reasons=reasons(point.machine, windows=windows, down=down, parents=parents, now=now),
                    rules=self.rules,
                )
            ]
        if not due:
            return []
        with self.store.writing() as t:
            windows, down = t.windows(open_after=now), t.down()
            for id in due:
                point = t.point(id)
                if point is not None:
                    why = reasons(point.machine, windows=windows, down=down, parents=parents, now=now)
                    for entry in tick(point, now=now, reasons=why, rules=self.rules):
                        t.append(entry)
            return t.written

    # -- what people ask

    def open_alarms(self, scope: Scope) -> list[AlarmView]:
        """Everything that stands on the desk, the most urgent first; related alarms under the first.

        Includes what is shelved, suppressed or out of service (`AlarmView.muted`).
        """
        with self.store.reading() as r:
            return arrange(r.shown(scope), now=self.clock(), stale_after=self.stale_after)

    def listed(self, scope: Scope, wanted: Choice) -> tuple[Page, list[AlarmView]]:
        """One page of what stands on the desk: what there is in all, and the page's cards in their order."""
        with self.store.reading() as r:
            page = page_of(r, scope, wanted)
        cards = arrange(page.points, now=self.clock(), stale_after=self.stale_after)
        places = {card: place for place, card in enumerate(page.sizes)}
        found = sorted(cards, key=lambda one: places[card_of_view(one)])
        return page, found

    def alarm(self, scope: Scope, alarm: str) -> AlarmView:
        """One alarm, by the id of any of its occurrences; the view is of its point as it stands."""
        with self.store.reading() as r:
            return self._view(self._find(r, scope, alarm))

    def occurrence(self, scope: Scope, alarm: str) -> Occurrence:
        """One occurrence as it was, with what the crew said of it."""
        with self.store.reading() as r:
            self._find(r, scope, alarm)
            found = self._occurrences(r, scope, alarm=alarm)
        if not found:
            raise NotFoundError(f"Alarm {alarm} has ended, and its beginning never arrived.")
        return found[0]

    def machines(self, scope: Scope) -> list[str]:
        """Every machine that has ever alarmed."""
        with self.store.reading() as r:
            return r.machines(scope)

    def points(self, scope: Scope, machine: str) -> list[AlarmView]:
        """All alarm points of one machine as they stand, those at rest too."""
        with self.store.reading() as r:
            return [self._view(point) for point in r.points(scope, machine) if point.event is not None]

    def standing(self, scope: Scope, machine: str | None = None) -> dict[str, list[Standing]]:
        """Machine → what stands against it: what the desk shows, and what came often and nobody judged."""
        now = self.clock()
        with self.store.reading() as r:
            points = r.shown(scope) if machine is None else r.points(scope, machine)
            if machine is None:
                seen = {point.id for point in points}
                often = r.frequent(scope, now - WITHIN, self.rules.repeats)
                points += [one for one in often if one.id not in seen]
        shown = (self._view(point) for point in points if point.event is not None)
        return of_views(
            one for one in shown if one.active or one.waits or _often(one, now, self.rules.repeats)
        )

    def history(
        self,
        scope: Scope,
        machine: str,
        *,
        since: int | None = None,
        until: int | None = None,
        limit: int = 200,
    ) -> list[Occurrence]:
        """One machine's alarms, newest first, each with its verdict; ``since`` .. ``until`` are onsets."""
        with self.store.reading() as r:
            return self._occurrences(r, scope, machine=machine, since=since, until=until, limit=limit)

    def _occurrences(
        self,
        r: Transaction,
        scope: Scope,
        *,
        machine: str | None = None,
        alarm: str | None = None,
        since: int | None = None,
        until: int | None = None,
        limit: int = 200,
    ) -> list[Occurrence]:
        rows = r.occurrences(scope, machine=machine, alarm=alarm, since=since, until=until, limit=limit)
        said: dict[str | None, Verdict] = {}
        for verdict in reversed(r.verdicts(scope, machine=machine, alarm=alarm)):
            said[verdict.alarm] = verdict
        return [Occurrence(event, ended, said.get(event.id)) for event, ended in rows]

    def verdicts(self, scope: Scope, *, machine: str | None = None, limit: int = 200) -> list[Verdict]:
        """What crews found, the newest first."""
        with self.store.reading() as r:
            return r.verdicts(scope, machine=machine, limit=limit)

    def last_time(self, scope: Scope, machine: str, *, but: str = "") -> Verdict | None:
        """What was found and done last on this machine, not counting alarm ``but``."""
        return next(
            (verdict for verdict in self.verdicts(scope, machine=machine) if verdict.alarm != but), None
        )

    def journal(
        self,
        scope: Scope,
        *,
        machine: str | None = None,
        alarm: str | None = None,
        after: int = 0,
        since: int | None = None,
        until: int | None = None,
        before: int | None = None,
        actions: Sequence[str] = (),
        who: str | None = None,
        text: str | None = None,
        limit: int = 500,
        newest_first: bool = False,
    ) -> list[Entry]:
        """Who did what, when and why.

        ``after`` and ``before`` are entries' numbers, ``since`` .. ``until`` event times, ``text`` a part of
        what was written or of the machine's name.
        """
        with self.store.reading() as r:
            return r.entries(
                scope,
                machine=machine,
                alarm=alarm,
                after=after,
                since=since,
                until=until,
                before=before,
                actions=actions,
                by=who,
                text=text,
                limit=limit,
                newest_first=newest_first,
            )

    def messages(self, scope: Scope, alarm: str) -> list[Posted]:
        """Who was told of an alarm by which channel, and what became of it; the newest first."""
        with self.store.reading() as r:
            return posted(r, scope, point=self._find(r, scope, alarm).id)

    def windows(self, scope: Scope, *, ended_since: int | None = None) -> list[Window]:
        """Maintenance windows under way and to come (and those that ended after ``ended_since``)."""
        with self.store.reading() as r:
            found = r.windows(open_after=self.clock() if ended_since is None else ended_since)
        return [one for one in found if scope.allows(one.place)]

    def down(self, scope: Scope) -> dict[str, int]:
        """Machines that are down, and since when."""
        with self.store.reading() as r:
            return {machine: since for machine, since in r.down().items() if scope.allows(machine)}

    def kpis(self, scope: Scope, start: int, end: int) -> Kpis:
        """The measures of ISA-18.2 for a period (event time)."""
        with self.store.reading() as r:
            return self._kpis(r, scope, start, end)

    def review(self, scope: Scope, since: int, limit: int = 20_000) -> list[Reviewed]:
        """Every alarm point that came since ``since`` (event time), the most frequent first."""
        with self.store.reading() as r:
            occurrences = r.occurrences(scope, since=since, limit=limit)
            verdicts = r.verdicts(scope, limit=limit)
        classes = {name: one.criticality for name, one in self.settings.classes.items()}
        return review(occurrences, verdicts, classes, self.clock())

    def shift_report(self, scope: Scope, start: int, end: int) -> ShiftReport:
        """What happened from ``start`` until ``end`` (event time), and what stands now."""
        with self.store.reading() as r:
            standing = arrange(r.shown(scope), now=self.clock(), stale_after=self.stale_after)
            entries = r.entries(scope, since=start, until=end, limit=_ALL)
            windows = [window for window in r.windows(open_after=start) if scope.allows(window.place)]
            return shift_report(entries, self._kpis(r, scope, start, end), standing, windows, r.head()[1])

    def _kpis(self, r: Transaction, scope: Scope, start: int, end: int) -> Kpis:
        shown = r.shown(scope)
        stale = [one for one in shown if one.life.active and end - one.onset > self.stale_after]
        return kpis(
            r.entries(scope, since=start, until=end, limit=_ALL),
            start=start,
            end=end,
            budget=self.settings.desk.budget,
            flood=self.settings.desk.flood,
            stale=len(stale),
            priorities={one.id: one.priority for one in shown},
        )

    # -- what people do

    def acknowledge(
        self, scope: Scope, alarm: str, *, by: str, why: str = "", sent: Sent | None = None
    ) -> AlarmView:
        """Somebody has seen it and sees to it. ``sent``: the device's id; again changes nothing."""
        return self._act(
            scope,
            alarm,
            lambda p, at: act(p, Event.ACKNOWLEDGE, at=at, by=by, why=why),
            current=True,
            sent=sent,
        )

    def shelve(self, scope: Scope, alarm: str, *, by: str, why: str, until: int | None = None) -> AlarmView:
        """Keep it from the desk until a time, or (None) until its condition ends; ``why`` is a must."""
        return self._act(
            scope, alarm, lambda p, at: shelve(p, at=at, by=by, why=why, rules=self.rules, until=until)
        )

    def unshelve(self, scope: Scope, alarm: str, *, by: str, why: str = "") -> AlarmView:
        """Bring it back."""
        return self._act(scope, alarm, lambda p, at: act(p, Event.UNSHELVE, at=at, by=by, why=why))

    def assign(self, scope: Scope, alarm: str, *, by: str, why: str = "") -> AlarmView:
        """``by`` goes to look; also acknowledges, where that is still asked for."""
        view = self._act(
            scope, alarm, lambda p, at: note(p, Action.TAKE, at=at, by=by, why=why), current=True
        )
        return self.acknowledge(scope, alarm, by=by, why=why) if view.waits else view

    def comment(self, scope: Scope, alarm: str, *, by: str, text: str, sent: Sent | None = None) -> AlarmView:
        """Leave a word; it stays in the journal. ``sent``: the device's id; again changes nothing."""
        if not text.strip():
            raise RefusedError("comment-empty")
        return self._act(
            scope, alarm, lambda p, at: note(p, Action.COMMENT, at=at, by=by, why=text.strip()), sent=sent
        )

    def attach(
        self, scope: Scope, alarm: str, *, by: str, content: bytes, why: str = "", sent: Sent | None = None
    ) -> AlarmView:
        """Put a photo or a voice note on an alarm; what it says of position and camera is taken out."""
        with self.store.reading() as r:
            self._find(r, scope, alarm)  # who may not see the alarm has nothing decoded
        prepared = prepare(content)
        self.attachments.keep(prepared)  # before the entry: the journal names nothing that is not there
        return self._act(
            scope,
            alarm,
            lambda p, at: msgspec.structs.replace(
                note(p, Action.ATTACH, at=at, by=by, why=why.strip()), attachment=prepared.attachment
            ),
            sent=sent,
        )

    def attachment(self, scope: Scope, alarm: str, sha256: str) -> tuple[Attachment, bytes]:
        """A photo or voice note of an alarm. Raises `NotFoundError`, also when its file is gone."""
        for entry in self.journal(scope, alarm=alarm, limit=10_000):
            if entry.attachment is not None and entry.attachment.sha256 == sha256:
                content = self.attachments.read(sha256)
                if content is not None:
                    return entry.attachment, content
        raise NotFoundError("There is no such attachment.")

    def out_of_service(self, scope: Scope, alarm: str, *, by: str, why: str) -> AlarmView:
        """Take the alarm point out of service, until somebody puts it back."""
        if not why.strip():
            raise RefusedError("out-of-service-why")
        return self._act(scope, alarm, lambda p, at: act(p, Event.OUT_OF_SERVICE, at=at, by=by, why=why))

    def in_service(self, scope: Scope, alarm: str, *, by: str, why: str = "") -> AlarmView:
        """Put the alarm point back in service."""
        return self._act(scope, alarm, lambda p, at: act(p, Event.IN_SERVICE, at=at, by=by, why=why))

    def close_alarm(self, scope: Scope, alarm: str, finding: Finding, *, by: str) -> Verdict:
        """Close it with what was found, which goes on to the models. A lasting condition stays shown.

        The verdict speaks of the time until the condition's end, or until now while it lasts.
        """
        with self.store.writing() as t:
            return self.close_within(t, scope, alarm, finding, by=by)

    def close_within(self, t: Transaction, scope: Scope, alarm: str, finding: Finding, *, by: str) -> Verdict:
        """`close_alarm` as a part of ``t``."""
        point = self._find(t, scope, alarm)
        now = self.clock()
        occurrence = next(iter(self._occurrences(t, scope, alarm=alarm)), None)
        event = occurrence.event if occurrence else point.event
        if event is None:
            raise RefusedError("never-raised")
        ended = occurrence.ended if occurrence else None
        end = max(event.time, now if ended is None else ended)
        finding = finding.complete(event.sensor)
        verdict = _verdict(event.machine, event.machine_class, finding, (event.onset, end), now, by, event.id)
        if event.id == point.alarm or event.id in point.open:
            entry = act(point, Event.CLOSE, at=now, by=by, why=finding.comment, verdict=verdict)
        else:  # a word on a past occurrence: it says nothing of the present one
            entry = msgspec.structs.replace(
                note(point, Action.VERDICT, at=now, by=by, why=finding.comment), verdict=verdict
            )
        t.append(msgspec.structs.replace(entry, alarm=event.id))
        return verdict

    def report_verdict(
        self, scope: Scope, machine: str, finding: Finding, *, start: int, end: int, by: str
    ) -> Verdict:
        """A verdict on a stretch of a machine's time that nobody was alarmed about (event time, ms UTC)."""
        self._place(scope, machine)
        parse_machine(machine)
        if end < start:
            raise RefusedError("stretch-backwards")
        with self.store.writing() as t:
            return self.verdict_within(t, machine, finding, start=start, end=end, by=by)

    def verdict_within(
        self, t: Transaction, machine: str, finding: Finding, *, start: int, end: int, by: str
    ) -> Verdict:
        """`report_verdict` as a part of ``t``."""
        finding = finding.complete()
        name = self.settings.class_of(machine) or ""
        verdict = _verdict(machine, name, finding, (start, end), self.clock(), by)
        self._tell(t, Action.VERDICT, machine, by, finding.comment, verdict=verdict)
        return verdict

    def open_window(self, scope: Scope, place: str, *, start: int, end: int, by: str, why: str) -> Window:
        """Plan work on everything under ``place`` (a machine, line, area…): its alarms are suppressed then.

        Of each machine there (`fleet`, and every machine that ever alarmed) the models are told:
        `VerdictKind.PLANNED_WORK`.
        """
        place = place.strip("/")
        self._place(scope, place)
        if end <= start:
            raise RefusedError("window-backwards")
        watched = {machine for machine in self.fleet() if within(machine, place)}
        with self.store.writing() as t:
            now = self.clock()
            id = str(uuid.uuid5(ID_NAMESPACE, f"window\n{place}\n{start}\n{end}\n{now}\n{by}"))
            window = Window(id, place, start, end, by, why)
            self._tell(t, Action.WINDOW, place, by, why, window=window)
            for machine in sorted(watched.union(t.machines(Scope.of(place)))):
                name = self.settings.class_of(machine) or ""
                work = Finding(VerdictKind.PLANNED_WORK, comment=why).complete()
                verdict = _verdict(machine, name, work, (start, end), now, by)
                self._tell(t, Action.VERDICT, machine, by, why, verdict=verdict)
        self.tick()
        return window

    def end_window(self, scope: Scope, window: str, *, by: str, why: str = "") -> Window:
        """End a window now, or call off one that has not begun."""
        with self.store.writing() as t:
            found = t.window(window)
            if found is None or not scope.allows(found.place):
                raise NotFoundError("There is no such maintenance window.")
            now = self.clock()
            if found.end <= now:
                raise RefusedError("window-ended")
            ended = msgspec.structs.replace(found, end=max(now, found.start))
            self._tell(t, Action.WINDOW_END, found.place, by, why, window=ended)
        self.tick()
        return ended

    def machine_down(self, scope: Scope, machine: str, *, by: str, why: str) -> None:
        """``machine`` is down: alarms of the machines that hang on it are suppressed ([desk.parents])."""
        self._place(scope, machine)
        with self.store.writing() as t:
            if machine in t.down():
                raise RefusedError("down-already", machine=machine)
            self._tell(t, Action.DOWN, machine, by, why)
        self.tick()

    def machine_up(self, scope: Scope, machine: str, *, by: str, why: str = "") -> None:
        """``machine`` runs again."""
        self._place(scope, machine)
        with self.store.writing() as t:
            if machine not in t.down():
                raise RefusedError("not-down", machine=machine)
            self._tell(t, Action.UP, machine, by, why)
        self.tick()

    def change_advice(
        self, scope: Scope, place: str, catalogue: str, key: str, mode: Mode | None, *, by: str, why: str
    ) -> None:
        """Put ``mode`` into a catalogue for everything under ``place``; None takes the mode ``key`` out.

        Raises `RefusedError` for a mode that cannot be used, and says why.
        """
        place = place.strip("/")
        self._place(scope, place)
        if self.advice.catalogues(place).get(catalogue) is None:
            raise NotFoundError(f"There is no catalogue {catalogue!r}.")
        if not why.strip():
            raise RefusedError("advice-why")
        if mode is not None:
            try:
                check_mode(mode)
            except CatalogueError as error:
                raise RefusedError("advice-mode", error=str(error)) from None
        with self.store.writing() as t:
            self._tell(t, Action.ADVICE, place, by, why.strip(), advice=AdviceEdit(catalogue, key, mode))

    # -- work orders

    def link_work_order(self, scope: Scope, alarm: str, *, by: str, number: str, url: str) -> AlarmView:
        """Link an alarm to the work order that it led to, in place of the one before; again adds nothing."""
        order = CmmsOrder(number, url)
        with self.store.writing() as t:
            point = self._find(t, scope, alarm)
            known = t.work_order(alarm)
            if known is None or known.order != order:
                entry = note(point, Action.WORK_ORDER, at=self.clock(), by=by)
                t.append(msgspec.structs.replace(entry, alarm=alarm, order=order))
            return self._view(point)

    def work_order(self, scope: Scope, alarm: str) -> LinkedOrder | None:
        """The work order that an alarm led to."""
        with self.store.reading() as r:
            self._find(r, scope, alarm)
            return r.work_order(alarm)

    def adopt_work_orders(self, kept: Iterable[tuple[str, str, str, str, int]]) -> None:
        """Take in (alarm, number, address, by, at) that were kept elsewhere; again adds nothing."""
        with self.store.writing() as t:
            for alarm, number, url, by, at in kept:
                order = CmmsOrder(number, url)
                if (known := t.work_order(alarm)) is None or known.order != order:
                    place = t.occurrence(alarm)
                    t.append(
                        Entry(
                            at=at,
                            time=at,
                            by=by,
                            action=Action.WORK_ORDER,
                            machine=place[1] if place else "",
                            alarm=alarm,
                            order=order,
                        )
                    )

    # -- live

    def subscribe(self, call: Callable[[list[Entry]], None]) -> None:
        """Call ``call`` with the new entries after each change by this process, in the thread that wrote.

        Entries are of all tenants: filter by `Scope.allows(entry.machine)`. What other processes write to
        the same file is found by `journal(scope, after=...)`; `head` tells cheaply whether there is any.
        """
        self.store.after_commit(call)

    def head(self) -> int:
        """The number of the latest entry."""
        with self.store.reading() as r:
            return r.head()[0]

    # -- inside

    def _act(
        self,
        scope: Scope,
        alarm: str,
        make: Callable[[Point, int], Entry],
        current: bool = False,
        sent: Sent | None = None,
    ) -> AlarmView:
        with self.store.writing() as t:
            point = self._find(t, scope, alarm)
            if sent is not None and t.has_client(sent.key(alarm)):
                return self._view(point)
            if current and alarm != point.alarm and alarm not in point.open:
                raise RefusedError("came-again")
            now = self.clock()
            entry = make(point, now)
            if sent is not None:
                entry = msgspec.structs.replace(entry, client=sent.key(alarm), time=sent.time(now))
            return self._view(apply(point, t.append(entry)))

    def _find(self, t: Transaction, scope: Scope, alarm: str) -> Point:
        where = t.occurrence(alarm)
        point = t.point(where[0]) if where and scope.allows(where[1]) else None
        if point is None:
            raise NotFoundError("There is no such alarm.")
        return point

    def _place(self, scope: Scope, place: str) -> None:
        if not place or not scope.allows(place):
            raise NotFoundError(f"There is no {place!r} in what you may see.")

    def _view(self, point: Point) -> AlarmView:
        shown = view(point, now=self.clock(), stale_after=self.stale_after)
        if shown is None:
            raise NotFoundError("This alarm has ended, and its beginning never arrived.")
        return shown

    def exported(
        self, machines: Sequence[str], *, by: str, why: str, folder: str, readings: int, anonymous: bool
    ) -> None:
        """Put into the journal that readings of ``machines`` were handed out: by whom, why and where to."""
        now, name = self.clock(), "codes" if anonymous else "own"
        told = Cause("export", readings=readings, machines=len(machines), folder=folder, name=name)
        places = tuple(machines)
        entry = Entry(
            at=now, time=now, by=by, action=Action.EXPORT, machine="", why=why, places=places, cause=told
        )
        with self.store.writing() as t:
            t.append(entry)

    def record(self, event: AccessEvent) -> None:
        """Put into the journal what happened to an account, a session or a key."""
        now = self.clock()
        entry = Entry(
            at=now,
            time=now,
            by=event.by,
            action=event.action,
            machine=event.place,
            about=event.about,
            address=event.address,
            role=event.role,
            places=event.places,
        )
        with self.store.writing() as t:
            t.append(entry)

    def _tell(
        self,
        t: Transaction,
        action: Action,
        machine: str,
        by: str,
        why: str,
        verdict: Verdict | None = None,
        window: Window | None = None,
        advice: AdviceEdit | None = None,
    ) -> None:
        now = self.clock()
        t.append(
            Entry(
                at=now,
                time=now,
                by=by,
                action=action,
                machine=machine,
                why=why,
                verdict=verdict,
                window=window,
                advice=advice,
            )
        )


def _often(one: AlarmView, now: int, often: int) -> bool:
    """Whether it came often in the last week, and nobody said what it was."""
    came = one.recurrence
    return came is not None and came.count >= often and one.time > now - WITHIN


def _verdict(
    machine: str,
    machine_class: str,
    finding: Finding,
    span: tuple[int, int],
    at: int,
    by: str,
    alarm: str | None = None,
) -> Verdict:
    """What the models are told; the same finding on the same stretch at the same moment has the same id."""
    start, end = span
    key = f"verdict\n{machine}\n{alarm}\n{finding.kind}\n{start}\n{end}\n{at}\n{by}"
    return Verdict(
        id=str(uuid.uuid5(ID_NAMESPACE, key)),
        machine=machine,
        machine_class=machine_class,
        kind=finding.kind,
        start=start,
        end=end,
        at=at,
        by=by,
        alarm=alarm,
        failure_mode=finding.failure_mode,
        part=finding.part,
        sensor=finding.sensor,
        comment=finding.comment,
    )
