"""The short form of the ledger: every fault once, in one episode. The long form is `make soak`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.survival.episode import Episode, mix
from tests.survival.faults import FAULTS
from tests.survival.wired_broker import WiredBroker


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WiredBroker]:
    """A broker of these tests alone: it is stopped and killed."""
    one = WiredBroker(tmp_path_factory.mktemp("survival") / "kafka")
    one.start()
    yield one
    one.stop()


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_fault_once(broker: WiredBroker, influx: Any, tmp_path: Path) -> None:
    faults = list(FAULTS)
    random.Random(16).shuffle(faults)
    account = Episode(broker, influx, tmp_path, seed=16, frames=26).run(faults)
    assert account.faults == dict.fromkeys(FAULTS, 1)
    assert account.readings > 7000
    assert account.alarms > 0
    assert account.rejected > 300


@pytest.mark.services
@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_fault_alone(broker: WiredBroker, influx: Any, tmp_path: Path, fault: str) -> None:
    account = Episode(broker, influx, tmp_path, seed=1, frames=8).run([fault])
    assert account.faults == {fault: 1}
    assert account.readings > 2000


def test_a_seed_always_draws_the_same_faults() -> None:
    assert mix(7, 50) == mix(7, 50) != mix(8, 50)
    assert set(mix(1, 800)) == set(FAULTS)
