"""The journal's seal: any change, hole or cut is found."""

import pytest
from hypothesis import given
from hypothesis.strategies import data, integers, lists, text

from desk.rules.journal import GENESIS, Action, Entry, JournalError, decode_entry, encode_entry, seal, verify
from tests.desk.rules.plant import raised


def chain(whys):
    rows, previous = [], GENESIS
    for seq, why in enumerate(whys, start=1):
        body = encode_entry(
            Entry(seq=seq, at=seq, time=seq, by="kim", action=Action.COMMENT, machine="m", why=why)
        )
        previous = seal(previous, body)
        rows.append((seq, body, previous))
    return rows


@given(lists(text(), min_size=1, max_size=8), data())
def test_any_change_is_found(whys, draw):
    rows = chain(whys)
    head = rows[-1][2]
    assert verify(rows, [head]) == (len(rows), head)
    k = draw.draw(integers(0, len(rows) - 1))
    seq, body, hashed = rows[k]
    place = draw.draw(integers(0, len(body) - 1))
    changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
    with pytest.raises(JournalError):
        verify([*rows[:k], (seq, changed, hashed), *rows[k + 1 :]])
    with pytest.raises(JournalError):
        verify([*rows[:k], *rows[k + 1 :]], [head])


def test_a_journal_written_anew_lacks_the_hash_noted_earlier():
    before, after = chain(["true"]), chain(["false", "more"])
    assert verify(after)[0] == 2
    with pytest.raises(JournalError, match="noted earlier"):
        verify(after, [before[-1][2]])


def test_an_entry_comes_back_as_it_was():
    entry = Entry(
        seq=3,
        at=1,
        time=2,
        by="김예지",
        action=Action.RAISE,
        machine="a/b/c/d/e",
        point="p",
        alarm="x",
        before="normal",
        after="unacknowledged+active",
        criticality=3,
        event=raised(),
        modes=(("bearing-wear", 0.8),),
    )
    assert decode_entry(encode_entry(entry)) == entry
    with pytest.raises(JournalError, match="cannot be read"):
        decode_entry(b"{")
