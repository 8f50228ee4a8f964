"""The checks: each makes detectors of a kind, and says what fails in one sentence.

They are run over our own kinds by the tests, and over anybody's by `yeji detectors check`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from detectors.base import FleetDetector
from detectors.batch import Floats, Ints
from detectors.checks.fleet import batch_of, learn_blocks, readings, run, whole
from detectors.decision.calibration import FleetCalibrator
from detectors.registry import build, detector_class, parameters
from detectors.seeds import machine_seed

WIDTHS = (1, 3)
#: Readings after which every kind has to have scores.
LEARNED = 320
#: A reading may take so long (µs): ten times what the slowest of ours needs.
SLOWEST = 200.0
#: A machine's saved state may take so many bytes, with 8 sensors.
LARGEST = 32_000


class CheckFailedError(Exception):
    """A detector does not do what a monitor relies on; the message says what."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, and what runs it on a kind. Raises `CheckFailedError`, or the kind's own error."""

    name: str
    run: Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one check: ``text`` says what fails, or what was measured."""

    name: str
    passed: bool
    text: str = ""


CHECKS: list[Check] = []


def outcomes(kind: str, clock: Callable[[], float] | None = None) -> Iterator[Outcome]:
    """Run every check on ``kind``, and the one of speed by ``clock`` (s). Raises ValueError for no kind."""
    detector_class(kind)
    timed = [] if clock is None else [Check("speed", lambda kind: _speed(kind, clock))]
    for check in (*CHECKS, *timed):
        try:
            yield Outcome(check.name, True, check.run(kind) or "")
        except CheckFailedError as error:
            yield Outcome(check.name, False, str(error))
        except Exception as error:  # the detector's own, whatever it is
            yield Outcome(check.name, False, f"it raised {type(error).__name__}: {error}")


def _check(name: str) -> Callable[[Callable[[str], str | None]], Callable[[str], str | None]]:
    def added(run: Callable[[str], str | None]) -> Callable[[str], str | None]:
        CHECKS.append(Check(name, run))
        return run

    return added


def _require(holds: bool | np.bool_, text: str) -> None:
    if not holds:
        raise CheckFailedError(text)


def _same(one: Floats, other: Floats, text: str) -> None:
    _require(one.shape == other.shape and np.array_equal(one, other, equal_nan=True), text)


def made(kind: str, width: int, capacity: int, rows: Ints) -> FleetDetector:
    """A fleet with fresh machines in ``rows``."""
    detector = build(kind, width)
    detector.resize(capacity)
    for row in rows:
        detector.reset(int(row), machine_seed(f"a/b/c/d/machine-{row}"))
    return detector


@_check("name and parameters")
def _named(kind: str) -> None:
    own = getattr(detector_class(kind), "kind", None)
    _require(own == kind, f"its attribute `kind` is {own!r}; it has to be {kind!r}")
    bare = [name for name, default in parameters(kind).items() if default is inspect.Parameter.empty]
    _require(not bare, f"parameters without a default: {', '.join(bare)}")


@_check("nothing is said before anything was learned")
def _silent(kind: str) -> None:
    for width in WIDTHS:
        rows = np.array([1])
        x = readings(np.random.default_rng(2), 1, 5, width)
        raw = made(kind, width, 2, rows).score(whole(rows, x)).raw
        _require(np.isnan(raw).all(), f"with {width} sensors it scores without a model: {raw[:3]}")


@_check("scores are finite once learned, and evidence has a value for each sensor")
def _finite(kind: str) -> None:
    for width in WIDTHS:
        rows = np.array([3, 0])
        x = readings(np.random.default_rng(1), 2, LEARNED + 80, width)
        detector = made(kind, width, 4, rows)
        learn_blocks(detector, rows, x[:, :LEARNED])
        batch = whole(rows, x[:, LEARNED:])
        scores = detector.score(batch)
        found = scores.evidence(np.arange(len(batch)))
        _require(scores.raw.shape == (len(batch),), f"raw has shape {scores.raw.shape}, not {(len(batch),)}")
        _require(not np.isinf(scores.raw).any(), "a score is infinite")
        share = np.isfinite(scores.raw).mean()  # some may be of a regime that is not known yet
        _require(share > 0.8, f"with {width} sensors {1 - share:.0%} of readings have no score")
        for name in ("contributions", "expected", "deviation"):
            shape = getattr(found, name).shape
            _require(shape == batch.x.shape, f"{name} has shape {shape}, not {batch.x.shape}")
        _require(np.isfinite(found.contributions).all(), "a contribution is not finite")
        _require((found.contributions >= 0).all(), "a contribution is negative")


@_check("calibrated scores lie between 0 and 1")
def _calibrated(kind: str) -> None:
    rows = np.array([0, 1])
    x = readings(np.random.default_rng(15), 2, LEARNED + 200, 3)
    detector, calibrator = made(kind, 3, 2, rows), FleetCalibrator()
    calibrator.resize(2)
    for row in rows:
        calibrator.reset(int(row), 0)
    learn_blocks(detector, rows, x[:, :LEARNED])
    healthy = whole(rows, x[:, LEARNED:])
    calibrator.learn(healthy, detector.score(healthy).raw)
    odd = whole(rows, x[:, LEARNED:] + np.linspace(0, 30, 200)[None, :, None] * x.std(axis=1, keepdims=True))
    score = calibrator.score(odd, detector.score(odd).raw)
    known = score[~np.isnan(score)]
    _require(len(known) > 0, "no reading has a calibrated score")
    _require(((known >= 0) & (known <= 1)).all(), f"calibrated scores from {known.min()} to {known.max()}")


@_check("what is far off scores higher than what is usual")
def _far(kind: str) -> None:
    for width in WIDTHS:
        rows = np.array([0, 1])
        x = readings(np.random.default_rng(3), 2, LEARNED + 100, width)
        detector = made(kind, width, 2, rows)
        learn_blocks(detector, rows, x[:, :LEARNED])
        usual = np.nan_to_num(detector.score(whole(rows, x[:, LEARNED:])).raw)
        odd = x[:, LEARNED : LEARNED + 20] + 12 * x.std(axis=1, keepdims=True)
        found = detector.score(batch_of(rows, odd, np.zeros(2, dtype=int), np.full(2, 20))).raw
        raw = found[~np.isnan(found)]  # a regime of its own may have no model yet
        if len(raw):
            most = np.quantile(usual, 0.9)
            _require(
                np.median(raw) > most,
                f"with {width} sensors readings 12 standard deviations off score {np.median(raw):.3g}, "
                f"usual ones up to {most:.3g}",
            )


@_check("the sensor that is off contributes most")
def _blamed(kind: str) -> None:
    rows = np.array([0])
    x = readings(np.random.default_rng(4), 1, LEARNED + 20, 4)
    detector = made(kind, 4, 1, rows)
    learn_blocks(detector, rows, x[:, :LEARNED])
    odd = x[:, LEARNED:].copy()
    odd[:, :, 2] += 12 * x[0, :, 2].std()
    batch = whole(rows, odd)
    parts = detector.score(batch).evidence(np.arange(len(batch))).contributions.mean(axis=0)
    _require(np.argmax(parts) == 2, f"sensor 2 is off, and the contributions are {np.round(parts, 3)}")


@_check("missing and constant sensors")
def _missing(kind: str) -> None:
    for width in WIDTHS:
        rng = np.random.default_rng(5)
        rows = np.array([2, 1, 0])
        x = readings(rng, 3, LEARNED + 60, width)
        x[rng.random(x.shape) < 0.1] = np.nan
        x[0, :, -1] = 7.0  # never moves
        x[1, 100:, 0] = np.nan  # vanishes
        x[2, :50, 0] = np.nan  # appears
        x[0, -5:] = np.nan  # nothing at all
        raw, contributions, _, _ = run(made(kind, width, 3, rows), rows, x, 16, None)
        present = ~np.isnan(x)
        _require(not np.isinf(raw).any(), "a score is infinite")
        if width > 1:  # of a machine whose only sensor never moves a kind need not say anything
            known = raw[0, LEARNED:-5][present[0, LEARNED:-5].all(axis=1)]
            share = np.isfinite(known).mean()
            _require(share > 0.8, f"{1 - share:.0%} of readings have no score beside a constant sensor")
        _require(np.isfinite(contributions).all(), "a contribution is not finite")
        _require((contributions >= 0).all(), "a contribution is negative")
        _require((contributions[~present] == 0).all(), "a missing sensor contributes")


@_check("a machine that never moves")
def _still(kind: str) -> None:
    rows = np.array([0])
    raw, contributions, _, _ = run(made(kind, 2, 1, rows), rows, np.full((1, LEARNED + 32, 2), 5.0), 16, None)
    _require(not np.isinf(raw).any(), "a score is infinite")
    _require(np.isfinite(contributions).all(), "a contribution is not finite")


@_check("the same bits however batches are cut")
def _cut(kind: str) -> None:
    for width in WIDTHS:
        for block in (1, 16):
            rng = np.random.default_rng(6)
            rows = np.array([4, 0, 2])
            n = 200 if block > 1 else 150
            x = readings(rng, 3, n, width)
            x[1][rng.random((n, width)) < 0.05] = np.nan
            learned = readings(rng, 3, 140, width)
            together, apart = made(kind, width, 5, rows), made(kind, width, 5, rows)
            for detector in (together, apart):
                learn_blocks(detector, rows, learned)
            for name, one, other in zip(
                ("raw", "contributions", "expected", "deviation"),
                run(together, rows, x, block, None),
                run(apart, rows, x, block, np.random.default_rng(7)),
                strict=True,
            ):
                _same(one, other, f"{name} depends on how the readings are cut (blocks of {block})")


@_check("a machine does not depend on the others")
def _alone(kind: str) -> None:
    x = readings(np.random.default_rng(8), 3, 180, 2)
    rows = np.array([0, 1, 2])
    expected = run(made(kind, 2, 3, rows), rows, x, 16, None)[0]
    alone = build(kind, 2)
    alone.resize(8)
    alone.reset(6, machine_seed("a/b/c/d/machine-1"))
    found = run(alone, np.array([6]), x[1:2], 16, None)[0][0]
    _same(found, expected[1], "a machine scores otherwise when it is alone, or in another row")


@_check("a snapshot changes nothing")
def _moved(kind: str) -> None:
    for learned in (0, 5, 200):
        rng = np.random.default_rng(9)
        rows = np.array([1, 3])
        x = readings(rng, 2, learned + 150, 2)
        x[0][rng.random(x[0].shape) < 0.05] = np.nan
        detector = made(kind, 2, 4, rows)
        if learned:
            run(detector, rows, x[:, :learned], 16, None)
        moved = build(kind, 2)
        moved.resize(2)
        for place, row in ((0, 1), (1, 3)):
            moved.reset(place, 12345)  # what was there before must not show
            moved.load(place, {name: array.copy() for name, array in detector.dump(row).items()})
        for name, one, other in zip(
            ("raw", "contributions", "expected", "deviation"),
            run(detector, rows, x[:, learned:], 16, None),
            run(moved, np.array([0, 1]), x[:, learned:], 16, None),
            strict=True,
        ):
            _same(one, other, f"after dump and load {name} differs ({learned} readings learned before)")


@_check("a snapshot owns its memory and is small")
def _small(kind: str) -> None:
    rows = np.array([0])
    x = readings(np.random.default_rng(10), 1, 300, 8)
    detector = made(kind, 8, 1, rows)
    learn_blocks(detector, rows, x)
    before = detector.dump(0)
    kept = {name: array.copy() for name, array in before.items()}
    learn_blocks(detector, rows, x)
    for name, array in before.items():
        _require(np.array_equal(array, kept[name], equal_nan=array.dtype.kind == "f"), f"{name!r} is no copy")
    size = sum(array.nbytes for array in kept.values())
    _require(size <= LARGEST, f"it takes {size} bytes of a machine with 8 sensors, more than {LARGEST}")


@_check("reset forgets")
def _forgets(kind: str) -> None:
    x = readings(np.random.default_rng(11), 1, 200, 2)
    rows = np.array([0])
    detector = made(kind, 2, 1, rows)
    first = run(detector, rows, x, 16, None)[0]
    detector.reset(0, machine_seed("a/b/c/d/machine-0"))
    _same(run(detector, rows, x, 16, None)[0], first, "after a reset the same readings score otherwise")


@_check("growth keeps what was learned")
def _grows(kind: str) -> None:
    x = readings(np.random.default_rng(12), 1, 260, 2)
    rows = np.array([0])
    small, large = made(kind, 2, 1, rows), made(kind, 2, 64, rows)
    for detector in (small, large):
        learn_blocks(detector, rows, x[:, :160])
    small.resize(64)
    small.reset(40, 1)
    one, other = (run(detector, rows, x[:, 160:], 16, None)[0] for detector in (small, large))
    _same(one, other, "after `resize` the same readings score otherwise")


@_check("a snapshot of other sensors is refused")
def _refuses(kind: str) -> None:
    rows = np.array([0])
    other = made(kind, 3, 1, rows)
    learn_blocks(other, rows, readings(np.random.default_rng(13), 1, 200, 3))
    try:
        made(kind, 2, 1, rows).load(0, other.dump(0))
    except ValueError as error:
        _require(bool(str(error)), "its ValueError says nothing")
    else:
        raise CheckFailedError("`load` takes the state of 3 sensors for 2; it has to raise ValueError")


@_check("an empty batch")
def _empty(kind: str) -> None:
    detector = made(kind, 2, 1, np.array([0]))
    none = batch_of(np.array([0]), np.zeros((1, 0, 2)), np.array([0]), np.array([0]))
    _require(len(detector.score(none).raw) == 0, "it scores readings that are not there")
    detector.learn(none)


def _speed(kind: str, clock: Callable[[], float]) -> str:
    """µs a reading to score and learn 20 machines with 8 sensors, the best of three."""
    rows = np.arange(20)
    x = readings(np.random.default_rng(14), 20, LEARNED + 3 * 512, 8)
    detector = made(kind, 8, 20, rows)
    learn_blocks(detector, rows, x[:, :LEARNED])
    took = []
    for start in range(LEARNED, x.shape[1], 512):
        batch = whole(rows, x[:, start : start + 512])
        began = clock()
        detector.score(batch)
        detector.learn(batch)
        took.append((clock() - began) / len(batch) * 1e6)
    text = f"{min(took):.2f} µs a reading of 8 sensors"
    _require(min(took) <= SLOWEST, f"{text}; at most {SLOWEST:.0f} are sensible")
    return text
