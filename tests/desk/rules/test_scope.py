"""A scope says the same in Python and in SQL, and is never wider than what it was narrowed from."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis.strategies import booleans, lists, sampled_from, text, tuples

from desk.rules.scope import EVERYTHING, NOTHING, Scope

LEVEL = sampled_from(["a", "ab", "a b", "b", "가", "a-1", "a.b", "A"]) | text(
    "ab/~!0", min_size=1, max_size=3
)
PLACE = lists(LEVEL, min_size=1, max_size=5).map("/".join)
SCOPE = tuples(lists(PLACE, max_size=3), booleans()).map(
    lambda pair: EVERYTHING if pair[1] and not pair[0] else Scope(tuple(p.strip("/") or "x" for p in pair[0]))
)


@given(SCOPE, lists(PLACE, max_size=8))
def test_sql_says_the_same(scope, machines):
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE t (machine TEXT)")
    db.executemany("INSERT INTO t VALUES (?)", [(one,) for one in machines])
    where, values = scope.sql("machine")
    found = sorted(m for (m,) in db.execute(f"SELECT machine FROM t WHERE {where}", values))
    assert found == sorted(m for m in machines if scope.allows(m))
    db.close()


@given(SCOPE, lists(PLACE, max_size=3), PLACE)
def test_narrowing_never_widens(scope, places, machine):
    narrow = scope.narrowed([place.strip("/") or "x" for place in places])
    if narrow.allows(machine):
        assert scope.allows(machine)
        assert any(Scope((place.strip("/") or "x",)).allows(machine) for place in places)


def test_edges():
    assert not NOTHING.allows("a/b/c/d/e")
    assert EVERYTHING.allows("a/b/c/d/e")
    assert EVERYTHING.narrowed(["a/b"]) == Scope(("a/b",))
    assert NOTHING.narrowed(["a"]) == NOTHING
    assert Scope.of("/a/b/").places == ("a/b",)
    for empty in ("", "/"):
        with pytest.raises(ValueError, match="empty"):
            Scope.of(empty)
    with pytest.raises(TypeError):
        Scope()
