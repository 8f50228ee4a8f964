"""What a sink refused for good, as rejected input: it is kept where other rejections are."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from connectors.base.contract import Refused
from pipeline.records import Reason, Rejection, Results


def rejections_of(sink: str, refused: Iterable[Refused], results: Results) -> list[Rejection]:
    """A rejection for each; ``results`` are those that were being written."""
    received = max((int(scored.time[-1]) for scored in results.scored), default=0)
    return [
        Rejection(
            Reason.INTERNAL,
            f"The sink {sink} refuses this: {one.reason}. With InfluxDB another program may write the same "
            "field with another type, or the bucket's retention is shorter than the reading is old.",
            one.line,
            received,
            topic=sink,
            offset=zlib.crc32(one.line),
        )
        for one in refused
    ]
