"""What may be committed of a partition while agents have not acknowledged all they were given."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.agents.partition_state import PartitionState


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=20), st.randoms())
def test_nothing_is_committed_that_an_agent_may_still_have_to_see(
    fetches: list[tuple[int, bool]], chance: object
) -> None:
    partition = PartitionState("frames", 0)
    partition.begin(0, 0)
    first = 0
    waiting = []
    for length, acknowledged in fetches:
        partition.handed_out(first)
        partition.durable = first + length
        if acknowledged:
            partition.acknowledge(first, partition.generation)
        else:
            waiting.append(first)
        first += length
        assert partition.committable == min([partition.durable, *waiting])
    while waiting:
        partition.acknowledge(waiting.pop(), partition.generation)
        assert partition.committable == min([first, *waiting])
    assert partition.committable == partition.durable == first


def test_acknowledgements_from_before_a_rebalance_do_not_count() -> None:
    partition = PartitionState("frames", 0)
    partition.begin(0, 0)
    before = partition.generation
    partition.begin(0, 0)
    partition.handed_out(0)
    partition.durable = 10
    partition.acknowledge(0, before)
    assert partition.committable == 0
    partition.acknowledge(0, partition.generation)
    assert partition.committable == 10
