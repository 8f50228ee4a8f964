"""The faults of the ledger: each does its harm to the workers or services of an episode, and returns."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.survival.episode import Episode


def kill(episode: Episode) -> None:
    """SIGKILL to a worker, which is started again."""
    episode.random_worker().kill()
    episode.keep_workers()


def stop_process(episode: Episode) -> None:
    """SIGSTOP to a worker for longer than its session: the group gives its partitions away meanwhile."""
    worker = episode.random_worker()
    pause = episode.settings.worker.session + episode.rng.uniform(-4, 2)
    os.kill(worker.process.pid, signal.SIGSTOP)
    time.sleep(max(pause, 1.0))
    os.kill(worker.process.pid, signal.SIGCONT)


def rebalance(episode: Episode) -> None:
    """Another worker comes, or one leaves in order."""
    if len(episode.running()) > 1:
        episode.random_worker().terminate()
    else:
        episode.start_worker()


def database_away(episode: Episode) -> None:
    """InfluxDB cannot be reached."""
    episode.proxy.shut = True
    time.sleep(episode.rng.uniform(1, 5))
    episode.proxy.honest()


def database_lies(episode: Episode) -> None:
    """A proxy before InfluxDB answers half of the requests itself, and not with the truth."""
    episode.proxy.share = 0.5
    time.sleep(episode.rng.uniform(2, 6))
    episode.proxy.honest()


def database_slow(episode: Episode) -> None:
    """Each request to InfluxDB takes a second or two more."""
    episode.proxy.delay = episode.rng.uniform(0.5, 2)
    time.sleep(episode.rng.uniform(2, 5))
    episode.proxy.honest()


def broker_paused(episode: Episode) -> None:
    """SIGSTOP to the broker."""
    pid = episode.broker.pid
    os.kill(pid, signal.SIGSTOP)
    time.sleep(episode.rng.uniform(2, 8))
    os.kill(pid, signal.SIGCONT)


def broker_killed(episode: Episode) -> None:
    """SIGKILL to the broker, which comes back on its old port."""
    pid = episode.broker.pid
    os.kill(pid, signal.SIGKILL)
    time.sleep(episode.rng.uniform(1, 3))
    episode.broker.start()


def connections_cut(episode: Episode) -> None:
    """All TCP connections between workers and the broker are reset, several times, wherever they are."""
    for _ in range(episode.rng.randint(1, 4)):
        episode.wire.cut()
        time.sleep(episode.rng.uniform(0, 1.5))


def connections_slow(episode: Episode) -> None:
    """Each piece between workers and the broker takes up to half a second more."""
    episode.wire.delay = episode.rng.uniform(0.05, 0.5)
    time.sleep(episode.rng.uniform(2, 6))
    episode.wire.honest()


def cable_pulled(episode: Episode) -> None:
    """Nothing passes between workers and the broker, no connection ends; for as long as a session or so."""
    episode.wire.silent = True
    time.sleep(episode.settings.worker.session + episode.rng.uniform(-4, 2))
    episode.wire.honest()


def flood(episode: Episode) -> None:
    """Hundreds of messages that nobody can use."""
    for n in range(300):
        episode.poison(b"flood %d" % n)


#: Each fault with how often it is drawn, relative to the others.
FAULTS: dict[str, tuple[Callable[[Episode], None], int]] = {
    "worker SIGKILL": (kill, 6),
    "worker SIGSTOP": (stop_process, 1),
    "rebalance": (rebalance, 2),
    "InfluxDB away": (database_away, 2),
    "InfluxDB behind a lying proxy": (database_lies, 3),
    "InfluxDB slow": (database_slow, 1),
    "broker SIGSTOP": (broker_paused, 1),
    "broker SIGKILL": (broker_killed, 1),
    "flood of bad input": (flood, 1),
    "TCP cut": (connections_cut, 2),
    "TCP slow": (connections_slow, 1),
    "cable pulled": (cable_pulled, 1),
}
