"""The few calls to Grafana's HTTP API that Yeji makes, and what their failures mean.

They go through the package grafana-api, which is no longer maintained: nothing else may import it, so that
it can be replaced here. Where it has no method for today's calls (data sources by uid), its session is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import requests
from grafana_api.grafana_api import GrafanaClientError, GrafanaException
from grafana_api.grafana_face import GrafanaFace

from connectors.grafana.settings import GrafanaSettings

Json = dict[str, Any]
_T = TypeVar("_T")

_NOT_FOUND = 404
_REMEDIES = {
    401: "the token or password is not accepted: set YEJI_GRAFANA__TOKEN to a service account's token",
    403: "the token may not do this: give its service account the Admin role",
    412: "somebody else changed it meanwhile: run the command again",
}


class GrafanaError(Exception):
    """Grafana cannot be reached or refuses; the message says what to do."""


def _login(settings: GrafanaSettings) -> str | tuple[str, str]:
    """The token, or user and password. Raises `GrafanaError` when neither is set."""
    if settings.token is not None:
        return settings.token.get_secret_value()
    if settings.user is not None and settings.password is not None:
        return settings.user, settings.password.get_secret_value()
    raise GrafanaError(
        "No token for Grafana. Make a service account with the Admin role in Grafana "
        "(Administration, Users and access) and set YEJI_GRAFANA__TOKEN to its token, "
        "or set YEJI_GRAFANA__USER and YEJI_GRAFANA__PASSWORD."
    )


class Grafana:
    """One Grafana, as its settings name it. Every method raises `GrafanaError`."""

    def __init__(self, settings: GrafanaSettings, timeout: float = 10.0) -> None:
        address = urlsplit(settings.url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise GrafanaError(f"grafana.url {settings.url!r} is no address like http://127.0.0.1:3000.")
        self.url = settings.url.rstrip("/")
        prefix = address.path.strip("/")
        self._face = GrafanaFace(
            _login(settings),
            host=f"[{address.hostname}]" if ":" in address.hostname else address.hostname,
            port=address.port,
            url_path_prefix=f"{prefix}/" if prefix else "",
            protocol=address.scheme,
            timeout=timeout,
        )

    def version(self) -> str:
        """Grafana's version, as its health check returns it."""
        return str(self._call("its health", lambda: self._face.api.GET("/health")).get("version", "?"))

    def folder(self, uid: str) -> Json | None:
        """The folder, or None."""
        return self._find(f"folder {uid}", lambda: self._face.folder.get_folder(uid))

    def create_folder(self, uid: str, title: str) -> Json:
        """Make a folder."""
        return self._call(f"folder {uid}", lambda: self._face.folder.create_folder(title, uid))

    def rename_folder(self, uid: str, title: str) -> Json:
        """Give a folder another title, whoever changed it last."""
        update = self._face.folder.update_folder
        return self._call(f"folder {uid}", lambda: update(uid, title, overwrite=True))

    def source(self, uid: str) -> Json | None:
        """The data source, without its secrets, or None."""
        path = f"/datasources/uid/{quote(uid, safe='')}"
        return self._find(f"data source {uid}", lambda: self._face.api.GET(path))

    def create_source(self, source: Json) -> Json:
        """Make a data source."""
        create = self._face.datasource.create_datasource
        return self._call(f"data source {source['uid']}", lambda: create(source))

    def update_source(self, source: Json) -> Json:
        """Set all of a data source, its secrets too."""
        path = f"/datasources/uid/{quote(source['uid'], safe='')}"
        return self._call(f"data source {source['uid']}", lambda: self._face.api.PUT(path, json=source))

    def dashboard(self, uid: str) -> Json | None:
        """``dashboard`` and ``meta``, or None."""
        return self._find(f"dashboard {uid}", lambda: self._face.dashboard.get_dashboard(uid))

    def save_dashboard(self, dashboard: Json, folder: str, message: str) -> Json:
        """Make a dashboard or write over the one with its uid."""
        body = {"dashboard": dashboard, "folderUid": folder, "overwrite": True, "message": message}
        save = self._face.dashboard.update_dashboard
        return self._call(f"dashboard {dashboard['uid']}", lambda: save(body))

    def annotations(self, tag: str) -> list[Json]:
        """The annotations that bear a tag."""
        find = self._face.annotations.get_annotation
        found: list[Json] = self._call(
            f"annotations {tag}", lambda: find(tags=[quote(tag, safe="")], limit=10)
        )
        return found

    def add_annotation(self, time: int, end: int | None, tags: list[str], text: str) -> Json:
        """Make an annotation that every dashboard may show. Times in ms."""
        add = self._face.annotations.add_annotation
        return self._call("an annotation", lambda: add(time_from=time, time_to=end, tags=tags, text=text))

    def change_annotation(self, number: int, time: int, end: int | None, tags: list[str], text: str) -> Json:
        """Set all of an annotation."""
        change = self._face.annotations.partial_update_annotation
        return self._call(
            f"annotation {number}",
            lambda: change(number, time_from=time, time_to=end, tags=tags, text=text),
        )

    def _find(self, what: str, call: Callable[[], Json]) -> Json | None:
        try:
            return self._call(what, call)
        except GrafanaError as error:
            cause = error.__cause__
            if isinstance(cause, GrafanaClientError) and cause.status_code == _NOT_FOUND:
                return None
            raise

    def _call(self, what: str, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except GrafanaException as error:
            remedy = _REMEDIES.get(error.status_code, "see Grafana's log")
            raise GrafanaError(f"Grafana at {self.url} refuses {what} ({error}): {remedy}.") from error
        except ValueError as error:  # requests' JSONDecodeError is both, and this is its meaning
            raise GrafanaError(
                f"What answers at {self.url} is not Grafana ({what}: no JSON). Correct grafana.url."
            ) from error
        except requests.RequestException as error:
            raise GrafanaError(
                f"Grafana at {self.url} does not answer ({type(error).__name__}). "
                "See whether it runs, or correct grafana.url."
            ) from error
