"""A built wheel holds what the page needs at run time."""

from __future__ import annotations

import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[4]


def test_the_wheel_holds_templates_and_scripts(tmp_path: Path):
    wheel = next(iter(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])))
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in ("desk/web/kit", "desk/web/pages"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and path.suffix in (
                ".html",
                ".js",
                ".css",
                ".svg",
                ".json",
                ".txt",
                ".LICENSE",
            ):
                assert path.relative_to(ROOT).as_posix() in names
