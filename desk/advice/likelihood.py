"""How likely each failure mode of a catalogue is, by what an alarm shows (Bayes' rule, ISO 13379-1)."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from desk.advice.catalogue import Mode, Symptom, Way
from desk.advice.quantity import fits
from pipeline.records import AlarmEvent, AlarmKind

#: How often a quantity moves though the mode does not ask for it.
CHANCE = 0.06
#: "None of these": its share before anything is known, and how often it moves any quantity.
NONE_PRIOR, NONE_CHANCE = 0.15, 0.2
#: How much a symptom that does not show speaks against a mode: it may be too early for it.
MISSED = 0.6


@dataclass(frozen=True, slots=True)
class Moved:
    """A quantity that moved, and how surely: ``strength`` 0..1."""

    quantity: str
    way: Way
    strength: float


def evidence(event: AlarmEvent, quantity: Callable[[str], str]) -> list[Moved]:
    """What an alarm shows; ``quantity`` names what a sensor measures ("" = not known).

    A sensor that carries a third of the score or more, at three deviations or more, counts nearly whole.
    """
    if event.kind is AlarmKind.LIMIT and event.sensor:
        way: Way = "down" if event.code.startswith("low") else "up"
        found = quantity(event.sensor)
        return [Moved(found, way, 1.0)] if found else []
    if event.kind is not AlarmKind.CONDITION:
        return []
    strongest: dict[tuple[str, Way], float] = {}
    for contribution in event.contributions:
        measured = quantity(contribution.sensor)
        if measured and contribution.deviation:
            key: tuple[str, Way] = (measured, "up" if contribution.deviation > 0 else "down")
            strength = math.tanh(abs(contribution.deviation) / 3) * min(1.0, 3 * contribution.share)
            strongest[key] = max(strongest.get(key, 0.0), strength)
    return [Moved(measured, way, strength) for (measured, way), strength in strongest.items()]


def shares(
    modes: Iterable[Mode], moved: Collection[Moved], measured: Collection[str] = ()
) -> dict[str, float]:
    """The probability of each mode; what is missing to 1 is "none of these".

    ``measured`` are quantities that the machine has sensors for: one that a mode asks for and that did not
    move speaks against it. Sensors of one quantity count once, since they move together.
    """
    modes = list(modes)
    if not modes or not moved:
        return {}
    total = sum(mode.prior for mode in modes)
    still = set(measured) - {one.quantity for one in moved}
    weights = {
        mode.mode: mode.prior / total * (1 - NONE_PRIOR) * _likelihood(mode, moved, still) for mode in modes
    }
    none = NONE_PRIOR * math.prod(
        one.strength * NONE_CHANCE + (1 - one.strength) * (1 - NONE_CHANCE) for one in moved
    )
    whole = sum(weights.values()) + none
    return {key: weight / whole for key, weight in weights.items()}


def _likelihood(mode: Mode, moved: Collection[Moved], still: Collection[str]) -> float:
    found = 1.0
    for one in moved:
        chance = max((_chance(s, one) for s in mode.symptoms), default=CHANCE)
        found *= one.strength * chance + (1 - one.strength) * (1 - chance)
    for symptom in mode.symptoms:
        asked = any(fits(symptom.quantity, quantity) for quantity in still)
        if asked and not any(_shows(symptom.quantity, symptom.way, one) for one in moved):
            found *= 1 - MISSED * symptom.weight
    return found


def _chance(symptom: Symptom, moved: Moved) -> float:
    """How likely a mode with ``symptom`` moves a quantity this way; of two ways each is half as likely."""
    if not _shows(symptom.quantity, symptom.way, moved):
        return CHANCE
    return max(CHANCE, symptom.weight / 2 if symptom.way == "either" else symptom.weight)


def _shows(quantity: str, way: Way, moved: Moved) -> bool:
    return way in ("either", moved.way) and fits(quantity, moved.quantity)


def joined(
    catalogue: Mapping[str, float], confirmed: Mapping[str, float], strength: float = 1.0
) -> dict[str, float]:
    """The catalogue's probabilities moved by what crews confirmed.

    ``confirmed`` is how many confirmed faults looked like this alarm, by mode (each at most 1); the
    catalogue counts as ``strength`` of them: the mean of a Dirichlet distribution after those counts.

    >>> joined({"leak": 0.5}, {"bearing-wear": 1.0})
    {'leak': 0.25, 'bearing-wear': 0.5}
    """
    total = strength + sum(confirmed.values())
    keys = dict.fromkeys([*catalogue, *confirmed])
    return {key: (strength * catalogue.get(key, 0.0) + confirmed.get(key, 0.0)) / total for key in keys}
