"""The section [spool]: how much is held on disk while Kafka is away."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.settings import Section


class SpoolSettings(Section):
    """What `yeji connect` holds on disk while Kafka is away (docs/connect.md)."""

    max_bytes: int = Field(2_000_000_000, ge=100_000, description="bytes that are held at most")
    keep: Literal["newest", "oldest"] = Field(
        "newest",
        description="which records stay when it is full: newest = the oldest are dropped, oldest = a source "
        "that can wait waits, and what others bring is dropped; what is dropped is counted and told",
    )
    patience: float = Field(
        3.0, gt=0, description="seconds without Kafka's acknowledgement after which records go to the spool"
    )
    retry: float = Field(2.0, gt=0, description="seconds between attempts to reach Kafka again")
    drain_bytes: int = Field(
        1_000_000, ge=10_000, description="bytes of held records on their way at once, beside live ones"
    )
