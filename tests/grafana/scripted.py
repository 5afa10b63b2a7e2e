"""A server that answers as Grafana 12.2 was seen to answer: its status codes, and what it adds to what it is given.

It is no Grafana: it draws nothing, evaluates nothing, and knows only the calls that a push makes. What it refuses and with
which code was recorded at a real one (409 and 412 on a second creation, 403, 400 and 409 on what a file provisioned).
"""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.servers import free_port

TOKEN = "glsa_of-a-test"
USER = ("admin", "a-pass:word")
Json = dict[str, Any]
Answer = tuple[int, Any]

_SECRET = {"wecom": ("url", "secret"), "dingding": ("url",), "webhook": ("password", "authorization_credentials")}
_STATES = ("Alerting", "NoData", "OK", "KeepLast")


class Scripted:
    """What the server holds. Change it to set a scene.

    Attributes:
        requests: (method, path) of each, in order.
        script: (method, beginning of the path) -> answers that come instead of the usual ones, each once.
        evaluated: uid-less answers of `/api/v1/eval` by refId; what is not named gets a row.
    """

    def __init__(self) -> None:
        self.sources: dict[str, Json] = {}
        self.folders: dict[str, Json] = {}
        self.dashboards: dict[str, Json] = {}  # uid -> {"dashboard", "meta"}
        self.rules: dict[str, Json] = {}
        self.intervals: dict[tuple[str, str], int] = {}
        self.points: dict[str, Json] = {}
        self.policy: Json = {"receiver": "grafana-default-email", "group_by": ["grafana_folder", "alertname"]}
        self.requests: list[tuple[str, str]] = []
        self.bodies: list[Any] = []
        self.script: dict[tuple[str, str], list[Answer]] = {}
        self.evaluated: Json = {}

    def writes(self) -> list[tuple[str, str]]:
        """What was asked to change something; trying a rule changes nothing."""
        return [(method, path) for method, path in self.requests if method != "GET" and path != "/api/v1/eval"]

    def answer(self, method: str, url: str, body: Any, headers: Any) -> Answer:
        """Status and JSON; a str is sent as a page."""
        parts = urlsplit(url)
        self.requests.append((method, unquote(parts.path)))
        self.bodies.append(body)
        for (when, begins), answers in self.script.items():
            if when == method and unquote(parts.path).startswith(begins) and answers:
                return answers.pop(0)
        if headers.get("Authorization") not in (f"Bearer {TOKEN}", _basic()):
            return 401, {"message": "Invalid API key"}
        self._free = headers.get("X-Disable-Provenance") is not None
        for pattern, call in _ROUTES:
            if found := re.fullmatch(f"{method} {pattern}", f"{method} {unquote(parts.path)}"):
                answered: Answer = call(self, method, [*found.groups()], body, parse_qs(parts.query))
                return answered
        return 404, {"message": "Not found"}

    def _source(self, method: str, args: list[str], body: Any, query: Any) -> Answer:
        there = self.sources.get(args[0])
        if there is None:
            return 404, {"message": "Data source not found"}
        if method == "GET":
            return 200, {key: part for key, part in there.items() if key != "secureJsonData"}
        if there.get("readOnly"):
            word = "update" if method == "PUT" else "delete"
            return 403, {"message": f"Cannot {word} read-only data source"}
        if method == "DELETE":
            del self.sources[args[0]]
            return 200, {"message": "Data source deleted"}
        sealed = {**there.get("secureJsonData", {}), **body.get("secureJsonData", {})}
        self.sources[args[0]] = _stored_source({**body, "secureJsonData": sealed}, there["id"])
        return 200, {"message": "Datasource updated"}

    def _new_source(self, method: str, args: list[str], body: Any, query: Any) -> Answer:
        if body["uid"] in self.sources or any(one["name"] == body["name"] for one in self.sources.values()):
            return 409, {"message": "data source with the same name already exists"}
        self.sources[body["uid"]] = _stored_source(body, len(self.sources) + 1)
        return 200, {"message": "Datasource added"}

    def _health(self, method: str, args: list[str], body: Any, query: Any) -> Answer:
        if args[0] not in self.sources:
            return 404, {"message": "Data source not found"}
        return 200, {"status": "OK", "message": "datasource is working. 4 measurements found"}

    def _folder(self, method: str, args: list[str], body: Any, query: Any) -> Answer:
        there = self.folders.get(args[0])
        if there is None:
            return 404, {"message": "folder not found", "status": "not-found"}
        if method == "PUT":
            if not body.get("overwrite"):
                return 412, {"message": "the folder has been changed by someone else", "status": "version-mismatch"}
            there["title"] = body["title"]
        if method == "DELETE":
            if any(rule["folderUID"] == args[0] for rule in self.rules.values()):
                return 400, {"message": "folder cannot be deleted: folder contains alert rules"}
            del self.folders[args[0]]
            for uid in [u for u, one in self.dashboards.items() if one["meta"]["folderUid"] == args[0]]:
                del self.dashboards[uid]
        return 200, there

    def _new_folder(self, method: str, args: list[str], body: Any, query: Any) -> Answer:
        if body["uid"] in self.folders:
            return 412, {"message": "the folder has been changed by someone else", "status": "version-mismatch"}
        self.folders[body["uid"]] = {**body, "version": 1, "id": len(self.folders) + 1}
        return 200, self.folders[body["uid"]]

    def _search(self, method: str, args: list[str], body: Any, query: Any) -> Answer:
        hits = []
        for uid, one in self.dashboards.items():
            tags, folder = one["dashboard"].get("tags", []), one["meta"]["folderUid"]
            if set(query.get("tag", [])) <= set(tags) and folder in query.get("folderUIDs", [folder]):
                hits.append({"uid": uid, "title": one["dashboard"]["title"], "tags": tags, "folderUid": folder})
        return 200, hits

    def _dashboard(self, method: str, args: list[str], body: Any, query: Any) -> Answer:
        there = self.dashboards.get(args[0])
        if there is None:
            return 404, {"message": "Dashboard not found"}
        if method == "DELETE":
            if there["meta"].get("provisioned"):
                return 400, {"message": "provisioned dashboard cannot be deleted"}
            del self.dashboards[args[0]]
        return 200, there

    def _new_dashboard(self, method: str, args: list[str], body: Any, query: Any) -> Answer:
        dashboard, uid = body["dashboard"], body["dashboard"]["uid"]
        there = self.dashboards.get(uid)
        if body["folderUid"] not in self.folders:
            return 400, {"message": "folder not found"}
        if there is not None and there["meta"].get("provisioned"):
            return 400, {"message": "Cannot save provisioned dashboard"}
        if there is not None and not body.get("overwrite"):
            return 412, {"message": "A dashboard with the same uid already exists", "status": "version-mismatch"}
        version = there["dashboard"]["version"] + 1 if there else 1
        stored = {**dashboard, "id": 7, "version": version}
        self.dashboards[uid] = {"dashboard": stored, "meta": {"folderUid": body["folderUid"], "provisioned": False}}
        return 200, {"uid": uid, "version": 1, "status": "success"}  # 1 also on the repeated push

    def _rules(self, method: str, args: list[str], body: Any, query: Any) -> Answer:
        return 200, list(self.rules.values())

    def _rule(self, method: str, args: list[str], body: Any, query: Any) -> Answer:
        there = self.rules.get(args[0])
        if there is not None and there.get("provenance") == "file":
            return 409, {"message": "cannot delete with provided provenance '', needs 'file'"}
        self.rules.pop(args[0], None)
        return 204, None

    def _group(self, method: str, args: list[str], body: Any, query: Any) -> Answer:
        folder, title = args
        inside = {uid: rule for uid, rule in self.rules.items() if (rule["folderUID"], rule["ruleGroup"]) == (folder, title)}
        if method == "GET":
            if not inside:
                return 404, {"message": "rule group not found"}
            about = {"title": title, "folderUid": folder, "interval": self.intervals[folder, title]}
            return 200, {**about, "rules": list(inside.values())}
        if folder not in self.folders:
            return 400, {"message": "folder does not exist"}
        touched = [*inside.values(), *(self.rules[rule["uid"]] for rule in body["rules"] if rule["uid"] in self.rules)]
        if any(rule.get("provenance") == "file" for rule in touched):
            return 409, {"message": "cannot update with provided provenance '', needs 'file'"}
        if body["interval"] % 10:
            return 400, {"message": "interval (7s) should be non-zero and divided exactly by scheduler interval: 10"}
        for rule in body["rules"]:
            if rule["noDataState"] not in _STATES:
                return 400, {"message": f"invalid noDataState {rule['noDataState']}"}
            if any(part["datasourceUid"] != "__expr__" and not part.get("relativeTimeRange") for part in rule["data"]):
                return 400, {"message": "invalid alert rule: invalid relative time range"}
        for uid in inside:
            del self.rules[uid]
        self.intervals[folder, title] = body["interval"]
        for at, rule in enumerate(body["rules"]):
            stored = _stored_rule(rule, folder, title, at + 1)
            self.rules[stored["uid"]] = stored if self._free else {**stored, "provenance": "api"}
        return 200, body

    def _points(self, method: str, args: list[str], body: Any, query: Any) -> Answer:
        if method == "GET":
            return 200, [_redacted(point) for point in self.points.values()]
        if body["uid"] in self.points:
            return 409, {"message": "contact point with this uid already exists"}
        self.points[body["uid"]] = json.loads(json.dumps(body))
        return 202, body

    def _point(self, method: str, args: list[str], body: Any, query: Any) -> Answer:
        there = self.points.get(args[0])
        if there is None:
            return 404, {"message": "contact point not found"}
        if there.get("provenance") == "file":
            return 403, {"message": "cannot change provenance from 'file' to ''"}
        if method == "DELETE":
            named = json.dumps(self.policy)
            others = [one for uid, one in self.points.items() if uid != args[0] and one["name"] == there["name"]]
            if f'"receiver": "{there["name"]}"' in named and not others:
                return 409, {"message": "contact point is currently used by a notification policy"}
            del self.points[args[0]]
            return 202, {"message": "contactpoint deleted"}
        kept = {k: there["settings"][k] for k, v in body["settings"].items() if v == "[REDACTED]"}
        self.points[args[0]] = {**body, "settings": {**body["settings"], **kept}}
        return 202, {"message": "contactpoint updated"}

    def _policies(self, method: str, args: list[str], body: Any, query: Any) -> Answer:
        if method == "GET":
            return 200, self.policy
        if self.policy.get("provenance") == "file":
            return 403, {"message": "cannot change provenance from 'file' to ''"}
        names = {point["name"] for point in self.points.values()} | {"grafana-default-email"}
        for route in [body, *body.get("routes", [])]:
            if route["receiver"] not in names:
                return 400, {"message": f"receiver '{route['receiver']}' does not exist"}
        self.policy = body if self._free else {**body, "provenance": "api"}
        return 202, {"message": "policies updated"}

    def _evaluate(self, method: str, args: list[str], body: Any, query: Any) -> Answer:
        known = {*self.sources, "__expr__"}
        for part in body["data"]:
            if part["datasourceUid"] not in known:
                return 400, {"message": "Failed to build evaluator for queries and expressions: data source not found"}
        row = {"status": 200, "frames": [{"schema": {"fields": []}, "data": {"values": [[1], [2.0]]}}]}
        return 200, {"results": {part["refId"]: self.evaluated.get(part["refId"], row) for part in body["data"]}}

    def _settings(self, method: str, args: list[str], body: Any, query: Any) -> Answer:
        return 200, {"buildInfo": {"version": "12.2.1", "commit": "x"}}


_API = "/api/v1/provisioning"
_ROUTES: tuple[tuple[str, Any], ...] = (
    (r"/api/frontend/settings", Scripted._settings),
    (r"/api/datasources", Scripted._new_source),
    (r"/api/datasources/uid/([^/]+)/health", Scripted._health),
    (r"/api/datasources/uid/([^/]+)", Scripted._source),
    (r"/api/folders", Scripted._new_folder),
    (r"/api/folders/([^/]+)", Scripted._folder),
    (r"/api/search", Scripted._search),
    (r"/api/dashboards/db", Scripted._new_dashboard),
    (r"/api/dashboards/uid/([^/]+)", Scripted._dashboard),
    (rf"{_API}/alert-rules", Scripted._rules),
    (rf"{_API}/alert-rules/([^/]+)", Scripted._rule),
    (rf"{_API}/folder/([^/]+)/rule-groups/(.+)", Scripted._group),
    (rf"{_API}/contact-points", Scripted._points),
    (rf"{_API}/contact-points/([^/]+)", Scripted._point),
    (rf"{_API}/policies", Scripted._policies),
    (r"/api/v1/eval", Scripted._evaluate),
)


def _basic() -> str:
    return "Basic " + base64.b64encode(":".join(USER).encode()).decode()


def _stored_source(body: Json, number: int) -> Json:
    sealed = dict.fromkeys(body.get("secureJsonData", {}), True)
    about = {"id": number, "orgId": 1, "user": "", "database": "", "basicAuth": False, "readOnly": False, "version": 3}
    return {**about, **body, "secureJsonFields": sealed}


def _stored_rule(rule: Json, folder: str, group: str, number: int) -> Json:
    """As it is read back: durations in another writing, defaults filled in."""
    data = []
    for part in rule["data"]:
        model = {"intervalMs": 1000, "maxDataPoints": 43200, **part["model"]}
        reach = part.get("relativeTimeRange") or {"from": 0, "to": 0}
        data.append(
            {
                "refId": part["refId"],
                "queryType": "",
                "relativeTimeRange": reach,
                "datasourceUid": part["datasourceUid"],
                "model": model,
            }
        )
    about = {"id": number, "orgID": 1, "updated": "2026-11-22T00:00:00Z", "isPaused": False, "keep_firing_for": "0s"}
    about |= {"notification_settings": None, "record": None, "annotations": None, "labels": None}
    waits = re.sub(r"^60s$", "1m", rule["for"])
    where = {"folderUID": folder, "ruleGroup": group, "data": data, "for": waits}
    return {**about, **{k: v for k, v in rule.items() if k not in ("id", "updated")}, **where}


def _redacted(point: Json) -> Json:
    hidden = {key: "[REDACTED]" for key in _SECRET.get(point["type"], ()) if point["settings"].get(key)}
    return {**point, "settings": {**point["settings"], **hidden}}


@contextmanager
def scripted(prefix: str = "") -> Iterator[tuple[str, Scripted]]:
    """Its address and what it holds, while it runs on 127.0.0.1."""
    held = Scripted()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            path = self.path.removeprefix(prefix)
            found = (
                (404, "<html>no Grafana here</html>")
                if path == self.path and prefix
                else held.answer(self.command, path, body, self.headers)
            )
            status, content = found
            page = isinstance(content, str)
            sent = b"" if content is None else content.encode() if page else json.dumps(content).encode()
            self.send_response(status)
            if status in (301, 302, 308):
                self.send_header("Location", "https://elsewhere.example/")
            self.send_header("Content-Type", "text/html" if page else "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PUT = do_DELETE = _serve

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{prefix}", held
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
