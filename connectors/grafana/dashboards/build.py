"""All dashboards, as the JSON that is committed under deploy/grafana/dashboards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from connectors.grafana.dashboards import alarms, desk, fleet, frame, machine, system

MODULES = (fleet, machine, desk, alarms, system)


def build_all(desk: str = "") -> dict[str, dict[str, Any]]:
    """Every dashboard by its uid; that of a machine leads to the ``desk`` at this address, if any."""
    made = {one["uid"]: one for one in (frame.as_json(module.dashboard()) for module in MODULES)}
    if desk:
        made["yeji-machine"]["links"].append(machine.desk_link(desk))
    return made


def file_text(dashboard: dict[str, Any]) -> str:
    """A dashboard as its file holds it."""
    return json.dumps(dashboard, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def write_all(folder: Path) -> list[Path]:
    """Write every dashboard into ``folder``, one file each, and remove files of ones that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for uid, dashboard in build_all().items():
        path = folder / f"{uid}.json"
        path.write_text(file_text(dashboard), encoding="utf-8")
        written.append(path)
    for path in folder.glob("yeji-*.json"):
        if path not in written:
            path.unlink()
    return written
