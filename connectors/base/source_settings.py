"""What the settings of every source that runs on by itself have in common."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings import Section


class GatherSettings(Section):
    """How long arrivals (messages, changed values) are gathered before they go on together."""

    seconds: float = Field(
        0.1, gt=0, description="seconds that the first of them waits at most: paid for with latency"
    )
    arrivals: int = Field(5000, ge=1, description="arrivals that go on together at most")
    waiting: int = Field(
        100_000,
        ge=1,
        description="arrivals that may wait in memory; then a source that can wait does, others lose the "
        "oldest, which is counted",
    )


class SourceSettings(Section):
    """One source: its kind, and how what arrives is gathered."""

    kind: str = Field(description="which system it reads: see docs/connect.md")
    gather: GatherSettings = Field(default_factory=GatherSettings)
