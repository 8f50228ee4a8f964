"""Faust's consumer thread; besides: a note with each commit, and no two members of one name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

from streams.agents.errors import WorkerError

#: Kicked out so often, while the heartbeats went well, means that another member has the same name.
KICKS = 2


class ConsumerThread(AIOKafkaConsumerThread):  # type: ignore[misc]
    """Commits each partition's offset with the text that the consumer's ``notes`` have for it."""

    async def on_start(self) -> None:
        """Start aiokafka's consumer, and watch whether another takes its name."""
        await super().on_start()
        name = self.app.conf.consumer_group_instance_id
        if name is not None:
            NameWatch(name, self.app.conf.broker_session_timeout, self._taken).watch(
                self._ensure_consumer()._coordinator
            )

    def _taken(self, error: WorkerError) -> None:
        loop = self.app.loop
        loop.call_soon_threadsafe(lambda: asyncio.ensure_future(self.app.crash(error), loop=loop))

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        notes: Mapping[TP, str] = self.consumer.notes
        consumer = self._ensure_consumer()
        commit = consumer.commit

        async def noted(plain: Mapping[Any, Any]) -> None:
            await commit(
                {tp: one._replace(metadata=notes.get(TP(*tp), one.metadata)) for tp, one in plain.items()}
            )

        consumer.commit = noted
        try:
            done: bool = await super()._commit(offsets)
        finally:
            consumer.commit = commit
        return done


class NameWatch:
    """Notices that the group takes this member for gone although its heartbeats are answered.

    The broker lets the newest member of a name (``group.instance.id``) in and forgets the one before, which
    then joins again: two members of one name would take the partitions from each other for ever.
    """

    def __init__(self, name: str, session: float, taken: Any) -> None:
        self._name, self._session, self._taken = name, session, taken
        self._answered = 0.0
        self._kicks: list[float] = []

    def watch(self, coordinator: Any) -> None:
        """Look at each heartbeat of ``coordinator``."""
        beat, reset = coordinator._do_heartbeat, coordinator.reset_generation
        inside = [False]

        async def heartbeat() -> Any:
            inside[0] = True
            try:
                answered = await beat()
            finally:
                inside[0] = False
            if answered:
                self._answered = time.monotonic()
            return answered

        def generation_is_over() -> None:
            if inside[0]:
                self.kicked(time.monotonic())
            reset()

        coordinator._do_heartbeat, coordinator.reset_generation = heartbeat, generation_is_over

    def kicked(self, now: float) -> None:
        """The group does not know this member any more.

        >>> told = []
        >>> watch = NameWatch("press-hall", 30.0, told.append)
        >>> watch._answered = 100.0
        >>> watch.kicked(103.0); watch.kicked(150.0); len(told)  # the second after a long silence of its own
        0
        >>> watch._answered = 158.0
        >>> watch.kicked(160.0); len(told)
        1
        """
        if now - self._answered > self._session / 2:
            return  # it was away for long: the group was right
        self._kicks = [at for at in self._kicks if now - at < 10 * self._session] + [now]
        if len(self._kicks) >= KICKS:
            self._taken(
                WorkerError(
                    f"Another worker runs under the name {self._name!r}, and the group lets only one in. "
                    "Give each worker a name of its own (worker.name, or `yeji worker --name`), or none. "
                    "Nothing is lost."
                )
            )
