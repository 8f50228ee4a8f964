"""Verdicts and commands to every partition of their topic: whichever worker has the machine takes it.

A machine's messages lie where its producer's partitioner put them, and those of Java, librdkafka and others
differ. The desk does not know which it was, and there are few verdicts: so each partition gets a copy, and
the worker takes the one in the partition that the machine's readings come from.
"""

from __future__ import annotations

from typing import Any

from kafka import KafkaProducer


def broadcast(producer: KafkaProducer, topic: str, key: bytes, value: bytes) -> list[Any]:
    """Send one copy to each partition; returns a future of each. Raises what the client raises."""
    partitions = sorted(producer.partitions_for(topic) or ())
    return [producer.send(topic, value, key=key, partition=partition) for partition in partitions or (None,)]
