"""What the settings of every sink have in common."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings import Section


class SinkSettings(Section):
    """One sink: its kind; the rest is the kind's own."""

    kind: str = Field(description="which system it writes to: see docs/extend.md")
