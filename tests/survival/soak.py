"""`make soak`: episode after episode, each with its seed, until so many readings and kills are survived."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from local_services import InfluxNode

from tests.survival.episode import Episode, mix
from tests.survival.wired_broker import WiredBroker


def main() -> int:
    """Run; 1 when an episode fails, whose seed and faults are printed then."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first episode; each one has its own")
    parser.add_argument("--readings", type=int, default=2_000_000, help="in all, at least")
    parser.add_argument("--kills", type=int, default=100, help="SIGKILLs in all, at least")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="no new episode after so long")
    parser.add_argument("--frames", type=int, default=100, help="size of an episode: 300 readings each")
    parser.add_argument("--faults", type=int, default=12, help="faults an episode")
    asked = parser.parse_args()
    began, seed, total, kills, worst = time.monotonic(), asked.seed, 0, 0, 0.0
    faults: Counter[str] = Counter()
    lies: Counter[str] = Counter()
    alarms = rejected = episodes = 0
    with tempfile.TemporaryDirectory(prefix="yeji-soak-") as folder:
        broker = WiredBroker(Path(folder) / "kafka")
        database = InfluxNode(Path(folder) / "influx")
        broker.start()
        influx = database.start(tied=True)
        try:
            while (total < asked.readings or kills < asked.kills) and (
                time.monotonic() - began < 60 * asked.minutes
            ):
                drawn = mix(seed, asked.faults)
                try:
                    one = Episode(broker, influx, Path(folder) / str(seed), seed, asked.frames).run(drawn)
                except BaseException:
                    print(f"Episode {seed} failed; its faults: {drawn}", file=sys.stderr)
                    raise
                total, alarms, rejected = total + one.readings, alarms + one.alarms, rejected + one.rejected
                kills += one.faults["worker SIGKILL"] + one.faults["broker SIGKILL"]
                faults, lies, worst = faults + one.faults, lies + one.lies, max(worst, one.recovery)
                episodes += 1
                print(
                    f"seed {seed}: {one.readings} readings, {one.alarms} alarms, {dict(one.faults)}, stored "
                    f"{one.recovery:.0f} s after the last fault, {one.seconds:.0f} s in all",
                    flush=True,
                )
                seed += 1
        finally:
            broker.stop()
            database.stop()
    print(
        json.dumps(
            {
                "seeds": [asked.seed, seed - 1],
                "episodes": episodes,
                "readings": total,
                "alarms": alarms,
                "rejected": rejected,
                "kills": kills,
                "faults": faults,
                "lies": lies,
                "slowest recovery, s": round(worst, 1),
                "minutes": round((time.monotonic() - began) / 60, 1),
                "lost": 0,
                "twice": 0,
                "different": 0,
            },
            indent=1,
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
