"""plant.toml: what follows from it, each mistake with its line, text that reads back the same."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base.settings import ConnectorsSettings
from connectors.plant.file import described_in, read_plant, with_plant
from connectors.plant.lines import line_of
from connectors.plant.write import plant_toml
from pipeline.plant import parse_plant
from pipeline.settings import ClassSettings, PipelineSettings, SettingsError

PLANT = """\
enterprise = "acme"
site = "gwangju"
name = { en = "Gwangju works", ko = "광주 공장" }

[areas.body]
name = { ko = "차체" }
[areas.body.lines."press line 2"]
name = { ko = "프레스 2라인" }

[classes.press]
criticality = 4
failure_modes = ["bearing", "oil leak"]

[classes.press.sensors.oil_temperature]
name = { en = "Oil temperature", ko = "유온" }
unit = "degC"
source_unit = "degF"
range = [-20, "302 degF"]
warn = 70
trip = "176 degF"

[[machines]]
id = "#7 Press"
area = "body"
line = "press line 2"
class = "press"
name = { en = "Press 7", ko = "프레스 7" }
aliases = ["P7", "press/7"]
source = "hall-3"

[machines.sensors.oil_temperature]
trip = 85

[[machines]]
id = "press-08"
area = "body"
line = "press line 2"
class = "press"
"""
SEVEN, EIGHT = "acme/gwangju/body/press line 2/~237 Press", "acme/gwangju/body/press line 2/press-08"


def written(folder: Path, text: str) -> Path:
    path = folder / "plant.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_plant_becomes_settings(tmp_path: Path) -> None:
    own = ClassSettings(match=["*/press-*"], learning={"warmup": 40})
    base = ConnectorsSettings(
        plant=written(tmp_path, PLANT),
        classes={"press": own, "default": ClassSettings()},
        sources={
            "hall-3": {"kind": "mqtt", "mapping": {"machines": {"P7": "elsewhere"}}},
            "b": {"kind": "mqtt"},
        },
    )
    settings = with_plant(base)
    assert settings.class_of(SEVEN) == "press"
    press = settings.classes["press"]
    assert (press.criticality, press.learning.warmup, press.match) == (4, 40, ["*/press-*"])
    assert settings.failure_modes_of(EIGHT) == ["bearing", "oil leak"]
    oil = settings.class_for(EIGHT, "press").sensors["oil_temperature"]
    assert (oil.low, oil.high, oil.warn, oil.trip) == (-20, 150, 70, 80)
    assert settings.class_for(SEVEN, "press").sensors["oil_temperature"].trip == 85
    assert settings.class_for(SEVEN, "press").sensors["oil_temperature"].warn == 70
    assert oil.label_in("ko") == "유온"
    assert [settings.name_of(SEVEN, one) for one in ("en", "ko", "ja")] == ["Press 7", "프레스 7", "Press 7"]
    assert settings.name_of(EIGHT, "ko") == "press-08"
    assert settings.place_of(SEVEN, "ko") == ["acme", "광주 공장", "차체", "프레스 2라인"]
    assert settings.place_of(SEVEN, "en") == ["acme", "Gwangju works", "body", "press line 2"]
    mapping = settings.sources["hall-3"].mapping
    assert mapping.machines == {"P7": "elsewhere", "press/7": SEVEN}, "the source's own settings are nearer"
    assert settings.sources["b"].mapping.machines == {}
    assert base.classes["press"].sensors == {}, "what was given is left as it was"


MISTAKES = [
    ('warn = 70', 'warn = "9 bar"', 19, "classes.press.sensors.oil_temperature.warn", "'bar' cannot be"),
    ('warn = 70', 'warn = "hot"', 19, "classes.press.sensors.oil_temperature.warn", "no amount"),
    ('warn = 70', 'warm = 70', 19, "classes.press.sensors.oil_temperature.warm", "not permitted"),
    ('warn = 70', 'warn = 90', 14, "classes.press.sensors.oil_temperature", "warn (90) is above trip (80)"),
    ('"302 degF"]', '-40]', 18, "classes.press.sensors.oil_temperature.range", "-20 is not below -40"),
    ('"302 degF"]', '1, 2]', 18, "classes.press.sensors.oil_temperature.range", "at most 2"),
    ('source_unit = "degF"', 'source_unit = "bar"', 14, "classes.press.sensors.oil_temperature", "converted"),
    ('criticality = 4', 'criticality = 9', 11, "classes.press.criticality", "less than or equal to 4"),
    ('id = "press-08"', '', 34, "machines[1].id", "required"),
    ('id = "press-08"', 'id = "#7 Press"', 35, "machines[1].id", "described twice"),
    ('source = "hall-3"', 'source = "hall-4"', 29, "machines[0].source", "no [sources.hall-4]"),
    ('trip = 85', 'trip = 85\nunit = "degF"', 33, "machines[0].sensors.oil_temperature.unit", "one unit"),
    ('name = { en = "Press 7", ko = "프레스 7" }', 'name = 7', 27, "machines[0].name", "string"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "line", "key", "why"), MISTAKES)
def test_a_mistake_is_told_with_file_line_and_key(
    tmp_path: Path, before: str, after: str, line: int, key: str, why: str
) -> None:
    assert PLANT.count(before) == 1
    path = written(tmp_path, PLANT.replace(before, after))
    settings = ConnectorsSettings(plant=path, sources={"hall-3": {"kind": "mqtt"}})
    with pytest.raises(SettingsError) as told:
        with_plant(settings)
    where = next(one for one in str(told.value).splitlines() if f" {key}:" in one)
    assert str(path) in str(told.value)
    assert where.startswith(f"  line {line}: ")
    assert why in where


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    wrong = PLANT.replace('class = "press"\nname', 'class = "pres"\nname').replace(
        'area = "body"', 'area = "b"'
    )
    with pytest.raises(SettingsError) as told:
        described_in(written(tmp_path, wrong), PipelineSettings())
    lines = str(told.value).splitlines()[1:]
    assert [one.split(":")[1].strip() for one in lines] == [
        "machines[0].area",
        "machines[0].class",
        "machines[1].area",
    ]


def test_a_missing_file_is_only_wrong_where_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert with_plant(ConnectorsSettings()).machines == {}
    with pytest.raises(SettingsError, match="no file"):
        with_plant(ConnectorsSettings(plant=tmp_path / "no.toml"))
    with pytest.raises(SettingsError, match="no TOML"):
        read_plant(written(tmp_path, "[[machines"))


words = st.text(min_size=1, max_size=12).filter(lambda text: text.strip() != "")
names = st.one_of(words, st.dictionaries(st.sampled_from(["en", "ko", "ja"]), words, min_size=1))
numbers = st.floats(-1e6, 1e6, allow_nan=False)
sensors = st.dictionaries(
    words,
    st.fixed_dictionaries(
        {"unit": st.just("degC")}, optional={"name": names, "warn": numbers, "symptom": st.booleans()}
    ),
)
machines = st.fixed_dictionaries(
    {"id": words},
    optional={"class": words, "name": names, "aliases": st.lists(words, min_size=1), "sensors": sensors},
)
plants = st.fixed_dictionaries(
    {"site": words, "machines": st.lists(machines, max_size=3)},
    optional={
        "classes": st.dictionaries(
            words, st.fixed_dictionaries({"criticality": st.integers(1, 4), "sensors": sensors})
        ),
        "areas": st.dictionaries(words, st.fixed_dictionaries({"name": names})),
    },
)


@given(plants)
def test_what_is_written_reads_back_the_same(values: dict[str, object]) -> None:
    plant = parse_plant(values)
    assert parse_plant(tomllib.loads(plant_toml(plant))) == plant


@given(plants)
def test_the_line_of_a_key_holds_that_key(values: dict[str, object]) -> None:
    text = plant_toml(parse_plant(values))
    for number, machine in enumerate(values["machines"]):  # type: ignore[arg-type]
        line = text.split("\n")[line_of(text, ("machines", number, "id")) - 1]
        assert tomllib.loads(line) == {"id": machine["id"]}
