"""A plant described once: its areas, lines, classes, machines and sensors, and the settings that follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar

from pydantic import AliasChoices, Field, ValidationError

from pipeline.conversion import UnitError, amount
from pipeline.machine import DEFAULT_LEVELS, safe_level
from pipeline.settings import (
    ClassSettings,
    IsoZoneSettings,
    LabelledSection,
    MachineSettings,
    PipelineSettings,
    Section,
    SensorSettings,
)

#: A name in one language, or in several: ``"Press 7"``, ``{ en = "Press 7", ko = "프레스 7" }``.
Name = str | dict[str, str]
#: A number in the sensor's unit, or with a unit of its own: ``80``, ``"176 degF"``.
Amount = float | str
Path = tuple[str | int, ...]

_Labelled = TypeVar("_Labelled", bound=LabelledSection)
_LIMITS = ("warn", "trip", "low_warn", "low_trip")


class PlantSensor(Section):
    """A sensor: what it is called, what it measures, and what is too much."""

    name: Name = ""
    unit: str = ""
    source_unit: str = ""
    range: tuple[Amount, Amount] | None = None
    warn: Amount | None = None
    trip: Amount | None = None
    low_warn: Amount | None = None
    low_trip: Amount | None = None
    deadband: float | None = Field(None, ge=0)
    symptom: bool | None = None
    iso20816: IsoZoneSettings | None = None


class PlantClass(Section):
    """Machines of one kind; `[classes.NAME]` of the settings holds what else is said of them."""

    name: Name = ""
    match: list[str] = Field(default_factory=list)
    criticality: int | None = Field(None, ge=1, le=4)
    failure_modes: list[str] = Field(default_factory=list)
    sensors: dict[str, PlantSensor] = Field(default_factory=dict)


class PlantMachine(Section):
    """A machine: where it stands, of which class it is, and who brings its readings."""

    id: str = Field(min_length=1)
    area: str = ""
    line: str = ""
    machine_class: str = Field("", validation_alias=AliasChoices("class", "machine_class"))
    name: Name = ""
    source: str = ""
    aliases: list[str] = Field(default_factory=list)
    sensors: dict[str, PlantSensor] = Field(default_factory=dict)


class PlantLine(Section):
    """A line of an area."""

    name: Name = ""


class PlantArea(Section):
    """An area of the site, with its lines."""

    name: Name = ""
    lines: dict[str, PlantLine] = Field(default_factory=dict)


class Plant(Section):
    """One site; what is not said has the settings' word, or none."""

    enterprise: str = DEFAULT_LEVELS[0]
    site: str = DEFAULT_LEVELS[1]
    name: Name = ""
    areas: dict[str, PlantArea] = Field(default_factory=dict)
    classes: dict[str, PlantClass] = Field(default_factory=dict)
    machines: list[PlantMachine] = Field(default_factory=list)

    def machine_name(self, machine: PlantMachine) -> str:
        """The machine's whole name.

        >>> Plant(enterprise="acme", site="gwangju").machine_name(PlantMachine(id="P/101", line="line-1"))
        'acme/gwangju/area/line-1/P~2F101'
        """
        area, line = machine.area or DEFAULT_LEVELS[2], machine.line or DEFAULT_LEVELS[3]
        levels = (self.enterprise, self.site, area, line, machine.id)
        return "/".join(safe_level(level) for level in levels)


@dataclass(frozen=True, slots=True)
class Mistake:
    """What cannot be meant, and where in the description: ``("machines", 2, "sensors", "t", "warn")``."""

    path: Path
    what: str

    @property
    def key(self) -> str:
        """The path as people write it.

        >>> Mistake(("machines", 2, "class"), "").key
        'machines[2].class'
        """
        text = ""
        for part in self.path:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        return text


class PlantError(ValueError):
    """The description cannot be used: ``mistakes`` says why, all at once."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("; ".join(f"{mistake.key}: {mistake.what}" for mistake in mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Described:
    """A plant as settings: what stands in their `classes`, `machines` and `places`.

    ``aliases``: what a source ("" = every one) calls a machine = its whole name.
    """

    classes: dict[str, ClassSettings]
    machines: dict[str, MachineSettings]
    places: dict[str, LabelledSection]
    aliases: dict[str, dict[str, str]] = field(default_factory=dict)


def parse_plant(values: Mapping[str, Any]) -> Plant:
    """The description in ``values``, as TOML or JSON has them. Raises `PlantError`."""
    try:
        return Plant.model_validate(values)
    except ValidationError as error:
        # ``loc`` names the alternatives of a union too, which nobody wrote
        mistakes = {_written(one["loc"], values): _plain(one["msg"]) for one in reversed(error.errors())}
        raise PlantError([Mistake(path, what) for path, what in reversed(mistakes.items())]) from None


def describe(plant: Plant, settings: PipelineSettings) -> Described:
    """What the plant adds to ``settings``; where both speak, the plant is right. Raises `PlantError`."""
    work = _Work(plant, settings)
    made = work.described()
    if work.mistakes:
        raise PlantError(work.mistakes)
    return made


class _Work:
    """Turns a description into settings and notes what cannot be meant."""

    def __init__(self, plant: Plant, settings: PipelineSettings) -> None:
        self.plant, self.settings = plant, settings
        self.mistakes: list[Mistake] = []

    def described(self) -> Described:
        described = {name: self._class(name, one) for name, one in self.plant.classes.items()}
        machines: dict[str, MachineSettings] = {}
        aliases: dict[str, dict[str, str]] = {}
        # those of the plant first: the first pattern that matches is taken
        known = described | {
            n: c.model_copy() for n, c in self.settings.classes.items() if n not in described
        }
        for one in known.values():
            one.sensors = dict(one.sensors)
        for at, machine in enumerate(self.plant.machines):
            where: Path = ("machines", at)
            name = self._tried((*where, "id"), self.plant.machine_name, machine)
            if name is None:
                continue
            if name in machines:
                self._mistake((*where, "id"), f"{name} is described twice")
            machines[name] = self._machine(where, machine, known)
            called = aliases.setdefault(machine.source, {})
            for place, alias in enumerate(machine.aliases):
                if called.setdefault(alias, name) != name:
                    self._mistake((*where, "aliases", place), f"{alias!r} is {called[alias]} already")
        self._places_of_machines()
        return Described(
            known,
            {**self.settings.machines, **machines},
            {**self.settings.places, **self._places()},
            aliases,
        )

    def _class(self, name: str, one: PlantClass) -> ClassSettings:
        where: Path = ("classes", name)
        base = self.settings.classes.get(name)
        whole = {"match": []} if base is None else base.model_dump(exclude_unset=True)
        said = one.model_dump(include={"match", "criticality", "failure_modes"}, exclude_unset=True)
        sensors = dict(base.sensors) if base is not None else {}
        for sensor, described in one.sensors.items():
            made = self._sensor((*where, "sensors", sensor), described, sensors.get(sensor))
            if made is not None:
                sensors[sensor] = made
        made_class = self._tried(where, ClassSettings.model_validate, whole | said | {"sensors": sensors})
        return made_class or ClassSettings()

    def _machine(self, where: Path, one: PlantMachine, known: dict[str, ClassSettings]) -> MachineSettings:
        if one.machine_class and one.machine_class not in known:
            self._mistake(
                (*where, "class"), f"there is no class {one.machine_class!r}; there are {', '.join(known)}"
            )
        of_class = known[self._class_of(one, known)].sensors
        own: dict[str, SensorSettings] = {}
        for sensor, described in one.sensors.items():
            at: Path = (*where, "sensors", sensor)
            common = of_class.get(sensor)
            made = self._sensor(at, described, common, whole=False)
            if made is None:
                continue
            own[sensor] = made
            if common is None:  # what it is called and measures, pages ask the class
                of_class[sensor] = SensorSettings(unit=described.unit, **_labels(described.name))
            else:
                self._as_its_class(at, described, common)
        made_machine = MachineSettings(machine_class=one.machine_class, sensors=own)
        return _labelled(made_machine, one.name)

    def _class_of(self, one: PlantMachine, known: dict[str, ClassSettings]) -> str:
        if one.machine_class in known:
            return one.machine_class
        named = PipelineSettings(classes=dict(known)).class_of(self.plant.machine_name(one))
        return named or next(reversed(known))

    def _as_its_class(self, where: Path, one: PlantSensor, common: SensorSettings) -> None:
        if one.unit and one.unit != common.unit:
            self._mistake(
                (*where, "unit"),
                f"{one.unit!r}, and for the machine's class it is {common.unit!r}: a sensor has one unit in "
                "a class. What arrives otherwise has a source_unit",
            )
        own = _labels(one.name)
        if own and own != _labels_of(common):
            self._mistake(
                (*where, "name"), "another name than for the machine's class: a sensor has one in a class"
            )

    def _sensor(
        self, where: Path, one: PlantSensor, base: SensorSettings | None, *, whole: bool = True
    ) -> SensorSettings | None:
        """The sensor as settings; ``whole`` = with what ``base`` says, else only what is said of it here."""
        before = {} if base is None else base.model_dump(exclude_unset=True)
        said = one.model_dump(exclude_unset=True, exclude={"name", "range", *_LIMITS})
        unit = one.unit or (base.unit if base is not None else "")
        for key in _LIMITS:
            value = getattr(one, key)
            if value is not None:
                said[key] = self._amount((*where, key), value, unit)
        if one.range is not None:
            low, high = (self._amount((*where, "range", n), end, unit) for n, end in enumerate(one.range))
            said |= {"low": low, "high": high}
            if low is not None and high is not None and low >= high:
                self._mistake((*where, "range"), f"{low:g} is not below {high:g}")
        said |= _labels(one.name)
        complete = self._tried(where, SensorSettings.model_validate, before | said)
        if complete is None:
            return None
        self._ordered(where, complete)
        # what is checked is the sensor whole; what a machine keeps is what it says itself
        return complete if whole else SensorSettings.model_construct(**_only(complete, set(said)))

    def _ordered(self, where: Path, one: SensorSettings) -> None:
        steps = ("low", "low_trip", "low_warn", "warn", "trip", "high")
        known = [(key, getattr(one, key)) for key in steps if getattr(one, key) is not None]
        for (lower, below), (upper, above) in pairwise(known):
            if below > above:
                self._mistake(where, f"{lower} ({below:g}) is above {upper} ({above:g})")

    def _amount(self, where: Path, value: Amount, unit: str) -> float | None:
        return value if not isinstance(value, str) else self._tried(where, lambda: amount(value, unit))

    def _places(self) -> dict[str, LabelledSection]:
        site = f"{safe_level(self.plant.enterprise)}/{safe_level(self.plant.site)}"
        named: dict[str, Name] = {site: self.plant.name}
        for area, one in self.plant.areas.items():
            named[f"{site}/{safe_level(area)}"] = one.name
            for line, other in one.lines.items():
                named[f"{site}/{safe_level(area)}/{safe_level(line)}"] = other.name
        return {place: _labelled(LabelledSection(), name) for place, name in named.items() if name}

    def _places_of_machines(self) -> None:
        """Where areas are described, a machine in another one is a slip of the pen."""
        areas = self.plant.areas
        for at, one in enumerate(self.plant.machines):
            if areas and one.area and one.area not in areas:
                self._mistake(
                    ("machines", at, "area"), f"there is no area {one.area!r}; there are {', '.join(areas)}"
                )
            elif (
                one.area in areas and (lines := areas[one.area].lines) and one.line and one.line not in lines
            ):
                self._mistake(
                    ("machines", at, "line"),
                    f"area {one.area!r} has no line {one.line!r}; it has {', '.join(lines)}",
                )

    def _tried(self, where: Path, work: Callable[..., Any], *values: Any) -> Any:
        try:
            return work(*values)
        except ValidationError as error:
            for one in error.errors():
                self._mistake((*where, *one["loc"]), _plain(one["msg"]))
        except (UnitError, ValueError) as error:
            self._mistake(where, str(error))
        return None

    def _mistake(self, where: Path, what: str) -> None:
        self.mistakes.append(Mistake(where, what))


def _labels(name: Name) -> dict[str, Any]:
    """A name as the settings have it.

    >>> _labels({"en": "Press 7", "ko": "프레스 7", "ja": "プレス"})
    {'label': 'Press 7', 'label_ko': '프레스 7', 'labels': {'ja': 'プレス'}}
    """
    if not name:
        return {}
    if isinstance(name, str):
        return {"label": name}
    own = {"label": name.get("en", ""), "label_ko": name.get("ko", "")}
    others = {language: text for language, text in name.items() if language not in ("en", "ko")}
    return own | ({"labels": others} if others else {})


def _labels_of(one: LabelledSection) -> dict[str, Any]:
    both = _labels(one.label) if not one.label_ko and not one.labels else None
    return both or {"label": one.label, "label_ko": one.label_ko} | (
        {"labels": one.labels} if one.labels else {}
    )


def _labelled(section: _Labelled, name: Name) -> _Labelled:
    return section.model_copy(update=_labels(name))


def _only(section: SensorSettings, keys: set[str]) -> dict[str, Any]:
    return {key: getattr(section, key) for key in type(section).model_fields if key in keys}


def _plain(text: str) -> str:
    return text.removeprefix("Value error, ")


def _written(loc: Path, values: Any) -> Path:
    """The part of pydantic's ``loc`` that stands in ``values``, and one key more where one is missing."""
    path: list[str | int] = []
    for part in loc:
        if isinstance(values, dict) and (part in values or isinstance(part, str)):
            path.append(part)
            if part not in values:
                break
            values = values[part]
        elif isinstance(values, list | tuple) and isinstance(part, int) and part < len(values):
            path.append(part)
            values = values[part]
        else:
            break
    return tuple(path)
