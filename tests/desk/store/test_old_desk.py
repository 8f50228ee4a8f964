"""A desk's file of version 1, which kept state in words, is opened and goes on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from connectors.sqlite.steps import migrate
from desk.access import store as access
from desk.learning.modes import ModeBook
from desk.learning.tuning import KIND as TUNING
from desk.learning.tuning import TuningBook
from desk.rules.journal import GENESIS, SYSTEM, Action, CmmsOrder, Entry, encode_entry, seal
from desk.rules.scope import EVERYTHING
from desk.service.desk import Desk
from desk.store import schema
from desk.store.outbox import channel_state
from desk.store.store import check_journal
from desk.web.app import make_web
from pipeline.spreading.examples import Example, encode_examples
from streams.settings import Settings
from tests.desk.rules.plant import PRESS, raised

#: What version 1 wrote about the tuning of one class, in order.
STEPS = (
    "version 1 proposed: less noise",
    "version 1 active",
    "version 2 proposed",
    "version 2 active",
    "version 10 active",
    "version 10 retired: rolled back",
    "version 2 active: rolled back to",
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "desk.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        migrate(db, schema._STEPS[:1])
        previous = GENESIS
        for seq, why in enumerate(STEPS, 1):
            entry = Entry(
                seq=seq, at=seq, time=seq, by="lee", action=Action.TUNE, machine="class/press", why=why
            )
            body = encode_entry(entry)
            previous = seal(previous, body)
            db.execute(
                "INSERT INTO journal VALUES (?,?,?,?,'','',?,?)",
                (seq, seq, "tune", "class/press", body, previous),
            )
        add = "INSERT INTO models VALUES (?,?,?,?,?,?,?,?)"
        for version, role in ((1, "retired"), (2, "active"), (10, "retired")):
            db.execute(add, (TUNING, "press", version, version, "lee", role, "", b"{}"))
        examples = encode_examples([Example({"share v": 1.0}, "wear", "v1")])
        db.execute(add, ("modes", "gwangju/ggm/press", 1, 1, SYSTEM, "active", "chosen by lee", examples))
        db.execute(add, ("modes", "gwangju/ggm/press", 2, 2, SYSTEM, "retired", "", examples))
        db.execute("INSERT INTO channels VALUES ('mail', 2, 5, 9, 'mail server is away', NULL)")
    return path


def test_what_was_said_in_words_is_in_columns(old: Path):
    desk = Desk(old, Settings())
    books = TuningBook(desk.store)
    assert (books.active("press") or books).version == 2
    assert books.roll_back("press", at=20, by="kim").version == 1, "the one before, and not 10"
    assert books.roll_back("press", at=21, by="kim") is None
    with desk.store.reading() as t:
        assert channel_state(t, "mail").failures == 2
    entries = desk.journal(EVERYTHING)
    assert [one.why for one in entries[: len(STEPS)]] == list(STEPS), "the journal is never rewritten"
    assert [(one.version, one.role) for one in entries[len(STEPS) :]] == [
        (2, "retired"),
        (1, "active"),
        (1, "retired"),
    ]
    desk.close()
    check_journal(old, [])


def test_a_version_that_a_person_chose_stays_chosen(old: Path):
    desk = Desk(old, Settings())
    book = ModeBook(desk)
    assert [(one.version, one.pinned) for one in book.versions("gwangju/ggm", "press")] == [
        (2, False),
        (1, True),
    ]
    more = [Example({"share v": 1.0}, "crack", "v2")]
    assert book.adopt("gwangju/ggm", "press", more, by="lee", note="from ulsan") == 3
    roles = {one.version: one.role for one in book.versions("gwangju/ggm", "press")}
    assert roles == {1: "active", 2: "retired", 3: "retired"}
    book.activate("gwangju/ggm", "press", 3, by="lee")
    assert not any(one.pinned for one in book.versions("gwangju/ggm", "press"))
    assert book.adopt("gwangju/ggm", "press", [Example({}, "x", "v3")], by="lee", note="") == 4
    assert book.versions("gwangju/ggm", "press")[0].role == "active"
    last = desk.journal(EVERYTHING, newest_first=True, limit=1)[0]
    assert (last.cause.code, last.version, last.by) == ("modes.newest", 3, "lee")
    desk.close()


def test_work_orders_move_from_the_accounts_into_the_journal(tmp_path: Path):
    path = tmp_path / "desk-accounts.sqlite"
    desk = Desk(tmp_path / "desk.sqlite", Settings())
    event = raised(PRESS)
    desk.receive([event])
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA application_id = {access.APPLICATION_ID}")
        migrate(db, access.ACCESS.steps[:1])
        db.execute(
            "INSERT INTO work_orders VALUES (?,?,?,?,?)", (event.id, "WO-1", "https://c/1", "api:cmms", 7)
        )
        db.execute("INSERT INTO work_orders VALUES ('gone', 'WO-2', '', 'api:cmms', 8)")
    for _ in range(2):  # the second time there is nothing to move
        store = access.AccessStore(path)
        make_web(desk, store, None)
        store.close()
    linked = desk.work_order(EVERYTHING, event.id)
    assert (linked.order, linked.by, linked.at) == (CmmsOrder("WO-1", "https://c/1"), "api:cmms", 7)
    moved = [one for one in desk.journal(EVERYTHING) if one.action is Action.WORK_ORDER]
    assert [(one.order.number, one.machine) for one in moved] == [("WO-1", PRESS), ("WO-2", "")]
    desk.store.rebuild()
    assert desk.work_order(EVERYTHING, event.id) == linked
    desk.close()
    check_journal(tmp_path / "desk.sqlite", [])
