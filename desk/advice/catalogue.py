"""A catalogue of failure modes for a class of machines: its form, how it is read and checked."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

from desk.advice.quantity import QUANTITIES

Way = Literal["up", "down", "either"]
Skill = Literal["operator", "mechanic", "electrician", "vibration", "controls", "maker"]

#: Failure modes of ISO 14224, Annex B, for rotating and instrument equipment: the code, and its word.
ISO_14224 = {
    "AIR": "abnormal instrument reading",
    "BRD": "breakdown",
    "ELP": "external leakage, process medium",
    "ELU": "external leakage, utility medium",
    "ERO": "erratic output",
    "FTS": "failure to start on demand",
    "HIO": "high output",
    "INL": "internal leakage",
    "LOO": "low output",
    "NOI": "noise",
    "OHE": "overheating",
    "PDE": "parameter deviation",
    "PLU": "plugged or choked",
    "SER": "minor in-service problems",
    "STD": "structural deficiency",
    "STP": "failure to stop on demand",
    "UST": "spurious stop",
    "VIB": "vibration",
}

#: ISO 14224, Annex B: mechanical, material, instrumentation, electrical and external mechanisms.
MECHANISMS = frozenset(
    (
        "leakage",
        "vibration",
        "clearance-alignment",
        "deformation",
        "looseness",
        "sticking",
        "cavitation",
        "corrosion",
        "erosion",
        "wear",
        "breakage",
        "fatigue",
        "overheating",
        "burst",
        "no-signal",
        "faulty-signal",
        "out-of-adjustment",
        "open-circuit",
        "short-circuit",
        "faulty-power",
        "blockage",
        "contamination",
    )
)

#: The catalogue of what can be wrong with a sensor, and the one for machines that no other is for.
SENSOR, GENERAL = "sensor", "machine"


class CatalogueError(Exception):
    """A catalogue or one of its modes cannot be used; the message says where and why."""


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The same words in both languages; either may be missing in a plant's own modes."""

    en: str = ""
    ko: str = ""

    def of(self, language: str) -> str:
        """In ``language``, else in the other: an English check is better than none."""
        return (self.ko or self.en) if language == "ko" else (self.en or self.ko)


class Symptom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A quantity that moves: ``weight`` is the chance that it does when the mode is there (0..1)."""

    quantity: str
    way: Way = "up"
    weight: float = 0.7


class Mode(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One failure mode.

    ``mode`` is its key, as verdicts name it; ``sentence`` what a floor worker is told (``{where}`` is filled
    in); ``iso14224`` codes and ``mechanism`` words of ISO 14224, Annex B; ``prior`` how often it occurs,
    relative to the others; ``checks`` in the order to do them; ``minutes`` for the checks.
    """

    mode: str
    title: Text
    sentence: Text
    symptoms: tuple[Symptom, ...]
    checks: tuple[Text, ...]
    iso14224: tuple[str, ...] = ()
    mechanism: str = ""
    prior: float = 1.0
    spectrum: Text = Text()
    parts: tuple[Text, ...] = ()
    safety: tuple[Text, ...] = ()
    skill: Skill = "mechanic"
    minutes: int = 30
    sources: tuple[str, ...] = ()


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The failure modes of a class of machines; ``match`` are patterns of the names of such classes.

    ``includes`` are catalogues of parts that such machines have; a mode of its own takes the place of one
    of the same key there.
    """

    name: str = ""
    title: Text
    match: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    modes: tuple[Mode, ...] = ()


class AdviceEdit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A plant's change of one mode of a catalogue; ``mode`` None = the mode is taken out."""

    catalogue: str
    key: str
    mode: Mode | None = None


def parse_catalogue(text: str, name: str) -> Catalogue:
    """Read a catalogue from TOML. Raises `CatalogueError`."""
    try:
        found = msgspec.convert({"name": name, **tomllib.loads(text)}, Catalogue)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CatalogueError(f"Catalogue {name}: {error}.") from None
    seen: set[str] = set()
    for mode in found.modes:
        check_mode(mode)
        if mode.mode in seen:
            raise CatalogueError(f"Catalogue {name}: {mode.mode} stands in it twice.")
        seen.add(mode.mode)
    return found


def check_mode(mode: Mode) -> None:
    """Raise `CatalogueError` for a mode that cannot be used."""

    def refuse(why: str) -> CatalogueError:
        return CatalogueError(f"{mode.mode or 'The mode'}: {why}")

    if not mode.mode or not all(one.isalnum() or one == "-" for one in mode.mode):
        raise refuse("its key has letters, digits and hyphens, as bearing-wear.")
    if not mode.title.of("en") or not mode.sentence.of("en"):
        raise refuse("it needs a title and a sentence.")
    if not mode.checks or not all(check.of("en") for check in mode.checks):
        raise refuse("it needs at least one check, and none may be empty.")
    if not 0 < mode.prior <= 100:
        raise refuse(f"prior is {mode.prior:g}; give more than 0, at most 100.")
    if not 0 < mode.minutes <= 10_000:
        raise refuse(f"minutes is {mode.minutes}; give 1 to 10000.")
    for symptom in mode.symptoms:
        if symptom.quantity not in QUANTITIES:
            raise refuse(
                f"no quantity is called {symptom.quantity!r}; known are {', '.join(sorted(QUANTITIES))}."
            )
        if not 0 < symptom.weight < 1:
            raise refuse(
                f"the weight of {symptom.quantity} is {symptom.weight:g}; give more than 0, less than 1."
            )
    for code in mode.iso14224:
        if code not in ISO_14224:
            raise refuse(f"{code!r} is no failure mode of ISO 14224 that is known here.")
    if mode.mechanism and mode.mechanism not in MECHANISMS:
        raise refuse(f"{mode.mechanism!r} is no mechanism of ISO 14224 that is known here.")
    for text in (mode.sentence.en, mode.sentence.ko):
        if text.replace("{where}", "").count("{") or text.replace("{where}", "").count("}"):
            raise refuse("in the sentence only {where} may stand in braces.")
        if ":" in text:
            raise refuse("the sentence has no colon: the value follows after one.")


@cache
def built_in() -> Mapping[str, Catalogue]:
    """The catalogues of this package, by name."""
    folder = files("desk.advice") / "catalogues"
    return {
        one.name.removesuffix(".toml"): parse_catalogue(
            one.read_text(encoding="utf-8"), one.name.removesuffix(".toml")
        )
        for one in sorted(folder.iterdir(), key=lambda one: one.name)
        if one.name.endswith(".toml")
    }


def catalogue_for(machine_class: str, machine: str, known: Mapping[str, Catalogue]) -> Catalogue:
    """The catalogue of a machine: by the name of its class, else by its own last level, else the general one.

    >>> catalogue_for("cooling-pumps", "a/b/c/d/p1", built_in()).name
    'pump'
    >>> catalogue_for("default", "a/b/c/d/press-07", built_in()).name
    'press'
    """
    for text in (machine_class.lower(), machine.rpartition("/")[2].lower()):
        for one in known.values():
            if any(fnmatchcase(text, pattern) for pattern in one.match):
                return one
    return known[GENERAL]


def modes_of(catalogue: Catalogue, known: Mapping[str, Catalogue]) -> dict[str, Mode]:
    """Its modes by key, with those of the catalogues that it includes."""
    found = {one.mode: one for one in catalogue.modes}
    for name in catalogue.includes:
        for mode in known[name].modes:
            found.setdefault(mode.mode, mode)
    return found


def home_of(key: str, catalogue: Catalogue, known: Mapping[str, Catalogue]) -> str:
    """The name of the catalogue that a mode of ``catalogue`` stands in: its own, or one that it includes."""
    names = (catalogue.name, *catalogue.includes)
    return next((name for name in names if any(one.mode == key for one in known[name].modes)), "")


def with_modes(catalogue: Catalogue, changed: Iterable[tuple[str, Mode | None]]) -> Catalogue:
    """``catalogue`` with modes put in, replaced, or (None) taken out, in this order."""
    modes = {one.mode: one for one in catalogue.modes}
    for key, mode in changed:
        if mode is None:
            modes.pop(key, None)
        else:
            modes[key] = mode
    return msgspec.structs.replace(catalogue, modes=tuple(modes.values()))
