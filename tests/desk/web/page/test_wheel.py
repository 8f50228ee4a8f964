"""A built wheel holds what the page needs at run time."""

from __future__ import annotations

import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[4]
KINDS = (".html", ".j2", ".js", ".css", ".svg", ".po", ".toml", ".json", ".txt", ".LICENSE", ".typed")


def test_the_wheel_holds_templates_texts_and_scripts(tmp_path: Path):
    wheel = next(iter(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])))
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "desk").rglob("*")
        if path.is_file() and path.suffix in KINDS
    }
    assert {"desk/locale/ko.po", "desk/rules/templates/message.j2"} <= wanted
    assert wanted <= names
