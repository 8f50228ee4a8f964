"""docs/plant.md, tried word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.base.settings import ConnectorsSettings
from connectors.plant.file import with_plant
from pipeline.settings import SettingsError
from tests.connectors.pages import blocks

PRESS = "acme/gwangju/body/line-2/press-07"


def test_the_example_of_the_page_says_what_the_page_says(tmp_path: Path) -> None:
    text, path = blocks("plant.md", "toml")[0], tmp_path / "plant.toml"
    path.write_text(text, encoding="utf-8")
    settings = with_plant(ConnectorsSettings(plant=path))
    assert list(settings.machines) == [PRESS]
    sensors = settings.class_for(PRESS, "press").sensors
    assert (sensors["oil_temperature"].warn, sensors["oil_temperature"].trip) == (70, 85)
    assert settings.classes["press"].sensors["oil_temperature"].trip == 80
    assert settings.place_of(PRESS, "ko")[1:] == ["광주 공장", "차체", "2라인"]


def test_the_mistake_of_the_page_is_told_as_the_page_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = blocks("plant.md", "toml")[0]
    Path("plant.toml").write_text(text.replace('"176 degF"', '"80 bar"'), encoding="utf-8")
    with pytest.raises(SettingsError) as told:
        with_plant(ConnectorsSettings())
    assert str(told.value) == blocks("plant.md")[0].strip()
