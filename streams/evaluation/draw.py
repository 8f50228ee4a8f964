"""Plots of a bench run. matplotlib is an extra: it is imported only when a plot is drawn."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from streams.evaluation.recording import Outcome
from streams.evaluation.report import BenchError, Plot


def trace_plot(outcome: Outcome) -> Plot:
    """Evidence −log₁₀(1 − score) over time, with events shaded and alarms marked."""

    def draw(figure: Any) -> None:
        record = outcome.recording
        hours = (record.time - record.time[0]) / 3_600_000
        axes = figure.add_subplot()
        evidence = -np.log10(np.clip(1 - outcome.score, 1e-16, 1))
        axes.plot(hours, evidence, linewidth=0.7, color="tab:blue", label="evidence, −log₁₀(1 − score)")
        axes.fill_between(hours, 0, 16, where=record.labels, alpha=0.2, color="tab:red", label="event")
        axes.plot(hours, np.where(outcome.alarm, 15.5, np.nan), linewidth=3, color="k", label="in alarm")
        axes.set(xlabel="hours", ylim=(0, 16), title=record.name)
        axes.legend(loc="upper left", fontsize="small")

    return Plot(re.sub(r"[^\w.-]+", "_", outcome.recording.name).removesuffix(".csv"), draw)


def write_plots(plots: list[Plot], folder: Path) -> list[Path]:
    """Draw each plot into ``folder`` as a PNG; give the files.

    Raises BenchError when matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BenchError("Plots need matplotlib: pip install 'yeji[bench]'") from error
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for plot in plots:
        figure = Figure(figsize=(11, 4), layout="constrained")
        FigureCanvasAgg(figure)
        plot.draw(figure)
        files.append(folder / f"{plot.name}.png")
        figure.savefig(files[-1], dpi=100)
    return files
