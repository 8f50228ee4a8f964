"""The catalogue of failure modes: to look at, and for engineers to change within their places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from starlette.responses import Response
from starlette.routing import BaseRoute

from desk.access.roles import ALL, Role
from desk.advice.catalogue import ISO_14224, Catalogue, Mode, Skill, Symptom, Text, Way, built_in
from desk.advice.quantity import QUANTITIES
from desk.rules.desk import RefusedError
from desk.service.desk import Desk, NotFoundError
from desk.web.access.guard import AccessGuard, Visit

_NEW = Mode(mode="", title=Text(), sentence=Text(), symptoms=(), checks=())
_WAYS: tuple[Way, ...] = get_args(Way)
SKILLS: tuple[Skill, ...] = get_args(Skill)


class AdvicePages:
    """Routes of `/advice`."""

    def __init__(self, guard: AccessGuard, desk: Desk) -> None:
        self.guard, self.desk = guard, desk

    def routes(self) -> list[BaseRoute]:
        """Routes of these pages."""
        one = "/advice/{catalogue}/{key}"
        return [
            self.guard.page("/advice", self.all),
            self.guard.page(one, self.one),
            self.guard.act(one, self.change, Role.ENGINEER),
            self.guard.act(f"{one}/remove", self.remove, Role.ENGINEER),
            self.guard.act(f"{one}/restore", self.restore, Role.ENGINEER),
        ]

    def all(self, visit: Visit) -> Response:
        """Every catalogue, as it holds for a place."""
        place = self._place(visit)
        known = self.desk.advice.catalogues(place)
        ours = {(name, mode.mode): mode for name, one in built_in().items() for mode in one.modes}
        changed = {
            (name, mode.mode)
            for name, one in known.items()
            for mode in one.modes
            if ours.get((name, mode.mode)) != mode
        }
        return self.guard.show(
            visit,
            "catalogue.html",
            catalogues=list(known.values()),
            changed=changed,
            place=place,
            places=self._places(visit),
        )

    def one(self, visit: Visit) -> Response:
        """One failure mode, its form and its history; `new` = an empty form."""
        place, key = self._place(visit), visit.request.path_params["key"]
        catalogue = self._catalogue(visit, place)
        found = next((one for one in catalogue.modes if one.mode == key), None)
        versions = self.desk.advice.versions(visit.scope, catalogue.name, key)
        if found is None and key != "new" and not versions:
            raise NotFoundError(key)
        mode = found or _NEW
        return self.guard.show(
            visit,
            "mode.html",
            catalogue=catalogue,
            mode=mode,
            form=_form_of(mode),
            place=place,
            iso=ISO_14224,
            skills=SKILLS,
            quantities=sorted(QUANTITIES),
            versions=versions,
        )

    # -- acts

    def change(self, visit: Visit) -> Response:
        """Put a mode in, or in place of the one of the same key."""
        form, key = visit.form, visit.request.path_params["key"]
        key = form.get("key", "").strip() if key == "new" else key
        self._say(visit, key, mode_of(key, form, self._sources(visit, key)))
        return self.guard.back(visit, "done.advice")

    def remove(self, visit: Visit) -> Response:
        """Take a mode out."""
        self._say(visit, visit.request.path_params["key"], None)
        return self.guard.back(visit, "done.advice")

    def restore(self, visit: Visit) -> Response:
        """Back to an earlier version."""
        catalogue, key = visit.request.path_params["catalogue"], visit.request.path_params["key"]
        for entry in self.desk.advice.versions(visit.scope, catalogue, key):
            if str(entry.seq) == visit.form.get("seq") and entry.advice is not None:
                why = f"#{entry.seq}"
                self._say(visit, key, entry.advice.mode, place=entry.machine, why=why)
                return self.guard.back(visit, "done.advice")
        raise NotFoundError(key)

    def _say(
        self, visit: Visit, key: str, mode: Mode | None, place: str | None = None, why: str | None = None
    ) -> None:
        self.desk.change_advice(
            visit.scope,
            place or visit.form.get("place", ""),
            visit.request.path_params["catalogue"],
            key,
            mode,
            by=visit.by,
            why=(why or visit.form.get("why", ""))[:500],
        )

    def _sources(self, visit: Visit, key: str) -> tuple[str, ...]:
        known = self.desk.advice.catalogues(visit.form.get("place", ""))
        catalogue = known.get(visit.request.path_params["catalogue"])
        modes = catalogue.modes if catalogue else ()
        return next((one.sources for one in modes if one.mode == key), ())

    def _catalogue(self, visit: Visit, place: str) -> Catalogue:
        found = self.desk.advice.catalogues(place).get(visit.request.path_params["catalogue"])
        if found is None:
            raise NotFoundError(visit.request.path_params["catalogue"])
        return found

    def _places(self, visit: Visit) -> list[str]:
        """Where the visitor may change something: the own places, or every tenant with all."""
        if ALL not in visit.account.places:
            return list(visit.account.places)
        machines = self.desk.machines(visit.scope)
        return sorted({"/".join(machine.split("/")[:2]) for machine in machines if machine.count("/") >= 2})

    def _place(self, visit: Visit) -> str:
        asked = visit.request.query_params.get("place", "").strip("/")
        if asked:
            if not visit.scope.allows(asked):
                raise NotFoundError(asked)
            return asked
        return next(iter(self._places(visit)), "")


def mode_of(key: str, form: Mapping[str, str], sources: tuple[str, ...] = ()) -> Mode:
    """The mode that a form describes. Raises `RefusedError` where it cannot be read."""
    get = form.get
    try:
        prior, minutes = float(get("prior", "1") or "1"), int(get("minutes", "30") or "30")
    except ValueError:
        raise RefusedError("advice-numbers") from None
    skill = next((one for one in SKILLS if one == get("skill", "mechanic")), None)
    if skill is None:
        raise RefusedError("advice-skill")
    return Mode(
        mode=key,
        title=_text(get("title_en", ""), get("title_ko", "")),
        sentence=_text(get("sentence_en", ""), get("sentence_ko", "")),
        symptoms=tuple(_symptoms(get("symptoms", ""))),
        checks=_lines(get("checks_en", ""), get("checks_ko", "")),
        parts=_lines(get("parts_en", ""), get("parts_ko", "")),
        safety=_lines(get("safety_en", ""), get("safety_ko", "")),
        spectrum=_text(get("spectrum_en", ""), get("spectrum_ko", "")),
        iso14224=tuple(get("iso14224", "").upper().replace(",", " ").split()),
        prior=prior,
        minutes=minutes,
        skill=skill,
        sources=sources,
    )


def _text(en: str, ko: str) -> Text:
    return Text(" ".join(en.split()), " ".join(ko.split()))


def _lines(en: str, ko: str) -> tuple[Text, ...]:
    """Line by line the same thing in both languages; the longer list says how many."""
    english = [" ".join(line.split()) for line in en.splitlines() if line.strip()]
    korean = [" ".join(line.split()) for line in ko.splitlines() if line.strip()]
    n = max(len(english), len(korean))
    english += [""] * (n - len(english))
    korean += [""] * (n - len(korean))
    return tuple(Text(*pair) for pair in zip(english, korean, strict=True))


def _symptoms(text: str) -> Iterable[Symptom]:
    for line in text.splitlines():
        words = line.replace(",", " ").split()
        if not words:
            continue
        try:
            way = next(one for one in _WAYS if one == words[1])
            yield Symptom(words[0], way, float(words[2]))
        except (IndexError, ValueError, StopIteration):
            raise RefusedError("advice-symptom", example="vibration up 0.8") from None


def _form_of(mode: Mode) -> dict[str, object]:
    """What stands in the fields of a mode's form."""

    def lines(texts: Iterable[Text]) -> dict[str, str]:
        texts = list(texts)
        return {code: "\n".join(getattr(text, code) for text in texts) for code in ("en", "ko")}

    return {
        "title": lines([mode.title]),
        "sentence": lines([mode.sentence]),
        "checks": lines(mode.checks),
        "parts": lines(mode.parts),
        "safety": lines(mode.safety),
        "spectrum": lines([mode.spectrum]),
        "symptoms": "\n".join(
            f"{symptom.quantity} {symptom.way} {symptom.weight:g}" for symptom in mode.symptoms
        ),
    }
