"""The channels between Kafka, the agents and the processor: one event a fetch, one a batch that goes out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Generic, TypeVar

import faust
from faust.types.tuples import Message
from mode.utils.queues import ThrowableQueue

from streams.agents.fetch import Fetch

_T = TypeVar("_T")

#: Fetches that wait for an agent, at most: the consumer waits until there is room.
_FETCHES = 16


class _Tracked(Message):  # type: ignore[misc]
    """Calls ``done`` when the last agent has acknowledged the event.

    Faust's compiled stream loop sets ``acked`` itself and calls no method, so the attribute is a property.
    An event that a stream skips because a rebalance is on was not worked on, and does not count.
    """

    __slots__ = ("_acked", "_app", "_done")

    def __init__(self, app: faust.App, topic: str, done: Callable[[], None]) -> None:
        self._app, self._done, self._acked = app, done, False
        super().__init__(
            topic, -1, -1, 0.0, 0, None, None, b"", None, generation_id=app.consumer_generation_id
        )

    @property
    def acked(self) -> bool:
        return self._acked

    @acked.setter
    def acked(self, acked: bool) -> None:
        first, self._acked = acked and not self._acked, acked
        if (
            first
            and self._app.flow_control.is_active()
            and self.generation_id == self._app.consumer_generation_id
        ):
            self._done()

    def on_final_ack(self, consumer: Any) -> bool:
        """Mark it, and tell Faust that there is no offset to commit: the processor commits."""
        self.acked = True
        return False


class _NamedChannel(faust.Channel[_T]):  # type: ignore[misc]
    def __init__(self, app: faust.App, *, name: str, **options: Any) -> None:
        self.name = name
        super().__init__(app, **options)

    def _clone_args(self) -> dict[str, Any]:
        return {**super()._clone_args(), "name": self.name}

    def __str__(self) -> str:
        return self.name

    @property
    def _queues(self) -> list[ThrowableQueue]:
        """The queue of every agent that reads this channel."""
        root = self._root if self._root is not None else self
        return [subscriber.queue for subscriber in root._subscribers]


class FetchChannel(_NamedChannel[Fetch]):
    """A Kafka topic whose records come to each agent as one `Fetch` for what one fetch returned.

    Several agents may read it; each is given every fetch. What an agent has not acknowledged (by going on to
    the next one) is not committed.
    """

    def __init__(self, app: faust.App, *, maxsize: int | None = _FETCHES, **options: Any) -> None:
        super().__init__(app, maxsize=maxsize, **options)

    def get_topic_name(self) -> str:
        """The topic's name, for `faust agents`."""
        return self.name

    async def publish(self, fetch: Fetch) -> None:
        """Give ``fetch`` to every agent; waits for those whose queue is full."""
        for chunk in fetch.chunks:
            chunk.partition.handed_out(chunk.first)

        def done() -> None:
            for chunk in fetch.chunks:
                chunk.partition.acknowledge(chunk.first, chunk.generation)

        queues = self._queues
        message = _Tracked(self.app, self.name, done)
        message.incref(len(queues))
        event = self._create_event(None, fetch, None, message)
        for queue in queues:
            await queue.put(event)


class Outgoing(Generic[_T]):
    """Items that an agent is to deliver. The batch they are of waits in `delivered`.

    The agent that delivers does so inside ``with outgoing:``, so that its failure becomes the batch's.
    """

    def __init__(self, items: Sequence[_T]) -> None:
        self.items = items
        self._outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def delivered(self) -> None:
        """Return when every item is; raises what kept them from it."""
        await self._outcome

    def __enter__(self) -> Sequence[_T]:
        return self.items

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        if self._outcome.done():  # whoever waited has been cancelled
            return isinstance(error, Exception)
        if error is None:
            self._outcome.set_result(None)
        elif isinstance(error, Exception):
            self._outcome.set_exception(error)
            return True
        else:
            self._outcome.cancel()
        return False


class OutgoingChannel(_NamedChannel[Outgoing[_T]]):
    """From the processor to the agent that delivers, within this worker.

    It carries plain values, not events, and no rebalance empties it: what is under way is finished before
    partitions are given up.
    """

    _queue: ThrowableQueue | None

    @property
    def queue(self) -> ThrowableQueue:
        """The agent's queue."""
        if self._queue is None:
            self._queue = ThrowableQueue(0, flow_control=self.app.flow_control, clear_on_resume=False)
        return self._queue

    async def deliver_all(self, items: Sequence[_T]) -> None:
        """Return when the agent has delivered ``items``. Raises what the agent's delivery raises."""
        if not items:
            return
        outgoing = Outgoing(items)
        for queue in self._queues:
            queue.put_nowait(outgoing)
        await outgoing.delivered()
