"""Rationalised alarms in the desk's file, as the journal leaves them."""

from __future__ import annotations

import sqlite3

import msgspec

from desk.rules.rationalisation import Rationalisation
from desk.rules.scope import Scope

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Rationalisation).decode


def put_rationalisation(db: sqlite3.Connection, one: Rationalisation) -> None:
    """``one`` in place of what was agreed on for the same points."""
    if one.removed:
        db.execute("DELETE FROM rationalisation WHERE id = ?", (one.id,))
        return
    db.execute(
        "INSERT OR REPLACE INTO rationalisation (id, place, body) VALUES (?,?,?)",
        (one.id, one.place, _pack(one)),
    )


def rationalisations(db: sqlite3.Connection, scope: Scope) -> list[Rationalisation]:
    """Those of places within ``scope``, in the order of places."""
    where, values = scope.sql("place")
    query = f"SELECT body FROM rationalisation WHERE {where} ORDER BY place, id"  # noqa: S608
    return [_unpack(body) for (body,) in db.execute(query, values)]


def rationalisations_above(db: sqlite3.Connection, machine: str) -> list[Rationalisation]:
    """Those that may hold for ``machine``: of it, and of each place that it lies in."""
    levels = machine.split("/")
    places = ["/".join(levels[:n]) for n in range(1, len(levels) + 1)]
    marks = ", ".join("?" * len(places))
    query = f"SELECT body FROM rationalisation WHERE place IN ({marks})"  # noqa: S608
    return [_unpack(body) for (body,) in db.execute(query, places)]


def rationalisation(db: sqlite3.Connection, id: str) -> Rationalisation | None:
    """One of them."""
    row = db.execute("SELECT body FROM rationalisation WHERE id = ?", (id,)).fetchone()
    return _unpack(row[0]) if row else None
