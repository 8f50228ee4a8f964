"""The data sheet of an export for people: what is in which file, how much, and what is missing."""

from __future__ import annotations

from typing import Any

_HEAD = """\
# Readings of {machines} machines

{readings} readings from {start} to {end} (UTC), {verdicts} verdicts, {alarms} alarms. {names}
The same facts for programs are in `datasheet.json`.

- `readings/machine=NAME/DAY.parquet`: one row a reading, a file for each day (UTC) with readings.
  - `time`: event time, milliseconds, UTC.
  - `sensor.NAME`: the sensor's value in the unit below; null = missing or bad.
  - `score`: 0..1; a score of p or more comes in a share 1 - p of healthy readings. null = the model learned.
  - `health`: 0..100, slow. `state`: 0 learning, 1 normal, 2 suspect, 3 alarm.
  - `label`: what a crew found about this time: `fault-confirmed`, `false-alarm`, `planned-work`,
    `sensor-fault`; empty = nobody said anything, which does not mean that the machine was healthy.
    `failure_mode`: as the crew named it.
- `verdicts.parquet`: what crews found, with its time. Who found it and what they wrote is not included.
- `alarms.parquet`: what was alarmed, raised and cleared.

Scores and states are those of the models as they were then: no labels.
"""


def readme(sheet: dict[str, Any]) -> str:
    """Markdown; ``sheet`` is what stands in `datasheet.json`."""
    names = "Names are replaced by codes that are the same in every export." if sheet["anonymous"] else ""
    parts = [
        _HEAD.format(
            machines=len(sheet["machines"]),
            readings=sheet["readings"],
            start=sheet["from"],
            end=sheet["to"],
            verdicts=sheet["verdicts"],
            alarms=sheet["alarms"],
            names=names,
        )
    ]
    for one in sheet["machines"]:
        parts.append(f"\n## {one['machine']}\n")
        parts.append(
            f"Class {one['class']}. {one['readings']} readings, {one['labelled']} of them with a label."
        )
        if one["readings"]:
            usual = "" if one["usual_step_ms"] is None else f" Usually one every {one['usual_step_ms']:g} ms;"
            parts.append(
                f"From {one['first']} to {one['last']}.{usual} {one['gaps']} gaps of more than five times "
                f"that, the longest step {one['longest_gap_ms']} ms."
            )
            parts.append("\n| column | unit | values | missing | min | max |\n|---|---|---|---|---|---|")
        for column in one["columns"]:
            low, high = (_shown(column[end]) for end in ("min", "max"))
            name, unit = (str(column[key]).replace("|", "\\|") for key in ("name", "unit"))
            parts.append(f"| `{name}` | {unit} | {column['values']} | {column['missing']} | {low} | {high} |")
    return "\n".join(parts) + "\n"


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
