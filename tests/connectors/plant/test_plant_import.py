"""A plant from spreadsheets and from Asset Administration Shells."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from openpyxl import Workbook

from connectors.plant.aas import read_aas
from connectors.plant.sheet import read_sheet
from pipeline.plant import describe
from pipeline.settings import PipelineSettings, SettingsError

HEADER = ["Site", "Area", "Line", "Machine", "Name", "설비명(한글)", "Class", "Failure modes"]
HEADER += ["Sensor", "센서명(한글)", "Unit", "Source unit", "Low", "High", "Warn", "Trip", "Inventory no."]
ROWS: list[list[object]] = [
    ["Works list of 2026"],
    [],
    HEADER,
    [
        "gwangju",
        "body",
        "line 2",
        "#7",
        "Press 7",
        "프레스 7",
        "press",
        "bearing; seal",
        "oil_temp",
        "유온",
        "degC",
        "degF",
        0,
        150,
        70,
        80.5,
        4711,
    ],
    [*[None] * 8, "pressure", "압력", "bar", None, None, None, 180, None, None],
    [*[None] * 3, "#8", None, None, "press", None, "oil_temp", None, "degC", "degF", 0, 150, 70, 85, 4712],
    [None, "paint", "line 1", "fan", *[None] * 4, "vib", None, "mm/s", None, None, None, "0.0045 m/s"],
]


def sheet(folder: Path, kind: str) -> Path:
    path = folder / f"plant.{kind}"
    if kind == "xlsx":
        book = Workbook()
        for row in ROWS:
            book.active.append(row)
        book.save(path)
    else:
        with path.open("w", encoding="cp949", newline="") as file:
            csv.writer(file, delimiter=";").writerows(ROWS)
    return path


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_a_spreadsheet_becomes_a_plant(tmp_path: Path, kind: str) -> None:
    plant, notes = read_sheet(sheet(tmp_path, kind))
    assert notes == ["column 'Inventory no.' is not known, and left out"]
    assert [(one.area, one.line, one.id) for one in plant.machines] == [
        ("body", "line 2", "#7"),
        ("body", "line 2", "#8"),
        ("paint", "line 1", "fan"),
    ]
    assert plant.classes["press"].failure_modes == ["bearing", "seal"]
    found = describe(plant, PipelineSettings())
    settings = PipelineSettings(classes=found.classes, machines=found.machines)
    seven, eight, fan = found.machines
    assert settings.name_of(seven, "ko") == "프레스 7"
    assert settings.class_for(seven, "press").sensors["pressure"].warn == 180
    assert settings.class_for(seven, "press").sensors["oil_temp"].trip == 80.5
    assert settings.class_for(seven, "press").sensors["oil_temp"].label_in("ko") == "유온"
    assert settings.class_for(eight, "press").sensors["oil_temp"].trip == 85
    assert settings.class_for(eight, "press").sensors["oil_temp"].source_unit == "degF"
    assert settings.class_for(fan, "default").sensors["vib"].warn == pytest.approx(4.5)


def test_a_sheet_without_the_column_machine_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(SettingsError, match="names the columns"):
        read_sheet(path)
    path = tmp_path / "x.xlsx"
    path.write_bytes(b"no zip")
    with pytest.raises(SettingsError, match="cannot be read as xlsx"):
        read_sheet(path)


def keys(value: str) -> dict[str, Any]:
    return {"type": "ExternalReference", "keys": [{"type": "GlobalReference", "value": value}]}


def prop(name: str, kind: str = "xs:double", **more: Any) -> dict[str, Any]:
    return {"modelType": "Property", "idShort": name, "valueType": kind, **more}


INTERFACE = {  # IDTA 02017: what an interface's property is stands in a collection of its name
    "modelType": "SubmodelElementCollection",
    "idShort": "InterfaceMODBUS",
    "value": [
        {
            "modelType": "SubmodelElementCollection",
            "idShort": "InteractionMetadata",
            "value": [
                {
                    "modelType": "SubmodelElementCollection",
                    "idShort": "properties",
                    "value": [
                        {
                            "modelType": "SubmodelElementCollection",
                            "idShort": "motor_current",
                            "value": [
                                prop("type", "xs:string", value="number"),
                                prop("unit", "xs:string", value="A"),
                                prop("title", "xs:string", value="Motor current"),
                                {"modelType": "Range", "idShort": "min_max", "valueType": "xs:double"}
                                | {"min": "0", "max": "40"},
                            ],
                        }
                    ],
                }
            ],
        }
    ],
}
ENVIRONMENT: dict[str, Any] = {
    "assetAdministrationShells": [
        {
            "id": "https://acme.example/aas/press-7",
            "idShort": "press_7",
            "displayName": [{"language": "en-US", "text": "Press 7"}, {"language": "ko", "text": "프레스 7"}],
            "assetInformation": {"assetKind": "Instance"},
            "submodels": [keys("urn:nameplate"), keys("urn:operation"), keys("urn:aid"), keys("urn:lost")],
        },
        {"id": "urn:type", "idShort": "press_type", "assetInformation": {"assetKind": "Type"}},
    ],
    "submodels": [
        {
            "id": "urn:nameplate",
            "idShort": "Nameplate",
            "submodelElements": [prop("YearOfConstruction", "xs:int")],
        },
        {
            "id": "urn:operation",
            "idShort": "OperationalData",
            "submodelElements": [
                prop("OilTemperature", semanticId=keys("urn:concept:oil")),
                {"modelType": "Range", "idShort": "OilTemperatureRange", "min": "-20", "max": "120"},
                prop("Operator", "xs:string"),
            ],
        },
        {"id": "urn:aid", "idShort": "AssetInterfacesDescription", "submodelElements": [INTERFACE]},
    ],
    "conceptDescriptions": [
        {
            "id": "urn:concept:oil",
            "embeddedDataSpecifications": [{"dataSpecificationContent": {"unit": "degC"}}],
        }
    ],
}


@pytest.mark.parametrize("kind", ["json", "aasx"])
def test_a_shell_becomes_a_machine(tmp_path: Path, kind: str) -> None:
    path, text = tmp_path / f"plant.{kind}", json.dumps(ENVIRONMENT, ensure_ascii=False)
    if kind == "json":
        path.write_text(text, encoding="utf-8")
    else:
        with ZipFile(path, "w") as package:
            package.writestr("_rels/.rels", "<Relationships/>")
            package.writestr("aasx/plant.aas.json", text)
    plant, notes = read_aas(path)
    assert notes == [
        "press_7: submodel urn:lost is not in the file",
        "press_type is a type of machine and not one: left out",
    ]
    (machine,) = plant.machines
    assert (machine.id, machine.name) == ("press_7", {"en": "Press 7", "ko": "프레스 7"})
    assert set(machine.sensors) == {"OilTemperature", "motor_current"}
    oil, current = machine.sensors["OilTemperature"], machine.sensors["motor_current"]
    assert (oil.unit, oil.range) == ("degC", (-20, 120))
    assert (current.unit, current.range, current.name) == ("A", (0, 40), "Motor current")


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.json", b"{", "no JSON"),
        ("a.json", b"[]", "no object"),
        ("a.json", b"{}", "no Asset Administration Shell"),
        ("a.aasx", b"{}", "cannot be read"),
    ],
)
def test_what_holds_no_shell_is_refused(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SettingsError, match=why):
        read_aas(tmp_path / name)


def test_a_package_with_xml_only_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "a.aasx", "w") as package:
        package.writestr("aasx/plant.aas.xml", "<environment/>")
    with pytest.raises(SettingsError, match="XML only"):
        read_aas(tmp_path / "a.aasx")
