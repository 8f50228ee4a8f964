"""A small Grafana: the calls that Yeji makes, answered as Grafana answers them, and each one noted down.

Bodies and answers are held to Grafana's own models in test_contract.py.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "glsa_test"
PASSWORD = "not 1 of the defaults"
BASIC = "Basic " + b64encode(f"admin:{PASSWORD}".encode()).decode()
Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One call and its answer."""

    method: str
    path: str
    body: Any
    status: int
    answer: Any


@dataclass
class FakeGrafana:
    """Its state. ``broken`` calls are answered with 503 first."""

    url: str = ""
    folders: dict[str, Json] = field(default_factory=dict)
    sources: dict[str, Json] = field(default_factory=dict)
    dashboards: dict[str, tuple[Json, Json]] = field(default_factory=dict)
    annotations: dict[int, Json] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    broken: int = 0
    lock: Lock = field(default_factory=Lock)

    def answer(self, method: str, target: str, token: str, body: Any) -> tuple[int, Any]:
        """Status and answer of one call."""
        address = urlsplit(target)
        path = unquote(address.path).removeprefix("/grafana").removeprefix("/api")
        if path == "/health":
            return 200, {"database": "ok", "version": "12.0.2", "commit": "fake"}
        if token not in (f"Bearer {TOKEN}", BASIC):
            return 401, {"message": "Unauthorized"}
        if self.broken > 0:
            self.broken -= 1
            return 503, {"message": "Service unavailable"}
        for pattern, verb, serve in ROUTES:
            found = re.fullmatch(pattern, path)
            if found and verb == method:
                return serve(self, *found.groups(), body=body, query=parse_qs(address.query))
        return 404, {"message": f"Not found: {method} {path}"}

    def get_folder(self, uid: str, **_: Any) -> tuple[int, Any]:
        """GET /folders/{folder_uid}"""
        found = self.folders.get(uid)
        return (200, found) if found else (404, {"message": "folder not found", "status": "not-found"})

    def create_folder(self, *, body: Json, **_: Any) -> tuple[int, Any]:
        """POST /folders"""
        if body["uid"] in self.folders:
            return 412, {"message": "a folder with the same uid already exists"}
        number = len(self.folders) + 1
        made = {"id": number, "uid": body["uid"], "title": body["title"], "version": 1, "orgId": 1}
        self.folders[body["uid"]] = made
        return 200, made

    def update_folder(self, uid: str, *, body: Json, **_: Any) -> tuple[int, Any]:
        """PUT /folders/{folder_uid}"""
        if not body.get("overwrite") and "version" not in body:
            return 412, {"message": "the folder has been changed by someone else"}
        self.folders[uid] |= {"title": body["title"], "version": self.folders[uid]["version"] + 1}
        return 200, self.folders[uid]

    def get_source(self, uid: str, **_: Any) -> tuple[int, Any]:
        """GET /datasources/uid/{uid}"""
        found = self.sources.get(uid)
        return (200, self._shown(found)) if found else (404, {"message": "Data source not found"})

    def create_source(self, *, body: Json, **_: Any) -> tuple[int, Any]:
        """POST /datasources"""
        if any(one["name"] == body["name"] for one in self.sources.values()):
            return 409, {"message": "data source with the same name already exists"}
        number = len(self.sources) + 1
        self.sources[body["uid"]] = {"id": number, "orgId": 1, "version": 1, "readOnly": False, **body}
        shown = self._shown(self.sources[body["uid"]])
        return 200, {"id": number, "name": body["name"], "message": "Datasource added", "datasource": shown}

    def update_source(self, uid: str, *, body: Json, **_: Any) -> tuple[int, Any]:
        """PUT /datasources/uid/{uid}"""
        found = self.sources[uid]
        if found["readOnly"]:
            return 403, {"message": "Cannot update read-only data source"}
        found |= {**body, "version": found["version"] + 1}
        shown = self._shown(found)
        return 200, {
            "id": found["id"],
            "name": found["name"],
            "message": "Datasource updated",
            "datasource": shown,
        }

    @staticmethod
    def _shown(source: Json) -> Json:
        """Without its secrets: only which of them are set."""
        secrets = source.get("secureJsonData", {})
        shown = {name: value for name, value in source.items() if name != "secureJsonData"}
        return {**shown, "secureJsonFields": dict.fromkeys(secrets, True)}

    def get_dashboard(self, uid: str, **_: Any) -> tuple[int, Any]:
        """GET /dashboards/uid/{uid}"""
        if uid not in self.dashboards:
            return 404, {"message": "Dashboard not found"}
        dashboard, meta = self.dashboards[uid]
        return 200, {"dashboard": dashboard, "meta": meta}

    def save_dashboard(self, *, body: Json, **_: Any) -> tuple[int, Any]:
        """POST /dashboards/db"""
        wanted, uid = dict(body["dashboard"]), body["dashboard"]["uid"]
        if body["folderUid"] not in self.folders:
            return 400, {"message": "folder not found"}
        old, meta = self.dashboards.get(uid, ({"id": len(self.dashboards) + 1, "version": 0}, {}))
        if meta.get("provisioned"):
            return 400, {"message": "Cannot save provisioned dashboard"}
        if old["version"] and not body.get("overwrite"):
            return 412, {"message": "The dashboard has been changed by someone else"}
        wanted |= {"id": old["id"], "version": old["version"] + 1}
        self.dashboards[uid] = (wanted, {"folderUid": body["folderUid"], "provisioned": False, "slug": uid})
        answer = {"id": wanted["id"], "uid": uid, "url": f"/d/{uid}", "version": wanted["version"]}
        return 200, {**answer, "status": "success", "title": uid, "folderUid": body["folderUid"]}

    def find_annotations(self, *, query: dict[str, list[str]], **_: Any) -> tuple[int, Any]:
        """GET /annotations"""
        tags, limit = set(query.get("tags", [])), int(query.get("limit", ["100"])[0])
        found = [one for one in self.annotations.values() if tags <= set(one["tags"])]
        return 200, found[:limit]

    def add_annotation(self, *, body: Json, **_: Any) -> tuple[int, Any]:
        """POST /annotations"""
        if not body.get("text"):
            return 400, {"message": "Failed to save annotation"}
        number = len(self.annotations) + 1
        begin = body["time"]
        made = {"id": number, "time": begin, "timeEnd": body.get("timeEnd") or begin}
        self.annotations[number] = {**made, "tags": body["tags"], "text": body["text"]}
        return 200, {"message": "Annotation added", "id": number}

    def patch_annotation(self, number: str, *, body: Json, **_: Any) -> tuple[int, Any]:
        """PATCH /annotations/{annotation_id}"""
        found = self.annotations[int(number)]
        found |= {name: body[name] for name in ("time", "timeEnd", "tags", "text") if body.get(name)}
        return 200, {"message": "Annotation patched"}


ROUTES = [
    (r"/folders", "POST", FakeGrafana.create_folder),
    (r"/folders/([^/]+)", "GET", FakeGrafana.get_folder),
    (r"/folders/([^/]+)", "PUT", FakeGrafana.update_folder),
    (r"/datasources", "POST", FakeGrafana.create_source),
    (r"/datasources/uid/([^/]+)", "GET", FakeGrafana.get_source),
    (r"/datasources/uid/([^/]+)", "PUT", FakeGrafana.update_source),
    (r"/dashboards/uid/([^/]+)", "GET", FakeGrafana.get_dashboard),
    (r"/dashboards/db", "POST", FakeGrafana.save_dashboard),
    (r"/annotations", "GET", FakeGrafana.find_annotations),
    (r"/annotations", "POST", FakeGrafana.add_annotation),
    (r"/annotations/(\d+)", "PATCH", FakeGrafana.patch_annotation),
]


@contextmanager
def serving(fake: FakeGrafana) -> Iterator[FakeGrafana]:
    """Serve it on a free port of 127.0.0.1, also under the path /grafana."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            with fake.lock:
                token = self.headers.get("Authorization", "")
                status, answer = fake.answer(self.command, self.path, token, body)
                answer = json.loads(json.dumps(answer))
                fake.calls.append(Call(self.command, self.path, body, status, answer))
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_PATCH = _serve

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
