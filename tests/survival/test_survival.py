"""The short form of the ledger: some faults alone, and one seeded mix. The long form is `make soak`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_services import KafkaNode

from tests.survival.episode import LIVENESS, Episode, mix
from tests.survival.faults import FAULTS

pytestmark = [pytest.mark.services, pytest.mark.soak, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaNode]:
    """A broker of these tests alone: it is stopped and killed."""
    node = KafkaNode(tmp_path_factory.mktemp("survival") / "kafka", port=_free())
    node.start(tied=True)
    yield node
    node.stop()


def _free() -> int:
    from local_services.process import free_port

    return free_port()


@pytest.mark.parametrize("fault", ["worker SIGKILL", "InfluxDB behind a lying proxy", "broker SIGKILL"])
def test_a_fault_alone(broker: KafkaNode, influx: Any, tmp_path: Path, fault: str) -> None:
    account = Episode(broker, influx, tmp_path, seed=1, frames=8).run([fault])
    assert account.faults == {fault: 1}
    assert account.readings > 2000
    assert account.recovery < LIVENESS


def test_a_mix_of_faults(broker: KafkaNode, influx: Any, tmp_path: Path) -> None:
    account = Episode(broker, influx, tmp_path, seed=16, frames=16).run(mix(16, 5))
    assert account.faults.total() == 5
    assert account.alarms > 0
    assert account.recovery < LIVENESS


def test_a_seed_always_draws_the_same_faults() -> None:
    assert mix(7, 50) == mix(7, 50) != mix(8, 50)
    assert set(mix(1, 500)) == set(FAULTS)
