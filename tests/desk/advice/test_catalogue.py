"""The catalogues of the package: whole, in both languages, and each of their words known."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.advice.catalogue import (
    GENERAL,
    SENSOR,
    CatalogueError,
    Mode,
    Symptom,
    Text,
    built_in,
    catalogue_for,
    check_mode,
    home_of,
    modes_of,
    parse_catalogue,
    with_modes,
)
from detectors.quality.quality import Fault

ALL = [(name, mode) for name, one in built_in().items() for mode in one.modes]
GOOD = Mode(
    mode="seal-leak",
    title=Text("Leak"),
    sentence=Text("It leaks"),
    symptoms=(Symptom("flow", "down", 0.5),),
    checks=(Text("Look"),),
)


def test_every_class_that_a_plant_has_is_there():
    assert {"pump", "compressor", "press", "robot", "gearbox", "bearing", "fan"} <= set(built_in())


@pytest.mark.parametrize(("name", "mode"), ALL, ids=[f"{name}-{mode.mode}" for name, mode in ALL])
def test_a_mode_says_everything_in_both_languages(name: str, mode: Mode):
    texts = [mode.title, mode.sentence, *mode.checks, *mode.parts, *mode.safety]
    assert all(one.en and one.ko for one in texts)
    assert all(any("가" <= letter <= "힣" for letter in one.ko) for one in texts)
    assert not any("가" <= letter <= "힣" for one in texts for letter in one.en)
    assert len(mode.checks) >= 3
    assert mode.iso14224
    assert mode.mechanism
    assert mode.sources
    assert mode.safety or name == SENSOR, "what is done by hand on a machine has a safety note"
    assert mode.symptoms or name == SENSOR


def test_each_cause_of_a_sensor_fault_has_its_checks():
    assert {str(one) for one in Fault} <= set(modes_of(built_in()[SENSOR], built_in()))


@pytest.mark.parametrize(
    ("machine_class", "machine", "name"),
    [
        ("cooling-pumps", "a/b/c/d/x", "pump"),
        ("default", "a/b/c/d/press-07", "press"),
        ("compressor", "a/b/c/d/x", "compressor"),
        ("default", "a/b/c/d/compressor-02", "compressor"),
        ("other", "a/b/c/d/용접로봇-3", "robot"),
        ("감속기", "a/b/c/d/x", "gearbox"),
        ("default", "a/b/c/d/exhaust_fan2", "fan"),
        ("default", "a/b/c/d/oven-1", GENERAL),
    ],
)
def test_a_machine_finds_its_catalogue_by_class_or_name(machine_class: str, machine: str, name: str):
    assert catalogue_for(machine_class, machine, built_in()).name == name


def test_modes_of_parts_are_among_those_of_the_machine_and_its_own_come_first():
    known = built_in()
    pump, fan = modes_of(known["pump"], known), modes_of(known["fan"], known)
    assert {"cavitation", "bearing-wear", "imbalance"} <= set(pump)
    assert fan["imbalance"].title.en == "Dirt on the blades, imbalance"


@pytest.mark.parametrize(
    "changed",
    [
        {"mode": "no spaces"},
        {"mode": ""},
        {"title": Text()},
        {"checks": ()},
        {"checks": (Text(),)},
        {"prior": 0.0},
        {"minutes": 0},
        {"symptoms": (Symptom("smell"),)},
        {"symptoms": (Symptom("flow", "up", 1.0),)},
        {"iso14224": ("XYZ",)},
        {"mechanism": "magic"},
        {"sentence": Text("{machine} leaks")},
        {"sentence": Text("leak: here")},
    ],
)
def test_a_mode_that_cannot_be_used_is_refused(changed: dict[str, object]):
    check_mode(GOOD)
    with pytest.raises(CatalogueError):
        check_mode(msgspec.structs.replace(GOOD, **changed))


@pytest.mark.parametrize("text", ["title = 3", "not toml", 'title = {en="x"}\nunknown = 1'])
def test_a_catalogue_that_cannot_be_read_says_where(text: str):
    with pytest.raises(CatalogueError, match="Catalogue mine"):
        parse_catalogue(text, "mine")


def test_a_mode_may_stand_in_a_catalogue_once():
    one = '[[modes]]\nmode="x"\ntitle={en="x"}\nsentence={en="x"}\nsymptoms=[]\nchecks=[{en="x"}]\n'
    with pytest.raises(CatalogueError, match="twice"):
        parse_catalogue(f'title={{en="x"}}\n{one}{one}', "mine")


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "bearing-wear"]), st.booleans()), max_size=8))
def test_changes_apply_in_order_and_the_last_of_a_key_holds(changes: list[tuple[str, bool]]):
    made = [(key, msgspec.structs.replace(GOOD, mode=key) if put else None) for key, put in changes]
    changed = with_modes(built_in()["bearing"], made)
    keys = {one.mode for one in changed.modes}
    for key, put in dict(changes).items():
        assert (key in keys) is put
    assert "lubrication" in keys


def test_the_catalogue_that_a_mode_stands_in_is_known():
    known = built_in()
    assert home_of("cavitation", known["pump"], known) == "pump"
    assert home_of("bearing-wear", known["pump"], known) == "bearing"
    assert home_of("imbalance", known["fan"], known) == "fan"
    assert home_of("rat-nest", known["fan"], known) == ""
