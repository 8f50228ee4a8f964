"""What `yeji run` shows in the terminal: alarms as they happen, progress, and the summary."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, tzinfo

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from connectors.base.contract import SinkUnavailableError
from pipeline.priority import Priority
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Contribution, Results
from pipeline.seen import Seen
from streams.embedded.run import Tally
from streams.settings import Settings

#: The words and colours of priorities, as on the pages and in Grafana.
_COLOURS = {
    Priority.LOW: "dodger_blue2",
    Priority.MEDIUM: "yellow",
    Priority.HIGH: "dark_orange",
    Priority.URGENT: "red",
}
_KINDS = {
    AlarmKind.CONDITION: "ALARM",
    AlarmKind.QUALITY: "SENSOR",
    AlarmKind.LIMIT: "LIMIT",
    AlarmKind.MOVED: "MOVED",
}

#: Seconds between lines of progress where there is no terminal: in a replay, and live.
_SAY, _SAY_LIVE = 10.0, 60.0

#: This many contributing sensors are named in an alarm.
_NAMED = 3
#: Lines on commissioning in the summary at most.
_LINES = 3


def shown_time(ms: int, zone: tzinfo = UTC) -> str:
    """An event time to read, to the second.

    >>> shown_time(1_764_050_400_000)
    '2025-11-25 06:00:00'
    """
    return datetime.fromtimestamp(ms / 1000, zone).strftime("%Y-%m-%d %H:%M:%S")


def describe(part: Contribution, unit: str = "") -> str:
    """One sensor's part in an alarm, in words.

    >>> describe(Contribution("vibration", 0.46, 4.81, 2.2, 8.2), "mm/s")
    'vibration 4.81 mm/s, 8.2 σ above 2.2 (46 %)'
    """
    value = "missing" if part.value is None else f"{part.value:.4g}"
    text = f"{part.sensor} {value}{' ' + unit if unit and part.value is not None else ''}"
    if part.deviation is not None and part.expected is not None:
        side = "above" if part.deviation >= 0 else "below"
        text += f", {abs(part.deviation):.1f} σ {side} {part.expected:.4g}"
    return f"{text} ({part.share:.0%})".replace("%)", " %)")


def alarm_text(alarm: AlarmEvent, settings: Settings, zone: tzinfo = UTC) -> Text:
    """An alarm in one or two lines: machine, time, priority, score, and what contributed."""
    place, _, machine = alarm.machine.rpartition("/")
    when = shown_time(alarm.time, zone)
    if alarm.phase is AlarmPhase.CLEARED:
        what = f"{_KINDS[alarm.kind].lower()} of {shown_time(alarm.onset, zone)}"
        if alarm.sensor:
            what += f", {alarm.sensor}"
        gone = (f"✓ {when} cleared  ", "green")
        return Text.assemble(gone, (machine, "bold"), f"  {what}  ", (place, "dim"))
    colour = _COLOURS[alarm.priority]
    head = Text.assemble(
        (f"● {when} {_KINDS[alarm.kind]:8}", colour),
        (f"{machine}", f"bold {colour}"),
        f"  {alarm.priority.name.lower()}",
    )
    if alarm.kind is AlarmKind.CONDITION:
        head.append(f", score {alarm.score:.5f} ≥ {alarm.threshold:g}")
    if alarm.sensor:
        head.append(f", {alarm.sensor}")
    if alarm.detail:
        head.append(f": {alarm.detail}")
    head.append(f"  {place}", "dim")
    if alarm.contributions:
        known = settings.classes.get(alarm.machine_class)
        sensors = known.sensors if known else {}
        parts = [
            describe(part, sensors[part.sensor].unit if part.sensor in sensors else "")
            for part in alarm.contributions[:_NAMED]
            if part.share >= 0.005
        ]
        if parts:
            head.append("\n    " + " · ".join(parts))
    return head


def compact(number: float) -> str:
    """A count with thousands separated, or in millions.

    >>> compact(518400), compact(12_345_678)
    ('518,400', '12.3 M')
    """
    return f"{number / 1e6:.1f} M" if number >= 1e7 else f"{number:,.0f}"


def _records(count: int) -> str:
    return f" ({count:,} record{'s' if count != 1 else ''})"


class Terminal:
    """Prints alarms as they happen and keeps a line of progress: a bar where the end is known.

    Where the output is no terminal, progress is a plain line now and then.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        total: int | None = None,
        live: int | None = None,
        zone: tzinfo = UTC,
        console: Console | None = None,
    ) -> None:
        self.settings, self.total, self.live, self.zone = settings, total, live, zone
        self.console = console or Console(highlight=False, soft_wrap=not sys.stdout.isatty())
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}"),
            console=self.console,
            transient=True,
            refresh_per_second=5,
        )
        self._task: TaskID | None = None
        self._said = time.monotonic()
        self._recent = (time.monotonic(), 0, 0.0)
        self.newest = -(1 << 62)
        self._seen: dict[str, Seen] = {}
        self._resumed = False  # of machines that are older than this run, it does not know what was seen
        self._is_live = False

    def __enter__(self) -> Terminal:
        if self.console.is_terminal:
            self._progress.start()
            self._task = self._progress.add_task("reading", total=self.total, text="")
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str | Text, style: str | None = None) -> None:
        """Print a line above the progress."""
        self.console.print(text, style=style)

    # -- streams.embedded.run.Watcher

    def resumed(self, machines: int, notes: list[str]) -> None:
        """Say that models were taken up."""
        self._resumed = machines > 0
        many = "s" if machines != 1 else ""
        self.say(f"Going on with the models of {machines} machine{many} from the store.", "dim")
        for note in notes:
            self.say(f"  {note}", "yellow")

    def trouble(self, error: SinkUnavailableError) -> None:
        """Say that writing must wait."""
        self.say(f"The store cannot be written, trying again: {error}", "yellow")

    def batch(self, results: Results, tally: Tally) -> None:
        """Print the alarms of a batch, and move the progress on."""
        for alarm in results.alarms:
            self.say(alarm_text(alarm, self.settings, self.zone))
        for scored in results.scored:
            self.newest = max(self.newest, int(scored.time[-1]))
            self._seen.setdefault(scored.machine, Seen()).add(scored.time)
        if self.live is not None and self.newest >= self.live and not self._is_live:
            self._is_live = True
            read = f"{compact(tally.readings)} readings in {tally.seconds:.0f} s"
            self.say(f"Caught up: {read} ({compact(tally.rate)}/s). Live from here; Ctrl-C ends it.", "bold")
        self._advance(tally)

    def _advance(self, tally: Tally) -> None:
        now = time.monotonic()
        then, readings, rate = self._recent
        if now - then >= 1.0:
            rate = (tally.readings - readings) / (now - then)
            self._recent = (now, tally.readings, rate)
        text = f"{compact(tally.readings)} readings, {compact(rate or tally.rate)}/s"
        if self.newest > 0:
            text += f", at {shown_time(self.newest, self.zone)}"
        if tally.rejected:
            text += f", {compact(tally.rejected.total())} rejected"
        if self._task is not None:
            live = self._is_live
            self._progress.update(
                self._task,
                description="live" if live else "reading",
                total=None if live else self.total,
                completed=tally.readings,
                text=text,
            )
        elif now - self._said >= (_SAY_LIVE if self._is_live else _SAY):
            self._said = now
            share = f" {tally.readings / self.total:.0%}" if self.total and not self._is_live else ""
            self.say(f"…{share} {text}")

    def summary(self, tally: Tally, rows: list[tuple[str, str]]) -> None:
        """The table at the end; ``rows`` says where things are."""
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
        table.add_column(style="dim")
        table.add_column()
        table.add_row("readings", f"{tally.readings:,} in {tally.seconds:.1f} s ({tally.rate:,.0f} a second)")
        table.add_row("machines", f"{len(tally.machines):,}")
        table.add_row("alarms", f"{tally.raised:,} raised, {tally.cleared:,} cleared")
        if tally.history:
            table.add_row(
                "history", f"{tally.history:,} readings came late: stored and scored, alarming nobody"
            )
        rejected = ", ".join(
            f"{n:,} {reason}" + ("" if n == tally.records[reason] else _records(tally.records[reason]))
            for reason, n in tally.rejected.most_common()
        )
        table.add_row("rejected", rejected or "none")
        for line in self._commissioning():
            table.add_row("commissioning", line)
        for name, value in rows:
            table.add_row(name, value)
        self.console.print(table)

    def _commissioning(self) -> list[str]:
        """What was not seen yet of machines in this run, those that lack the same in one line."""
        if self._resumed:
            return []
        lacking: dict[str, list[str]] = {}
        for machine, seen in self._seen.items():
            wanting = "; ".join(str(cause) for cause in seen.wanting(self.zone))
            if wanting:
                lacking.setdefault(wanting, []).append(machine.rpartition("/")[2])
        lines = []
        for what, names in lacking.items():
            others = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            lines.append(f"{', '.join(names[:_NAMED])}{others}: {what}")
        more = len(lines) - _LINES
        return lines if more <= 0 else [*lines[:_LINES], f"and {more} more kinds of gaps"]
