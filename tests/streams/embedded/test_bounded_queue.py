"""The hand-over between the reading and the working thread."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from pipeline.records import Frame, Message
from streams.embedded.bounded_queue import BoundedQueue, weight


def message(size: int = 10) -> Message:
    return Message(b"x" * size, 0)


def test_items_come_out_in_order_and_about_as_many_as_asked() -> None:
    handover = BoundedQueue(1000)
    sent = [Message(str(i).encode(), 0) for i in range(10)]
    for item in sent:
        handover.put(item)
    handover.end()
    first = handover.drain(3)
    assert first == sent[:3]
    assert handover.drain(100) == sent[3:]
    assert handover.drain(100) is None


def test_a_full_one_waits_until_something_is_taken() -> None:
    handover = BoundedQueue(2)
    handover.put(message())
    handover.put(message())
    done = threading.Event()

    def fill() -> None:
        handover.put(message())
        done.set()

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    assert not done.wait(0.05)
    handover.drain(1)
    assert done.wait(10)
    thread.join(10)


def test_an_error_comes_after_the_last_item() -> None:
    handover = BoundedQueue(100)
    handover.put(message())
    handover.end(OSError("gone"))
    assert len(handover.drain(100) or []) == 1
    with pytest.raises(OSError, match="gone"):
        handover.drain(100)


def test_after_a_stop_what_lies_in_it_is_still_given_and_no_more_is_taken() -> None:
    handover = BoundedQueue(100)
    handover.put(message())
    handover.stop()
    assert handover.put(message()) is False
    assert len(handover.drain(100) or []) == 1
    assert handover.drain(100) is None


def test_a_stop_from_within_the_waiting_thread_wakes_it() -> None:
    """As a signal handler does: it runs in the thread that is inside `take`."""
    handover = BoundedQueue(100)
    with handover._changed:
        handover.stop()
    assert handover.drain(1) is None


def test_large_items_weigh_what_they_hold() -> None:
    frame = Frame("a/b/c/d/e", np.arange(500), ("x",), np.zeros((500, 1)))
    assert weight(frame) == 501
    assert weight(message(100_000)) == 1001
