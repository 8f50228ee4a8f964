"""The catalogue of texts: gettext files by language, and what is made of them for a page, a message, a cause.

Each language is one file, `desk/locale/LANGUAGE.po`: a key (`msgid`) and its words (`msgstr`), with values in
braces. A file that is put there is a language that people can choose (docs/languages.md).
"""

from __future__ import annotations

from functools import lru_cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from typing import Annotated, Protocol

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from pydantic import AfterValidator

from pipeline.cause import CAUSES, Cause, CodedError, fill, shown

#: Where the files are.
LOCALE = Path(__file__).parents[1] / "locale"
#: The language that has every text, and that others fall back on.
ENGLISH = "en"


class Caused(Protocol):
    """Whatever has a cause, and words of older versions or of people in its place: an alarm, a message."""

    @property
    def cause(self) -> Cause | None:
        """Why."""

    @property
    def detail(self) -> str:
        """The same in words, where there is no cause."""


@lru_cache(maxsize=1)
def languages() -> dict[str, str]:
    """Code → what the language calls itself, English first.

    >>> languages()["ko"]
    '한국어'
    """
    codes = sorted((path.stem for path in LOCALE.glob("*.po")), key=lambda code: (code != ENGLISH, code))
    return {code: _own_name(code) for code in codes}


def _own_name(code: str) -> str:
    try:
        name = Locale.parse(code, sep="-" if "-" in code else "_").get_display_name()
    except (UnknownLocaleError, ValueError):
        return code
    return (name or code).capitalize()


def known_language(code: str) -> str:
    """``code`` if there is such a language. Raises ValueError."""
    if code not in languages():
        raise ValueError(f"there is no language {code!r}; there are {', '.join(languages())}")
    return code


#: A language in the settings.
Language = Annotated[str, AfterValidator(known_language)]


@lru_cache(maxsize=16)
def _catalogue(language: str) -> tuple[GNUTranslations, frozenset[str]]:
    """The texts of one language, compiled, and their keys; those that it lacks are in English."""
    path = LOCALE / f"{language}.po"
    with path.open("rb") as file:
        texts = read_po(file, locale=language.replace("-", "_"), abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, texts)
    compiled.seek(0)
    made = GNUTranslations(compiled)
    known = {
        _key(text) for text in texts if text.string and (isinstance(text.string, str) or all(text.string))
    }
    if language != ENGLISH:
        english, more = _catalogue(ENGLISH)
        made.add_fallback(english)
        known |= more
    return made, frozenset(known)


def _key(one: Message) -> str:
    return one.id if isinstance(one.id, str) else one.id[0]


def forget() -> None:
    """Read the files again when they are needed next."""
    languages.cache_clear()
    _catalogue.cache_clear()


class Texts:
    """The texts in one language.

    >>> Texts("ko")("n.open", n=3)
    '미해제 3건'
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._catalogue, self._keys = _catalogue(language)

    def __call__(self, key: str, **values: object) -> str:
        """The text for ``key``, in the plural that the value ``n`` asks for. KeyError when there is none."""
        text = self._find(key, values.get("n"))
        if text is None:
            raise KeyError(f"no text is called {key!r}; add it to {LOCALE}/{ENGLISH}.po and the others")
        return fill(text, values)

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def _find(self, key: str, n: object = None) -> str | None:
        if key not in self._keys:
            return None
        text = self._catalogue.ngettext(key, key, n) if isinstance(n, int) else key
        return self._catalogue.gettext(key) if text == key else text

    def cause(self, about: Caused | Cause | None) -> str:
        """Why: of an alarm or a message, or of a cause by itself; "" where there is none.

        >>> Texts("ko").cause(Cause("zone-c", value=4.8, limit=4.5))
        'ISO 20816 C 구역: 측정값 4.8, 한계값 4.5'

        What has no cause keeps the words that came with it, and a code that no catalogue knows its English:
        a cause in another language is better than none.
        """
        cause = about if isinstance(about, Cause) or about is None else about.cause
        words = about.detail if about is not None and not isinstance(about, Cause) else ""
        if cause is None:
            return words
        return self._coded("cause", cause) or words or str(cause)

    def refused(self, error: CodedError) -> str:
        """Why something was refused.

        >>> Texts("en").refused(CodedError("not-possible", event="close", because="not-shelved"))
        'close is not possible: it is not shelved.'
        """
        return self._coded("refused", error.cause) or str(error)

    def _coded(self, prefix: str, cause: Cause) -> str | None:
        """The text of a code; its name where there are no values to fill in.

        Names among the values are translated too (as `event.close`), and a value `because` is a code of the
        same kind, with the same values.
        """
        values = {name: (self._find(f"{name}.{one}") or one) for name, one in shown(cause.values).items()}
        if "because" in cause.values:
            rest = {name: one for name, one in cause.values.items() if name != "because"}
            inner = Cause(str(cause.values["because"]), **rest)
            values["because"] = self._coded(prefix, inner) or inner.code
        text = self._find(f"{prefix}.{cause.code}")
        if text is None and prefix == "cause":
            text = CAUSES.get(cause.code)
        if text is not None and "{" in text and not values:
            return self._find(f"name.{cause.kind}") or cause.kind
        return None if text is None else fill(text, values)

    def duration(self, ms: float) -> str:
        """A length of time in its two largest units.

        >>> Texts("en").duration(93_784_000)
        '1 d 2 h'
        >>> Texts("ko").duration(59_000)
        '59초'
        """
        seconds = max(0, round(ms / 1000))
        parts: list[tuple[str, int]] = []
        for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
            n, rest = divmod(seconds, size)
            if n or (unit == "s" and not parts):
                parts.append((unit, n))
            elif parts:
                break
            seconds = rest
            if len(parts) == 2:
                break
        return " ".join(self(unit, n=n) for unit, n in parts)


def english(about: Caused | Cause | None) -> str:
    """Why, in English: for logs, files and programs."""
    return Texts(ENGLISH).cause(about)


def keys(language: str) -> dict[str, tuple[str, ...]]:
    """Every key of one language's own file, with its words: one, or one for each plural."""
    with (LOCALE / f"{language}.po").open("rb") as file:
        found = {}
        for one in read_po(file, locale=language.replace("-", "_")):
            words = (one.string,) if isinstance(one.string, str) else tuple(one.string or ())
            if one.id:
                found[_key(one)] = words
        return found
