"""All machines of one class and layout: quality ▶ score ▶ alarm ▶ health ▶ prognosis ▶ learn."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from detectors.base import DeferredScores, Evidence, FleetState, RawScores
from detectors.base import State as Saved
from detectors.batch import Batch, Bools, Floats, Ints
from detectors.compiled import compiled
from detectors.decision.budget import FleetBudget
from detectors.decision.calibrated import LARGEST_SCORE, FleetCalibrated
from detectors.decision.calibration import FleetCalibrator
from detectors.decision.commissioning import FleetCommissioning
from detectors.decision.drift import FleetPageHinkley
from detectors.decision.ensemble import combine
from detectors.decision.limits import LimitTransition, standing
from detectors.decision.recurrence import FleetRecurrence
from detectors.decision.restart import FleetRestart
from detectors.health.health import FleetHealth, under_alarm
from detectors.health.prognosis import FleetPrognosis, PrognosisResult
from detectors.health.wear import FleetWear
from detectors.quality.quality import FleetQuality, QualityTransition
from detectors.registry import build
from detectors.seeds import machine_seed
from detectors.table import Column, FleetTable
from pipeline.condition import Change, Episode, Move, Readings, Rule, advance, busy
from pipeline.learning.feedback import FleetFeedback
from pipeline.learning.learning import GuardedLearning
from pipeline.learning.undo import FleetUndo
from pipeline.limits import NamedLimits, limits_of, rails_of, symptoms_of
from pipeline.records import State, Verdict, VerdictKind
from pipeline.settings import ClassSettings

#: Readings that teach before the first is scored: a third of a warm-up, but not less than so many.
_TAUGHT = 100
#: Evidence counts with at most so much in the search for drift.
_EVIDENT = 5.0
_NORMAL, _ALARM = np.uint8(State.NORMAL), np.uint8(State.ALARM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the monitor found in a batch of n readings of k sensors, in the batch's order.

    ``contributions`` are those of readings at or over the alarm's `clear`; 0 elsewhere.
    ``changes``, ``quality`` and ``limits`` come with the fleet row they belong to; a `Change.index` counts
    within the batch.
    """

    score: Floats
    health: Floats
    state: NDArray[np.uint8]
    contributions: Floats
    changes: list[tuple[int, Change]]
    quality: list[QualityTransition]
    limits: list[LimitTransition]
    prognoses: list[PrognosisResult]
    moves: list[tuple[int, Move]] = field(default_factory=list)


#: Machines in one monitor. Its arrays are copied when they grow: that has to stay a matter of a moment.
MOST_MACHINES = 8192


class Monitor:
    """State detection, health assessment and prognosis (ISO 13374 SD, HA, PA) of like machines.

    A machine gets a row with `begin`, which learns its warm-up; `process` then takes batches. Results
    do not depend on how readings are split into batches.
    """

    def __init__(self, settings: ClassSettings, sensors: tuple[str, ...]) -> None:
        self.sensors = sensors
        self.settings = settings
        width = len(sensors)
        alarm = settings.alarm
        self.rule = Rule(
            alarm.threshold,
            alarm.clear,
            round(alarm.on_delay * 1000),
            round(alarm.off_delay * 1000),
            alarm.min_readings,
        )
        chosen = settings.detectors_for(width)
        self.detectors = [build(d.kind, width, **d.params) for d in chosen]
        self.calibrators = [FleetCalibrated() if d.calibrated else FleetCalibrator() for d in self.detectors]
        self.drifts = [FleetPageHinkley() for _ in chosen]
        thrifty = [d.calibrated for d in self.detectors]
        self.budget = FleetBudget(len(chosen), alarm.budget, thrifty=thrifty)
        self.weights = np.array([d.weight for d in chosen])
        settle = round(settings.learning.settle * 1000)
        self.quality = FleetQuality(
            width, *rails_of(settings, sensors), settle, symptoms_of(settings, sensors)
        )
        self.limits = NamedLimits(
            limits_of(settings, sensors), self.rule.on_delay, self.rule.off_delay, alarm.min_readings
        )
        self.wear = FleetWear(width)
        self.health = FleetHealth()
        self.prognosis = FleetPrognosis()
        self.restart = FleetRestart(round(settings.learning.restart * 1000))
        self.commissioning = FleetCommissioning(settle)
        self.learning = GuardedLearning(width, settings.learning.block, len(self.detectors))
        self.feedback = FleetFeedback(width, len(self.detectors))
        self.undo = FleetUndo()
        self.recurrence = FleetRecurrence()
        self.moves = FleetTable({"since": Column((), -1)})
        self.stages: dict[str, FleetState] = {
            "quality": self.quality,
            "limits": self.limits,
            "wear": self.wear,
            "health": self.health,
            "prognosis": self.prognosis,
            "commissioning": self.commissioning,
            "restart": self.restart,
            "learning": self.learning,
            "feedback": self.feedback,
            "undo": self.undo,
            "budget": self.budget,
            "recurrence": self.recurrence,
            "moves": self.moves,
            **{f"detector{i}": stage for i, stage in enumerate(self.detectors)},
            **{f"calibrator{i}": stage for i, stage in enumerate(self.calibrators)},
            **{f"drift{i}": stage for i, stage in enumerate(self.drifts)},
        }
        self._models = {
            name: stage for name, stage in self.stages.items() if name.startswith(("detector", "calibrator"))
        }
        self.state = np.zeros(0, dtype=np.uint8)
        self.episodes: dict[int, Episode] = {}
        self._free: list[int] = []

    @property
    def units(self) -> dict[str, str]:
        """The sensors whose values are converted when they come in: from which unit to which."""
        known = {name: self.settings.sensors[name] for name in self.sensors if name in self.settings.sensors}
        return {name: f"{one.source_unit} {one.unit}" for name, one in known.items() if one.source_unit}

    # -- rows

    @property
    def room(self) -> int:
        """How many machines may still be placed."""
        return MOST_MACHINES - (len(self.state) - len(self._free))

    def place(self, machine: str) -> int:
        """A fresh row for ``machine``."""
        row = self._row()
        self._reset(row, machine, self.stages)
        return row

    def adopt_saved(self, machine: str, saved: dict[str, Saved]) -> int:
        """A row for ``machine`` with what `dump` gave; ValueError or KeyError when it no longer fits."""
        row = self._row()
        # Where it is not needed, no fresh row: with thousands of machines that counts.
        others = {
            name: stage for name, stage in self.stages.items() if name not in saved or not stage.loads_whole
        }
        self._reset(row, machine, others)
        try:
            self.load(row, saved)
        except (KeyError, ValueError):
            self.release(row)
            raise
        return row

    def _row(self) -> int:
        if not self._free:
            old = len(self.state)
            capacity = max(8, 2 * old)
            for stage in self.stages.values():
                stage.resize(capacity)
            self.state = np.resize(self.state, capacity)
            self._free = list(range(capacity - 1, old - 1, -1))
        return self._free.pop()

    def _reset(self, row: int, machine: str, stages: dict[str, FleetState]) -> None:
        seed = machine_seed(machine)
        for stage in stages.values():
            stage.reset(row, seed)
        self.state[row] = State.NORMAL
        self.episodes.pop(row, None)

    def release(self, row: int) -> None:
        """Give ``row`` back."""
        self.episodes.pop(row, None)
        self._free.append(row)

    def begin(self, batch: Batch) -> list[QualityTransition]:
        """Learn the first readings of machines that were just placed; say which sensors were faulty.

        The first third of each machine's readings (or half, of few) teaches the detectors; the others are
        scored before they are learned, and these scores, being of readings not seen before, calibrate.
        """
        transitions: list[QualityTransition] = []
        batch = self.quality.levels_of(batch)
        taught = np.maximum(batch.counts // 3, np.minimum(batch.counts // 2, _TAUGHT))
        half, step = taught[batch.column_of], batch.step_of
        self._learn(batch.select(step < half))
        turn = (step - half) // self.settings.learning.block
        for number in range(int(turn.max(initial=-1)) + 1):
            part = batch.select(turn == number)
            checked = self.quality.check(part)
            transitions.extend(checked.transitions)
            part = Batch(part.rows, part.counts, part.time, np.where(checked.ok, part.x, np.nan))
            for detector, calibrator in zip(self.detectors, self.calibrators, strict=True):
                calibrator.learn(part, detector.score(part).raw)
            self._learn(part)
        self.commissioning.begin(batch)
        return transitions

    def _learn(self, batch: Batch) -> None:
        self.quality.learn(batch)
        for detector in self.detectors:
            detector.learn(batch)

    # -- readings

    def process(self, batch: Batch, uncertain: Bools | None = None) -> Found:
        """Take a batch of readings of machines that have begun; ``uncertain`` cells are not learned."""
        n, k = batch.x.shape
        limits_before = self.limits.raised_of(batch.rows)
        found = Found(
            score=np.empty(n),
            health=np.empty(n),
            state=np.empty(n, dtype=np.uint8),
            contributions=np.zeros((n, k)),
            changes=[],
            quality=[],
            limits=self.limits.check(batch),
            prognoses=[],
        )
        for part, at in self.learning.rounds(batch):
            self._round(part, at, found, None if uncertain is None else uncertain[at])
        limited = standing(batch, limits_before, found.limits)
        found.health[:] = under_alarm(found.health, limited | (found.state == _ALARM))
        return found

    def look_back(self, batch: Batch) -> Found:
        """Score late readings of one machine with its models as they stand; nothing is kept of them.

        A score over the alarm's threshold makes the reading suspect; no alarm follows.
        """
        row = int(batch.rows[0])
        kept = [detector.dump(row) for detector in self.detectors]  # their filters go on with what they score
        raws = [detector.score(batch) for detector in self.detectors]
        score, decision, shares = self._judge(batch, raws)
        high = np.flatnonzero(decision >= self.rule.clear)
        evidence = _evidence(raws, shares, high, batch.x.shape)
        for detector, state in zip(self.detectors, kept, strict=True):
            detector.load(row, state)
        suspect = np.where(decision >= self.rule.threshold, State.SUSPECT, State.NORMAL).astype(np.uint8)
        health = np.full(len(batch), np.nan)
        return Found(
            score=score,
            health=health,
            state=suspect,
            contributions=evidence.contributions,
            changes=[],
            quality=[],
            limits=[],
            prognoses=[],
        )

    def _round(self, batch: Batch, at: Ints, found: Found, uncertain: Bools | None) -> None:
        checked = self.quality.check(batch)
        found.quality.extend(checked.transitions)
        batch = Batch(batch.rows, batch.counts, batch.time, np.where(checked.ok, batch.x, np.nan))
        raws = [detector.score(batch) for detector in self.detectors]
        raw = np.stack([r.raw for r in raws], axis=1)
        score, decision, shares = self._judge(batch, raws)
        high = np.flatnonzero(decision >= self.rule.clear)
        evidence = _evidence(raws, shares, high, batch.x.shape)
        self._tell_moves(batch, found)
        state = self._alarms(batch, at, decision, shares, evidence, found)
        found.score[at], found.state[at] = score, state
        found.contributions[at[high]] = evidence.contributions[high]
        wear = self.wear.update(batch, state == _ALARM)
        found.health[at] = health = self.health.update(batch, decision, state, wear)
        found.prognoses.extend(self.prognosis.update(batch, health))
        self.feedback.withhold(batch, raw, state)
        doubtful = state
        for marked in (self.feedback.planned(batch), self.restart.after(batch, checked.transitions)):
            doubtful = doubtful if marked is None else np.where(marked, _ALARM, doubtful)
        learnt = batch
        if uncertain is not None:
            learnt = Batch(batch.rows, batch.counts, batch.time, np.where(uncertain, np.nan, batch.x))
        released = self.learning.add(learnt, raw, doubtful)
        ended = self.learning.ended(batch)
        self._begin_anew(batch.rows[ended])
        last = batch.time[(batch.starts + batch.counts - 1)[ended]]
        self.budget.settle(batch.rows[ended], last)
        self.recurrence.settle(batch.rows[ended], last)
        if released is not None:
            for i, calibrator in enumerate(self.calibrators):
                raw_of = np.ascontiguousarray(released.raw[:, i])
                self._notice_drift(i, released.batch, raw_of)
                calibrator.learn(released.batch, raw_of)
            self._learn(released.batch)

    def _judge(self, batch: Batch, raws: list[RawScores | DeferredScores]) -> tuple[Floats, Floats, Floats]:
        """Joined scores (n,), those that alarms go by, and who raised them (n, d).

        The budget and what was taken for usual since are in the latter only.
        """
        scores = np.stack(
            [c.score(batch, r.raw) for c, r in zip(self.calibrators, raws, strict=True)], axis=1
        )
        score, _ = combine(scores, self.weights)
        decision, shares = combine(self.budget.apply(batch, _decisive(raws, scores)), self.weights)
        return self.commissioning.hold(batch, score), self.commissioning.hold(batch, decision), shares

    def _tell_moves(self, batch: Batch, found: Found) -> None:
        """Tell of machines whose normal has moved, or has no more. The first detector that can tell does."""
        told = self.moves["since"]
        for detector in self.detectors:
            moved = detector.moved(batch.rows)
            if moved is None:
                continue
            for column in np.flatnonzero((moved[0] >= 0) != (told[batch.rows] >= 0)).tolist():
                if not batch.counts[column]:
                    continue
                row, (since, seen, back) = int(batch.rows[column]), (int(one[column]) for one in moved)
                if since >= 0:
                    value, evidence = detector.movement(row)
                    early = self._watched_before(row, since)
                    known = seen - since < early
                    move = Move(True, since, seen, value, evidence, None if known else early)
                    found.moves.append((row, move))
                else:
                    time = back if back >= 0 else int(batch.time[batch.starts[column]])
                    found.moves.append((row, Move(False, int(told[row]), time)))
                told[row] = since
            return

    def _watched_before(self, row: int, since: int) -> int:
        """For how long (ms) scores of ``row`` had been told at ``since``."""
        warmed_up = int(self.commissioning["until"][row]) - self.commissioning.settle
        return max(0, since - warmed_up)

    def _begin_anew(self, rows: Ints) -> None:
        """Where a machine left its first normal early on, for as long as that had lasted, that was none."""
        for detector in self.detectors:
            moved = detector.moved(rows)
            if moved is None:
                continue
            for row, since, seen in zip(rows.tolist(), moved[0].tolist(), moved[1].tolist(), strict=True):
                if since >= 0 and seen - since >= self._watched_before(row, since):
                    detector.settle(row)
                    self.wear.reset(row, 0)

    def _notice_drift(self, i: int, batch: Batch, raw: Floats) -> None:
        """When healthy readings have come to score higher, let detector ``i``'s calibration catch up soon.

        Not on a machine that was commissioned: it has shown its shifts, and what creeps up then is wear.
        """
        if self.settings.learning.settle:
            return
        mean = self.calibrators[i].evidence(batch, raw, _EVIDENT)
        self.calibrators[i].quicken(batch.rows[self.drifts[i].update(batch.rows, mean)])

    def _alarms(
        self, batch: Batch, at: Ints, score: Floats, shares: Floats, evidence: Evidence, found: Found
    ) -> NDArray[np.uint8]:
        state = np.full(len(batch), _NORMAL)
        # Nearly every machine is normal and stays so: only the others are walked through one by one.
        for column in busy(self.state, batch, score, self.rule):
            row = int(batch.rows[column])
            here = slice(batch.starts[column], batch.starts[column] + batch.counts[column])
            off_delay = self.recurrence.off_delay(row, self.rule.off_delay)
            states, episode, changes = advance(
                State(int(self.state[row])),
                self.episodes.get(row),
                self.rule if off_delay == self.rule.off_delay else replace(self.rule, off_delay=off_delay),
                Readings(
                    batch.time[here],
                    score[here],
                    batch.x[here],
                    evidence.contributions[here],
                    evidence.expected[here],
                    evidence.deviation[here],
                ),
            )
            state[here] = states
            self.state[row] = states[-1]
            if episode is None:
                self.episodes.pop(row, None)
            else:
                self.episodes[row] = episode
            for change in changes:
                place = int(batch.starts[column]) + change.index
                if change.raised:
                    self.budget.count(row, shares[place])
                self.recurrence.count(row, int(batch.time[place]), change.raised)
                found.changes.append((row, Change(int(at[place]), change.raised, change.episode)))
        return state

    # -- what crews say

    def apply(self, row: int, verdict: Verdict) -> bool:
        """Learn from a verdict on the machine of ``row`` (`pipeline.learning`); False = known already."""
        lesson = self.feedback.apply(row, verdict, self.sensors)
        if lesson is None:
            return False
        if verdict.kind is VerdictKind.FAULT:  # so it was no false alarm, whoever said so before
            self.undo.revert(row, verdict.start, verdict.end, self._models)
        if lesson.distrust is not None:
            self.learning.distrust(row, *lesson.distrust)
        if lesson.batch is not None:
            self.undo.keep(row, verdict.start, verdict.end, self._models)
            if lesson.raw is not None:
                for i, calibrator in enumerate(self.calibrators):
                    calibrator.learn(lesson.batch, np.ascontiguousarray(lesson.raw[:, i]))
            for detector in self.detectors:
                if verdict.kind is VerdictKind.FALSE_ALARM:
                    detector.accept(row)
                detector.learn(lesson.batch)
        for detector in self.detectors:
            if verdict.kind is VerdictKind.FAULT:
                detector.reject(row, verdict.start)
            elif verdict.kind is not VerdictKind.SENSOR_FAULT:
                detector.settle(row)
        if lesson.sensitivity < 0:
            self.budget.debit(row)
        elif lesson.sensitivity > 0:
            self.budget.credit(row)
        return True

    # -- snapshots

    def dump(self, row: int) -> dict[str, Saved]:
        """Everything about ``row``, stage by stage."""
        saved = {name: stage.dump(row) for name, stage in self.stages.items()}
        saved["condition"] = {"state": self.state[row : row + 1].copy()}
        episode = self.episodes.get(row)
        if episode is not None:
            saved["condition"] |= {
                "onset": np.array([episode.onset, episode.over, episode.below_since]),
                "peak": np.array([episode.peak]),
                "evidence": np.stack([episode.share, episode.value, episode.expected, episode.deviation]),
            }
        return saved

    def load(self, row: int, saved: dict[str, Saved]) -> None:
        """Take up what `dump` gave. ValueError or KeyError when the class is set up otherwise now.

        A stage that an older Yeji did not have begins afresh; a model that is missing is an error.
        """
        for name, stage in self.stages.items():
            if name in saved or name.startswith(("detector", "calibrator")):
                stage.load(row, saved[name])
        condition = saved["condition"]
        self.state[row] = condition["state"][0]
        if "onset" in condition:
            onset, over, below = condition["onset"].tolist()
            self.episodes[row] = Episode(
                onset, over, float(condition["peak"][0]), below, *condition["evidence"].copy()
            )


def _evidence(
    raws: list[RawScores | DeferredScores], shares: Floats, high: Ints, shape: tuple[int, ...]
) -> Evidence:
    """The detectors' evidence as one: contributions weighted by who raised the score, rows sum to 1.

    What was expected of a sensor, and how far off it is, comes from the detector that blames it most, of
    those that say so. Only the readings that are ``high`` (a,) can be part of an alarm; the others have no
    evidence gathered.
    """
    total, expected, deviation = np.zeros(shape), np.full(shape, np.nan), np.full(shape, np.nan)
    if len(high):
        share, most = np.zeros((len(high), shape[1])), np.full((len(high), shape[1]), -1.0)
        for i, one in enumerate(raws):
            found = one.evidence(high)
            part = shares[high, i : i + 1] * normalised(found.contributions)
            share += part
            blames = ~np.isnan(found.expected) & (part > most)
            expected[high] = np.where(blames, found.expected, expected[high])
            deviation[high] = np.where(blames, found.deviation, deviation[high])
            most = np.where(blames, part, most)
        total[high] = normalised(share)
    return Evidence(total, expected, deviation)


def _decisive(raws: list[RawScores | DeferredScores], scores: Floats) -> Floats:
    """Scores (n, d) to decide by: a detector's own word on that, where it has one."""
    if all(raw.decisive is None for raw in raws):
        return scores
    out = scores.copy()
    for i, one in enumerate(raws):
        if one.decisive is not None:
            out[:, i] = np.minimum(-np.expm1(-one.decisive), LARGEST_SCORE)
    return out


@compiled
def normalised(contributions: Floats) -> Floats:
    """Rows that sum to 1; rows that hold nothing stay 0.

    >>> normalised(np.array([[1.0, 3.0], [0.0, 0.0]])).tolist()
    [[0.25, 0.75], [0.0, 0.0]]
    """
    out = np.empty_like(contributions)
    for i in range(len(contributions)):
        total = 0.0
        for value in contributions[i]:
            total += value
        for column in range(contributions.shape[1]):
            out[i, column] = contributions[i, column] / (total if total > 0 else 1.0)
    return out
