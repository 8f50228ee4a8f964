"""The format `events`: any folder of recordings with marked events; measures what a crew would feel.

Each CSV file is one machine: a time column first, then sensors, one reading a row; a separator of `,` or
`;`. Events are either the rows where a column ``anomaly`` (or ``label``, ``fault``) is not 0, or the rows
``file,start,end`` of an ``events.csv`` in the same folder.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.settings import ClassSettings
from streams.evaluation.compare import compare
from streams.evaluation.reader import read_folder, read_sets
from streams.evaluation.recording import Recording
from streams.evaluation.report import Report, Watch
from streams.evaluation.sets import compare_sets


def run(path: Path, watch: Watch) -> Report:
    """The default class settings on every file under ``path``; each folder there is a set of its own."""
    sets = read_sets(path)
    if len(sets) > 1:
        return compare_sets(f"sets of {path}", sets, preset, watch)
    return compare(f"events of {path}", read_folder(path), preset, watch)


def preset(recording: Recording) -> ClassSettings:
    """What an unconfigured machine gets."""
    return ClassSettings()
