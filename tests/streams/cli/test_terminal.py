"""The summary of a run says what was not seen of machines yet."""

from __future__ import annotations

from io import StringIO

import numpy as np
from rich.console import Console

from pipeline.records import Results, Scored, State
from streams.cli.terminal import Terminal
from streams.embedded.run import Tally
from streams.settings import Settings

NIGHT = 20_000 * 86_400_000 + 22 * 3_600_000  # 22 o'clock UTC


def scored(machine: str, hours: float) -> Scored:
    time = NIGHT + np.arange(round(hours * 60)) * 60_000
    n = len(time)
    state = np.full(n, State.NORMAL, dtype=np.uint8)
    values = np.zeros((n, 1))
    return Scored(
        machine=machine,
        machine_class="",
        time=time,
        sensors=("t",),
        values=values,
        score=np.zeros(n),
        health=np.full(n, 100.0),
        state=state,
        contributions=values,
    )


def summary(*machines: Scored, resumed: bool = False) -> str:
    out = StringIO()
    terminal = Terminal(Settings(), console=Console(file=out, width=200, highlight=False))
    if resumed:
        terminal.resumed(1, [])
    for one in machines:
        terminal.batch(Results(scored=[one]), Tally())
    terminal.summary(Tally(), [])
    return " ".join(out.getvalue().split())


def test_machines_that_lack_the_same_share_a_line() -> None:
    text = summary(*(scored(f"a/b/c/d/press-{i}", 8) for i in range(5)), scored("a/b/c/d/pump", 80))
    want = "press-0, press-1, press-2 and 2 more: seen 8 of at least 48 hours; night only, 22 to 6 o’clock"
    assert want in text
    assert "pump: seen 3 of 7 days" in text


def test_nothing_is_said_of_machines_that_were_known_before_or_seen_for_a_week() -> None:
    assert "commissioning" not in summary(scored("a/b/c/d/pump", 8 * 24))
    assert "commissioning" not in summary(scored("a/b/c/d/pump", 8), resumed=True)
