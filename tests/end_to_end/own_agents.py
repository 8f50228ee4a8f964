"""Agents that a test puts beside ours: one on the frames, which may die, and one on an ordinary topic.

What they are given goes to the file YEJI_TEST_SEEN, a line each. YEJI_TEST_DIE=N: SIGKILL at the N-th fetch,
when what ours made of it is long written.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from streams.agents.app import app

_SEEN = Path(os.environ.get("YEJI_TEST_SEEN", "seen"))
_DIE = int(os.environ.get("YEJI_TEST_DIE", "0"))

orders = app.topic(os.environ.get("YEJI_TEST_ORDERS", "orders"), value_serializer="raw", key_serializer="raw")


def seen(*words: object) -> None:
    """Keep a line."""
    with _SEEN.open("a") as file:
        print(*words, file=file)


@app.agent(app.frames)  # type: ignore[untyped-decorator]
async def offsets(fetches: Any) -> None:
    """Keep where each message came from, but slowly: ours has long written what it still has to see."""
    count = 0
    async for fetch in fetches:
        count += 1
        if count == _DIE:
            await asyncio.sleep(3.0)  # several checkpoints
            os.kill(os.getpid(), signal.SIGKILL)
        for message in fetch.messages():
            seen("frame", message.partition, message.offset)


@app.agent(orders)  # type: ignore[untyped-decorator]
async def take_orders(values: Any) -> None:
    """Messages of another topic come one by one."""
    async for value in values:
        seen("order", value.decode())
