"""How early could any method be on SKAB, and how much do our figures hang on chance?

    python benchmarks/skab_limits.py ../shared/data/SKAB

Earliest: a method with hindsight knows each sensor's range of the whole time before the fault, and so has no
false alarm. When does a sensor, smoothed at some speed, leave its range by a tenth of it, for five of eight
readings? Beside it, how often that happens within 20 s of healthy moments, where nothing is to be seen.

Chance: the same recordings once more without their first few readings, which changes no event.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.signal import lfilter

from detectors.batch import Floats
from streams.evaluation.figures import event_figures
from streams.evaluation.reader import read_folder
from streams.evaluation.recording import Recording
from streams.evaluation.replay import replay
from streams.evaluation.skab import official, preset

DROPPED = (0, 5, 11, 18, 26)
HEALTHY = (420, 450, 480, 510, 535)
NEVER, SOON = 10_000.0, 20.0


def smoothed(x: Floats, over: float) -> Floats:
    """Exponentially weighted mean over about ``over`` readings."""
    keep = 1 - 1 / over
    result: Floats = lfilter([1 / over], [1, -keep], x, axis=0, zi=(keep * x[0])[None])[0]
    return result


def looks(x: Floats) -> Floats:
    """(n, looks, k) each sensor at several speeds, and its short means beside its long ones."""
    short, middle = smoothed(x, 3), smoothed(x, 6)
    return np.stack((x, short, middle, smoothed(x, 12), short - smoothed(x, 30), middle - smoothed(x, 60)), 1)


def earliest(seen: Floats, onset: int, end: int) -> Floats:
    """(looks, k) readings from ``onset`` until each look leaves its range of before; NEVER = it does not."""
    low, high = seen[30:onset].min(axis=0), seen[30:onset].max(axis=0)
    margin = 0.1 * (high - low) / 2
    outside = (seen[onset : end + 8] > high + margin) | (seen[onset : end + 8] < low - margin)
    lasting = np.stack([outside[i : i + 8].sum(axis=0) >= 5 for i in range(len(outside) - 8)])
    lasting &= outside[: len(lasting)]
    first: Floats = np.where(lasting.any(axis=0), lasting.argmax(axis=0), NEVER)
    return first


def limits(recordings: list[Recording]) -> Table:
    """The earliest possible alarms, by sensor."""
    real, null = [], []
    for one in recordings:
        seen, (onset, end) = looks(one.values), one.events[0].tolist()
        seconds = (one.time - one.time[onset]) / 1000
        first = earliest(seen, onset, end).min(axis=0)
        real.append([seconds[min(onset + int(at), len(one) - 1)] if at < NEVER else NEVER for at in first])
        null += [earliest(seen, at, at + int(SOON)).min(axis=0) < NEVER for at in HEALTHY if at + 30 < onset]
    delay, chance = np.array(real), np.array(null)
    table = Table(title="Earliest possible alarm, with hindsight and no false alarm")
    for column in ("sensor", "median, s", "within 20 s, %", "healthy moments so, %"):
        table.add_column(column, justify="right")
    for j, name in (*enumerate(recordings[0].sensors), (slice(None), "any of them")):
        best = delay[:, [j]] if isinstance(j, int) else delay
        often = chance[:, [j]] if isinstance(j, int) else chance
        middle = float(np.median(best.min(axis=1)))
        table.add_row(
            name,
            f"{middle:.1f}" if middle < NEVER else "–",
            f"{100 * np.mean(best.min(axis=1) <= SOON):.0f}",
            f"{100 * np.mean(often.any(axis=1)):.0f}",
        )
    return table


def chances(recordings: list[Recording]) -> Table:
    """Our figures with some first readings left out."""
    table = Table(title="Without the first readings")
    columns = ("left out", "caught", "standing", "delay, s", "before", "VUS-PR", "F1", "false alarm rate, %")
    for column in columns:
        table.add_column(column, justify="right")
    rows = []
    for dropped in track(DROPPED, console=Console(stderr=True)):
        outcomes = []
        for one in recordings:
            rest = Recording(
                one.name, one.time[dropped:], one.sensors, one.values[dropped:], one.events - dropped
            )
            usual = preset(rest)
            learning = usual.learning.model_copy(update={"warmup": usual.warmup_for(8) - dropped})
            outcomes.append(replay(rest, usual.model_copy(update={"learning": learning})))
        found, (f1, rate, _) = event_figures(outcomes), official(outcomes)
        rows.append(
            [
                found.caught,
                found.standing,
                found.delay_median,
                found.before,
                found.vus_pr,
                f1 or 0.0,
                rate or 0.0,
            ]
        )
        table.add_row(str(dropped), *(f"{cell:.3g}" for cell in rows[-1]))
    table.add_row("mean", *(f"{cell:.3g}" for cell in np.array(rows, dtype=float).mean(axis=0)))
    return table


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("path", type=Path)
    recordings = [one for one in read_folder(parser.parse_args().path) if len(one.events)]
    console = Console(width=120)
    console.print(limits(recordings))
    console.print(chances(recordings))


if __name__ == "__main__":
    main()
