"""Several sources as one: order and acknowledgement of each are its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.base.contract import Item, Source
from connectors.base.merged import MergedSource
from pipeline.records import Message


class Counting(Source):
    def __init__(self, name: str, count: int, error: Exception | None = None) -> None:
        self.name, self.count, self.error = name, count, error
        self.told: list[int] = []

    def __iter__(self) -> Iterator[Item]:
        for number in range(self.count):
            yield Message(b"%d" % number, 0, topic=self.name)
        if self.error is not None:
            raise self.error

    def durable(self, count: int) -> None:
        self.told.append(count)


def test_each_source_keeps_its_order_and_is_told_what_of_it_is_durable() -> None:
    a, b = Counting("a", 500), Counting("b", 300)
    merged = MergedSource([a, b])
    items = [item for item in merged if isinstance(item, Message)]
    for source in (a, b):
        assert [int(i.value) for i in items if i.topic == source.name] == list(range(source.count))
    for upto in (100, 100, 777):
        merged.durable(upto)
        for source in (a, b):
            wanted = sum(item.topic == source.name for item in items[:upto])
            assert (source.told or [0])[-1] == wanted
    merged.durable(800)
    assert (a.told[-1], b.told[-1]) == (500, 300)


def test_what_one_raises_ends_it() -> None:
    with pytest.raises(OSError, match="broken"):
        list(MergedSource([Counting("a", 10), Counting("b", 0, OSError("broken"))]))
