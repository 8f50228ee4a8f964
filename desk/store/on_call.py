"""The on-call calendar in the desk's file: rotas, swaps and imported calendars by the journal."""

from __future__ import annotations

import sqlite3

import msgspec

from desk.rules.on_call import ImportedCalendar, OnCallChange, Rota, Swap

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(OnCallChange).decode


def put_on_call(db: sqlite3.Connection, change: OnCallChange) -> None:
    """What ``change`` makes of the calendar; a rota without people and an empty calendar are gone."""
    gone = (isinstance(change, Rota) and not change.people) or (
        isinstance(change, ImportedCalendar) and not change.days and not change.duties
    )
    if gone:
        db.execute("DELETE FROM on_call WHERE id = ?", (change.id,))
        return
    kind = type(change).__struct_config__.tag
    ends = max(change.end, change.back[1] if change.back else 0) if isinstance(change, Swap) else None
    db.execute(
        "INSERT OR REPLACE INTO on_call (id, place, kind, ends, body) VALUES (?,?,?,?,?)",
        (change.id, change.place, kind, ends, _pack(change)),
    )


def on_call_changes(db: sqlite3.Connection, since: int) -> list[OnCallChange]:
    """Everything that the calendar is made of; of swaps, those whose duty ends after ``since`` (ms UTC)."""
    query = "SELECT body FROM on_call WHERE ends IS NULL OR ends > ? ORDER BY id"
    return [_unpack(body) for (body,) in db.execute(query, (since,))]


def on_call_change(db: sqlite3.Connection, id: str) -> OnCallChange | None:
    """One rota, swap or calendar."""
    row = db.execute("SELECT body FROM on_call WHERE id = ?", (id,)).fetchone()
    return _unpack(row[0]) if row else None
