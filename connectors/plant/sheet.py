"""A plant from a spreadsheet, xlsx or CSV: a row for each sensor of each machine."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline.plant import Plant, PlantError, parse_plant
from pipeline.settings import SettingsError

#: What a column may be called; the first is what the docs call it.
_COLUMNS: dict[str, tuple[str, ...]] = {
    "enterprise": ("enterprise", "company", "회사"),
    "site": ("site", "plant", "사업장", "공장"),
    "area": ("area", "shop", "hall", "구역"),
    "line": ("line", "라인"),
    "machine": ("machine", "id", "equipment", "asset", "tag", "설비", "설비번호"),
    "machine_name": ("machine name", "name", "description", "설비명"),
    "machine_name_ko": ("machine name ko", "name ko", "설비명(한글)"),
    "class": ("class", "type", "machine class", "equipment class", "설비종류"),
    "source": ("source", "gateway", "수집원"),
    "aliases": ("aliases", "alias", "other names", "별칭"),
    "failure_modes": ("failure modes", "failure mode", "고장모드"),
    "sensor": ("sensor", "signal", "measurement", "point", "센서"),
    "sensor_name": ("sensor name", "signal name", "센서명"),
    "sensor_name_ko": ("sensor name ko", "센서명(한글)"),
    "unit": ("unit", "units", "eng. unit", "단위"),
    "source_unit": ("source unit", "raw unit", "수집단위"),
    "low": ("low", "range low", "min", "lrv", "하한"),
    "high": ("high", "range high", "max", "urv", "상한"),
    "warn": ("warn", "warning", "hi", "h", "주의"),
    "trip": ("trip", "alarm", "hihi", "hh", "경보"),
    "low_warn": ("low warn", "low warning", "lo", "l", "하한주의"),
    "low_trip": ("low trip", "low alarm", "lolo", "ll", "하한경보"),
}
_OF = {called: column for column, names in _COLUMNS.items() for called in names}
_LIMITS = ("warn", "trip", "low_warn", "low_trip")
#: Columns whose cell may be left empty under one that says it.
_CARRIED = ("enterprise", "site", "area", "line", "machine")
_LINES_ABOVE = 20


def read_sheet(path: Path) -> tuple[Plant, list[str]]:
    """The plant in a spreadsheet, and notes on what was not understood. Raises `SettingsError`.

    A sensor goes to its machine's class; where machines of a class differ, what is otherwise goes to the
    machine.
    """
    rows = list(_xlsx(path) if path.suffix.lower() in (".xlsx", ".xlsm") else _csv(path))
    at = next((n for n, row in enumerate(rows[:_LINES_ABOVE]) if len(_columns(row)) >= 2), None)
    header = _columns(rows[at]) if at is not None else {}
    if at is None or "machine" not in header.values():
        raise SettingsError(
            f"{path}: no row of the first {_LINES_ABOVE} names the columns. Name one `machine`, and others "
            "as docs/plant.md has them."
        )
    unknown = [cell for n, cell in enumerate(rows[at]) if cell and n not in header]
    notes = [f"column {cell!r} is not known, and left out" for cell in unknown]
    return _plant(path, rows[at + 1 :], header, at + 2, notes), notes


def _columns(row: list[str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for n, cell in enumerate(row):
        column = _OF.get(" ".join(cell.lower().replace("_", " ").split()))
        if column is not None and column not in found.values():
            found[n] = column
    return found


def _plant(path: Path, rows: list[list[str]], header: dict[int, str], first: int, notes: list[str]) -> Plant:
    values: dict[str, Any] = {"classes": {}, "machines": []}
    machines: dict[tuple[str, ...], dict[str, Any]] = {}
    carried: dict[str, str] = {}
    for number, row in enumerate(rows, first):
        cells = {column: row[n].strip() for n, column in header.items() if n < len(row) and row[n].strip()}
        if not cells:
            continue
        for column in _CARRIED:
            if column in cells and carried.get(column) != cells[column]:
                # a new area has other lines, a new line other machines
                for inner in _CARRIED[_CARRIED.index(column) + 1 :]:
                    carried.pop(inner, None)
                carried[column] = cells[column]
        cells = carried | cells
        for column in ("enterprise", "site"):
            if column in cells and values.setdefault(column, cells[column]) != cells[column]:
                raise SettingsError(
                    f"{path}, row {number}: {column} is {cells[column]!r}, and was {values[column]!r}: "
                    "import one site at a time."
                )
        if "machine" not in cells:
            notes.append(f"row {number} names no machine, and is left out")
            continue
        key = tuple(cells.get(one, "") for one in ("area", "line", "machine"))
        machine = machines.get(key)
        if machine is None:
            machine = machines[key] = {"id": cells["machine"]}
            machine |= {one: cells[one] for one in ("area", "line") if one in cells}
            values["machines"].append(machine)
        _machine(machine, cells)
        if "sensor" in cells:
            _sensor(path, number, values, machine, cells)
        if "class" in machine and "failure_modes" in cells:
            kind = values["classes"].setdefault(machine["class"], {})
            modes = kind.setdefault("failure_modes", [])
            modes += [one for one in _listed(cells["failure_modes"]) if one not in modes]
    for machine in values["machines"]:
        if "class" in machine:
            values["classes"].setdefault(machine["class"], {})
    try:
        return parse_plant(values)
    except PlantError as error:
        raise SettingsError(f"{path} holds what is no plant: {error}.") from None


def _machine(machine: dict[str, Any], cells: dict[str, str]) -> None:
    machine |= {one: cells[one] for one in ("class", "source") if one in cells}
    name = _name(cells.get("machine_name"), cells.get("machine_name_ko"))
    if name:
        machine["name"] = name
    if "aliases" in cells:
        machine["aliases"] = _listed(cells["aliases"])


def _sensor(
    path: Path, number: int, values: dict[str, Any], machine: dict[str, Any], cells: dict[str, str]
) -> None:
    made: dict[str, Any] = {one: cells[one] for one in ("unit", "source_unit") if one in cells}
    made |= {one: _amount(cells[one]) for one in _LIMITS if one in cells}
    if "low" in cells and "high" in cells:
        made["range"] = [_amount(cells["low"]), _amount(cells["high"])]
    elif "low" in cells or "high" in cells:
        raise SettingsError(f"{path}, row {number}: a range has two ends: write both, or none.")
    name = _name(cells.get("sensor_name"), cells.get("sensor_name_ko"))
    if name:
        made["name"] = name
    sensor = cells["sensor"]
    if "class" not in machine:
        machine.setdefault("sensors", {})[sensor] = made
        return
    common = values["classes"].setdefault(machine["class"], {}).setdefault("sensors", {})
    if sensor not in common:
        common[sensor] = made
        return
    own = {key: value for key, value in made.items() if common[sensor].get(key) != value}
    if own:
        machine.setdefault("sensors", {})[sensor] = own


def _name(english: str | None, korean: str | None) -> str | dict[str, str]:
    if not korean:
        return english or ""
    return {"en": english, "ko": korean} if english else {"ko": korean}


def _listed(cell: str) -> list[str]:
    return [one.strip() for one in cell.replace(";", ",").split(",") if one.strip()]


def _amount(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def _xlsx(path: Path) -> Iterator[list[str]]:
    """The rows of the sheet `plant`, else of the first one, as text."""
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (OSError, KeyError, ValueError, BadZipFile, InvalidFileException) as error:
        raise SettingsError(f"{path} cannot be read as xlsx: {type(error).__name__}: {error}.") from error
    try:
        sheet = book["plant"] if "plant" in book.sheetnames else book.worksheets[0]
        for row in sheet.iter_rows(values_only=True):
            yield [_shown(cell) for cell in row]
    finally:
        book.close()


def _shown(cell: object) -> str:
    if cell is None:
        return ""
    return f"{cell:g}" if isinstance(cell, float) and cell.is_integer() else str(cell)


def _csv(path: Path) -> Iterable[list[str]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error
    for encoding in ("utf-8-sig", "cp949"):  # what a Korean Excel writes
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise SettingsError(f"{path} is neither UTF-8 nor CP949: save it as UTF-8.")
    head = text[:4096]
    mark = max(",;\t", key=head.count)
    return list(csv.reader(io.StringIO(text), delimiter=mark))
