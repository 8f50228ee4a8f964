"""Begins a language, or adds what it lacks: `python -m desk.texts.new_language ja` (docs/languages.md)."""

from __future__ import annotations

import sys
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from desk.texts import catalogue
from pipeline.cause import CAUSES


def complete(language: str) -> tuple[Path, int]:
    """Write every missing text of ``language`` into its file, empty, with the English beside it.

    Returns the file and how many texts wait for a translation. Raises ValueError for no language's code.
    """
    path = catalogue.LOCALE / f"{language}.po"
    if path.is_file():
        with path.open("rb") as file:
            texts = read_po(file, locale=language)
    else:
        texts = Catalog(locale=language, fuzzy=False, charset="utf-8", header_comment=f"# {language}")
    english = catalogue.keys(catalogue.ENGLISH) | {f"cause.{code}": (text,) for code, text in CAUSES.items()}
    for key, words in english.items():
        if key not in texts:
            plural = len(words) > 1 and texts.num_plurals > 1
            texts.add((key, key) if plural else key, auto_comments=[words[-1]])
    with path.open("wb") as file:
        write_po(file, texts, width=0, omit_header=False)
    catalogue.forget()
    return path, sum(1 for one in texts if one.id and not _done(one.string))


def _done(words: object) -> bool:
    return all(words) if isinstance(words, tuple | list) else bool(words)


def main(arguments: list[str]) -> int:
    """Begin or complete the language that is named."""
    if len(arguments) != 1:
        print("Name a language by its code, as ja, de or zh_Hant.", file=sys.stderr)
        return 2
    try:
        Locale.parse(arguments[0])
    except (UnknownLocaleError, ValueError) as error:
        print(f"{error}. Name a language by its code, as ja, de or zh_Hant.", file=sys.stderr)
        return 2
    path, waiting = complete(arguments[0])
    print(f"{path}: {waiting} texts wait for a translation; until then they are shown in English.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
