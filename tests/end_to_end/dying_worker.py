"""`yeji worker` on settings from a JSON file, which kills itself (SIGKILL) where YEJI_TEST_DIE says.

``POINT:N`` = the N-th time that the point is reached: ``process`` in the pipeline, ``write`` in the
sinks, ``snapshots`` before they are sent, ``commit`` after they were sent, ``committed`` after the commit.
With ``poison`` it lives, and its pipeline fails on every batch that holds a message with that word.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.pipeline import Pipeline
from pipeline.records import Message
from streams.agents import engine, writer
from streams.agents.build import build_app
from streams.agents.run import run_worker
from streams.agents.transport import BulkConsumer
from streams.settings import Settings


def main() -> None:
    """Run, and die as told."""
    point, _, count = os.environ.get("YEJI_TEST_DIE", "").partition(":")
    left = int(count or 0)

    def reached() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(owner: Any, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            reached()
            return original(*args, **kwargs)

        setattr(owner, name, wrapped)

    if point == "process":
        before(engine.Engine, "process")
    elif point == "write":
        before(writer, "send_all")
    elif point == "snapshots":
        before(engine.Engine, "dump_changed")
    elif point == "commit":
        before(BulkConsumer, "commit_offsets")
    elif point == "committed":
        commit = BulkConsumer.commit_offsets

        async def committed(self: Any, offsets: Any, notes: Any) -> bool:
            done = await commit(self, offsets, notes)
            reached()
            return done

        BulkConsumer.commit_offsets = committed  # type: ignore[method-assign]
    elif point == "poison":
        process = Pipeline.process

        def poisoned(self: Any, items: Any) -> Any:
            results = process(self, items)  # half of the harm is done before it fails
            if any(b"poison" in item.value for item in items if isinstance(item, Message)):
                raise ArithmeticError("poison")
            return results

        Pipeline.process = poisoned  # type: ignore[method-assign]
    settings = Settings(**json.loads(Path(sys.argv[1]).read_text()))
    run_worker(build_app(settings))


if __name__ == "__main__":
    main()
