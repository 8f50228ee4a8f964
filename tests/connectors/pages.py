"""The examples of the documentation's pages, so that tests try them word for word."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(page: str, language: str = "") -> list[str]:
    """The code blocks of a page in one language, in order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return [
        re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)
        for indent, name, body in found
        if name == language
    ]


def source_of(page: str, number: int = 0) -> tuple[str, dict[str, Any]]:
    """The name and settings of the source in a page's TOML example."""
    ((name, settings),) = tomllib.loads(blocks(page, "toml")[number])["sources"].items()
    return name, settings
