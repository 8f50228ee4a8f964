"""Snapshots: exact both ways, and damage is always noticed."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.pipeline import Pipeline
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Contribution
from pipeline.snapshots.snapshot import (
    VERSION,
    Snapshot,
    SnapshotDamagedError,
    SnapshotError,
    SnapshotNewerError,
    WaitingReadings,
    pack,
    unpack,
)
from tests.pipeline.plant import recording, settings

EVENT = AlarmEvent(
    id="i",
    machine="a/b/c/d/e",
    machine_class="pump",
    kind=AlarmKind.CONDITION,
    phase=AlarmPhase.RAISED,
    onset=1,
    time=2,
    score=0.5,
    threshold=0.9,
    severity=3,
    contributions=(Contribution("t", 1.0, 2.0, None, -3.5),),
)


def one() -> Snapshot:
    return Snapshot(
        machine="a/b/c/d/e",
        machine_class="pump",
        partition=3,
        offset=41,
        last=1_700_000_000_000,
        recent=np.array([1, 2, 3]),
        layout=("p", "t"),
        stages={"detector0": {"mass": np.arange(6, dtype=np.uint16).reshape(2, 3), "ready": np.array(True)}},
        warmup=WaitingReadings(("p",), np.array([5]), np.array([[np.nan]])),
        open=(EVENT,),
    )


def test_it_comes_back_as_it_was():
    back = unpack(pack(one()))
    want = one()
    for name in ("machine", "machine_class", "partition", "offset", "last", "layout", "open"):
        assert getattr(back, name) == getattr(want, name)
    np.testing.assert_array_equal(back.recent, want.recent)
    assert back.warmup is not None
    assert np.isnan(back.warmup.x).all()
    mass = back.stages["detector0"]["mass"]
    assert mass.dtype == np.uint16
    np.testing.assert_array_equal(mass, want.stages["detector0"]["mass"])
    assert mass.flags.writeable
    assert back.stages["detector0"]["ready"].shape == ()


@given(
    arrays.arrays(
        st.sampled_from([np.dtype(d) for d in ("f8", "f4", "i8", "i4", "u2", "u1", "?", ">f8", ">i4")]),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    )
)
def test_any_array_comes_back_bit_for_bit(array):
    back = unpack(
        pack(
            Snapshot(
                machine="a/b/c/d/e",
                machine_class="",
                partition=0,
                offset=0,
                last=0,
                recent=np.array([0]),
                layout=("t",),
                stages={"s": {"a": array}},
            )
        )
    )
    got = back.stages["s"]["a"]
    assert got.shape == array.shape
    assert got.astype(array.dtype).tobytes() == array.tobytes()


@given(st.data())
def test_no_damage_goes_unnoticed(data):
    whole = pack(one())
    place = data.draw(st.integers(0, len(whole) - 1))
    kind = data.draw(st.sampled_from(["flip", "cut"]))
    if kind == "cut":
        damaged = whole[:place]
    else:
        damaged = bytearray(whole)
        damaged[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SnapshotError):
        unpack(bytes(damaged))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_told_to_be_damaged(data):
    with pytest.raises(SnapshotError):
        unpack(data)


def test_a_newer_version_says_so():
    body = pack(one())[10:]
    with pytest.raises(SnapshotNewerError, match="Upgrade"):
        unpack(struct.pack("<4sHI", b"YEJI", VERSION + 1, zlib.crc32(body)) + body)


def test_right_checksum_and_wrong_content_is_damage():
    body = zlib.compress(b"\x01")
    with pytest.raises(SnapshotDamagedError, match="cannot be read"):
        unpack(struct.pack("<4sHI", b"YEJI", VERSION, zlib.crc32(body)) + body)


def test_a_stage_that_an_older_version_did_not_have_begins_afresh():
    pipeline = Pipeline(settings())
    pipeline.process([recording("a/b/c/d/press-1", 200, 1)])
    saved = unpack(pipeline.dump("a/b/c/d/press-1"))
    older = replace(saved, stages={name: s for name, s in saved.stages.items() if name != "restart"})
    other = Pipeline(settings())
    other.restore(pack(older))
    assert not other.relearning
    without_model = replace(saved, stages={n: s for n, s in saved.stages.items() if n != "detector0"})
    other.restore(pack(without_model))
    assert "detector0" in other.relearning["a/b/c/d/press-1"]
