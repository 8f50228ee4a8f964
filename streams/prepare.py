"""Every kernel compiled before the first reading comes; `python -m streams.prepare` does it for an image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from detectors.batch import Batch
from pipeline.monitor import Monitor
from pipeline.settings import ClassSettings
from streams.one_thread import one_thread
from streams.settings import Settings, load_settings

#: Readings that a made-up machine begins with, and readings after them: several blocks that are learned.
_BEGIN, _AFTER = 300, 200


def prepare(settings: Settings) -> None:
    """Let a monitor of each kind of class see made-up readings, so that every kernel is compiled or loaded.

    Every program that runs the pipeline begins with this, and so holds BLAS to one thread.
    Takes some twenty seconds where nothing was compiled before, and one where it was.
    """
    one_thread()
    for class_settings, width in _different(settings):
        monitor = Monitor(class_settings, tuple(f"sensor_{column}" for column in range(width)))
        row = monitor.place("prepare")
        rng = np.random.default_rng(0)
        x = rng.normal(size=(_BEGIN + _AFTER, width))
        x[_BEGIN::7, 0] = np.nan
        x[-20:] += 50.0
        time = np.arange(len(x), dtype=np.int64) * 1000
        for take, part in ((monitor.begin, slice(0, _BEGIN)), (monitor.process, slice(_BEGIN, None))):
            counts = np.array([len(time[part])], dtype=np.int64)
            take(Batch(np.array([row], dtype=np.int64), counts, time[part], x[part]))


def _different(settings: Settings) -> Iterator[tuple[ClassSettings, int]]:
    """Classes with different detectors, and widths that choose different ones."""
    seen: set[tuple[str, ...]] = set()
    for class_settings in settings.classes.values():
        for width in (
            4,
            1,
        ):  # sensors are compared with each other from three on, which needs the wider kernels
            kinds = tuple(sorted(detector.kind for detector in class_settings.detectors_for(width)))
            if kinds not in seen:
                seen.add(kinds)
                yield class_settings, width


if __name__ == "__main__":
    prepare(load_settings())
