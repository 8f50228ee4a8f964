"""Templates to HTML: what every template can use, in the reader's language and appearance."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from math import floor, isnan
from urllib.parse import quote

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from desk.settings.whole import SettingsWithDesk
from desk.texts.catalogue import Texts, languages
from desk.texts.entries import remark
from desk.web.kit.security import local_address
from pipeline.assessment import HEALTH_ACT, HEALTH_PLAN
from pipeline.settings import SensorSettings
from pipeline.wire.units import shown_unit

LANGUAGE_COOKIE = "yeji-language"
THEME_COOKIE = "yeji-theme"
THEMES = ("auto", "light", "dark")


class Renderer:
    """Renders the package's templates; ``loaders`` of a caller come before our own.

    A template that replaces one of ours reaches it as `page/NAME`.
    """

    def __init__(
        self,
        settings: SettingsWithDesk,
        *,
        language: str,
        navigation: Sequence[tuple[str, str]],
        loaders: Sequence[BaseLoader] = (),
        zone: str = "",
        more: Mapping[str, object] | None = None,
    ) -> None:
        """``zone`` is that of the times on the pages; "" = each reader's own.

        ``more``: what every template can use besides.
        """
        self.settings = settings
        self._language = language
        self.navigation = navigation
        own = PackageLoader("desk.web.kit")
        self._environment = Environment(
            loader=ChoiceLoader([*loaders, own, PrefixLoader({"page": own})]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "number": number,
            "score": score_text,
            "when": when,
            "local": local_address,
            "segment": lambda text: quote(text, safe="/"),
        }
        self._environment.globals["zone_shown"] = zone
        self._environment.globals["sensor_label"] = self.sensor_label
        self._environment.globals["machine_name"] = settings.name_of
        self._environment.globals["place_names"] = settings.place_of
        self._environment.globals["remark"] = remark
        self._environment.globals["sensor_unit"] = self.sensor_unit
        self._environment.globals |= {"HEALTH_ACT": HEALTH_ACT, "HEALTH_PLAN": HEALTH_PLAN}
        self._environment.globals |= more or {}

    def language(self, request: Request) -> str:
        """The reader's choice, else what their browser asks for, else the settings'."""
        chosen = request.cookies.get(LANGUAGE_COOKIE)
        if chosen in languages():
            return chosen
        return accepted(request.headers.get("accept-language", ""), languages()) or self._language

    def texts(self, request: Request) -> Texts:
        """The texts in the reader's language."""
        return Texts(self.language(request))

    def html(self, request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """Render ``template`` for ``request``."""
        t = self.texts(request)
        theme = request.cookies.get(THEME_COOKIE)
        address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        body = self._environment.get_template(template).render(
            t=t,
            language=t.language,
            languages=languages(),
            theme=theme if theme in THEMES else "auto",
            themes=THEMES,
            path=request.url.path,
            address=address,
            seen=getattr(request.state, "seen", ""),
            **{"navigation": self.navigation, **values},
        )
        return HTMLResponse(body, status_code=status, headers={"Cache-Control": "no-store"})

    def fragment(self, language: str, template: str, **values: object) -> Markup:
        """A piece of a page that several readers share: it may hold nothing of one reader."""
        t = Texts(language)
        return Markup(self._environment.get_template(template).render(t=t, language=language, **values))  # noqa: S704 - made from escaped parts

    def _sensor(self, machine_class: str, sensor: str) -> SensorSettings | None:
        known = self.settings.classes.get(machine_class)
        return known.sensors.get(sensor) if known else None

    def sensor_label(self, machine_class: str, sensor: str, language: str) -> str:
        """What a sensor is called in the settings, else its own name."""
        known = self._sensor(machine_class, sensor)
        return (known.label_in(language) if known else "") or sensor

    def sensor_unit(self, machine_class: str, sensor: str) -> str:
        """A sensor's unit in the settings, else nothing."""
        known = self._sensor(machine_class, sensor)
        return shown_unit(known.unit) if known else ""


def accepted(header: str, known: Container[str]) -> str | None:
    """The language that an Accept-Language header (RFC 9110) likes best among ``known``; None = none of them.

    >>> accepted("de, ko-KR;q=0.8, en;q=0.5", ("en", "ko")), accepted("en;q=0, *;q=0.1", ("en",))
    ('ko', None)
    """
    wanted: list[tuple[float, str]] = []
    for part in header.split(","):
        tag, _, weight = part.partition(";")
        name, _, number_ = weight.strip().partition("=")
        try:
            liked = float(number_) if name.strip().lower() == "q" else 1.0
        except ValueError:
            liked = 0.0
        if liked > 0:
            wanted.append((liked, tag.strip()))
    for _, tag in sorted(wanted, key=lambda one: -one[0]):
        for code in (tag, tag.lower(), tag.partition("-")[0].lower()):
            if code in known:
                return code
    return None


def number(value: float | None, digits: int = 4) -> str:
    """A number for people: so many significant digits.

    >>> number(1234.5678), number(0.00012345), number(None)
    ('1235', '0.0001234', '–')
    """
    if value is None or isnan(value):
        return "–"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:.0f}"
    return f"{value:.{digits}g}"


def score_text(value: float | None) -> str:
    """A score with the nines that matter: one more digit than it has nines.

    >>> score_text(0.42), score_text(0.99951), score_text(1.0), score_text(None)
    ('0.42', '0.9995', '1', '–')
    """
    if value is None or isnan(value):
        return "–"
    for digits in range(2, 7):
        if value < 1 - 10.0**-digits:
            # Cut, not rounded: a score under the threshold must not be shown as the threshold.
            return f"{floor(value * 10**digits + 1e-9) / 10**digits:.{digits}f}"
    return f"{value:.6g}"


def when(time: int, *, date: bool = True) -> Markup:
    """An event time (ms UTC) as `<time>`; the page's script shows it in the reader's own zone."""
    moment = datetime.fromtimestamp(time / 1000, UTC)
    text = moment.strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S")
    iso = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" title="{} UTC">{} UTC</time>').format(
        iso, moment.strftime("%Y-%m-%d %H:%M:%S"), text
    )
