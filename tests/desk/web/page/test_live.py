"""Open pages learn of news once each, also of what came while the page was on its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from desk.web.kit import live
from desk.web.kit.live import Changes


class Version:
    """A version that a test sets; counts how often it was asked for."""

    def __init__(self) -> None:
        self.value, self.asked = 0, 0

    def __call__(self) -> int:
        self.asked += 1
        if self.value < 0:
            raise OSError("the disk is gone")
        return self.value


async def next_true(heard: AsyncGenerator[bool, None]) -> None:
    async with asyncio.timeout(10):
        while not await anext(heard):
            pass


async def test_every_listener_is_told_once():
    version = Version()
    changes = Changes(version, every=0.01)
    listeners = [changes.listen() for _ in range(50)]
    assert [await anext(one) for one in listeners] == [False] * 50
    version.value = 1
    await asyncio.gather(*map(next_true, listeners))
    assert len(changes) == 50
    asked = version.asked
    await asyncio.sleep(0.05)
    assert version.asked - asked <= 6, "one watcher, not one a listener"
    changes.stop()
    for one in listeners:
        with pytest.raises(StopAsyncIteration):
            await anext(one)
    assert len(changes) == 0


async def test_what_came_while_the_page_was_on_its_way_is_told_at_once():
    version = Version()
    version.value = 7
    changes = Changes(version, every=60)
    fresh, stale, unknown = changes.listen(seen="7"), changes.listen(seen="6"), changes.listen()
    assert [await anext(one) for one in (fresh, stale, unknown)] == [False, True, False]
    changes.stop()
    for one in (fresh, stale, unknown):
        await one.aclose()


async def test_a_slow_listener_is_told_once_of_many_news():
    version = Version()
    changes = Changes(version, every=0.001)
    heard = changes.listen()
    await anext(heard)
    for value in range(1, 6):
        version.value = value
        before = version.asked
        while version.asked < before + 2:
            await asyncio.sleep(0.001)
    assert await anext(heard) is True
    changes.stop()
    with pytest.raises(StopAsyncIteration):
        await anext(heard)


async def test_nobody_listens_nobody_asks():
    version = Version()
    changes = Changes(version, every=0.005)
    heard = changes.listen()
    await anext(heard)
    await heard.aclose()
    assert len(changes) == 0
    while changes._watcher is not None and not changes._watcher.done():
        await asyncio.sleep(0.001)
    asked = version.asked
    await asyncio.sleep(0.02)
    assert version.asked == asked
    again = changes.listen(seen="0")
    assert await anext(again) is False  # and it begins anew for the next
    changes.stop()
    await again.aclose()


async def test_a_store_that_cannot_be_read_is_news():
    version = Version()
    changes = Changes(version, every=0.005)
    heard = changes.listen()
    await anext(heard)
    version.value = -1
    await next_true(heard)
    version.value = 0
    await next_true(heard)
    changes.stop()
    await heard.aclose()


async def test_signs_of_life(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live, "HEARTBEAT", 0.01)
    changes = Changes(Version(), every=60)
    heard = changes.listen()
    assert [await anext(heard) for _ in range(3)] == [False] * 3
    changes.stop()
    await heard.aclose()
