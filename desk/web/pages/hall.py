"""In the hall: the installable desk, labels with QR codes for machines, and the wall screen."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import segno
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connectors.base.history import History
from desk.rules.views import AlarmView
from desk.service.desk import Desk
from desk.web.access.guard import AccessGuard, Visit
from pipeline.priority import Priority

STATIC = Path(__file__).parent / "static"
#: Alarms that a wall screen shows: more cannot be read from eight metres.
WALL = 4
#: Labels on one sheet's page; a plant's thousands are asked for by place.
MOST_LABELS = 500


class HallPages:
    """Routes of `/wall`, `/labels`, and of what makes the desk an application that can be installed."""

    def __init__(self, guard: AccessGuard, desk: Desk, history: History | None) -> None:
        self.guard, self.desk, self.history = guard, desk, history

    def routes(self) -> list[BaseRoute]:
        """Every route of these pages."""
        return [
            self.guard.page("/wall", self.wall),
            self.guard.page("/labels", self.labels),
            Route("/manifest.webmanifest", self.manifest, name="public manifest"),
            Route("/sw.js", service_worker, name="public service worker"),
            Route("/offline", self.offline, name="public offline"),
        ]

    def wall(self, visit: Visit) -> Response:
        """The worst of what waits, to be read from eight metres."""
        shown = [
            one
            for lead in self.desk.open_alarms(visit.scope)
            for one in (lead, *lead.members)
            if not one.muted and (one.waits or one.active)
        ]
        shown.sort(key=_rank)
        waiting = [one for one in shown if one.waits]
        return self.guard.show(
            visit,
            "wall.html",
            alarms=shown[:WALL],
            more=max(0, len(shown) - WALL),
            waiting=len(waiting),
            urgent=[one.id for one in waiting if one.priority is Priority.URGENT],
            now=self.desk.clock(),
        )

    def labels(self, visit: Visit) -> Response:
        """A sheet of labels to print: each opens its machine's page when a phone reads it."""
        place = visit.request.query_params.get("place", "").strip("/")
        known = set(self.desk.machines(visit.scope))
        if self.history is not None:
            known |= {one.machine for one in self.history.fleet() if visit.scope.allows(one.machine)}
        machines = sorted(one for one in known if one.startswith(place))
        return self.guard.show(
            visit,
            "labels.html",
            labels=[(one, self._code(one)) for one in machines[:MOST_LABELS]],
            more=max(0, len(machines) - MOST_LABELS),
            place=place,
        )

    def _code(self, machine: str) -> Markup:
        return qr_code(f"{self.desk.settings.desk.url}/machines/{quote(machine, safe='/')}")

    def manifest(self, request: Request) -> Response:
        """What a phone needs to install the desk."""
        t = self.guard.render.texts(request)
        body = {
            "name": f"Yeji: {t('desk')}",
            "short_name": "Yeji",
            "id": "/",
            "start_url": "/",
            "scope": "/",
            "display": "standalone",
            "lang": t.language,
            "background_color": "#f3f5f4",
            "theme_color": "#0b6b5b",
            "icons": [
                {"src": "/static/desk/icon-192.png", "sizes": "192x192", "type": "image/png"},
                {"src": "/static/desk/icon-512.png", "sizes": "512x512", "type": "image/png"},
                {
                    "src": "/static/desk/icon-512.png",
                    "sizes": "512x512",
                    "type": "image/png",
                    "purpose": "maskable",
                },
            ],
            "shortcuts": [{"name": t("desk.waiting"), "url": "/"}, {"name": t("fleet"), "url": "/fleet"}],
        }
        return JSONResponse(
            body, media_type="application/manifest+json", headers={"Cache-Control": "no-cache"}
        )

    def offline(self, request: Request) -> Response:
        """What is shown of a page that was never seen, when there is no network."""
        return self.guard.public(request, "wrong.html", title="offline", text="offline.how", detail="")


def service_worker(request: Request) -> Response:
    """The service worker: it stands at the root, since it serves every page."""
    return FileResponse(STATIC / "sw.js", media_type="text/javascript", headers={"Cache-Control": "no-cache"})


def qr_code(text: str) -> Markup:
    """A QR code of ``text`` as SVG; level M still reads with a tenth of it dirty."""
    code = segno.make(text, error="m", micro=False)
    return Markup(code.svg_inline(scale=1, border=2, omitsize=True, svgclass="qr", lineclass=None))  # noqa: S704


def _rank(one: AlarmView) -> tuple[bool, int, int]:
    return not one.active, -one.priority, one.onset
