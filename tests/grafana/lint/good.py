"""A dashboard, a group of rules and the files of a build with nothing wrong in them: each test breaks one thing of a copy."""

import json
from typing import Any

Json = Any
Files = dict[str, bytes]

KANHU = {"type": "influxdb", "uid": "kanhu"}
ROLLUPS = {"type": "influxdb", "uid": "kanhu-rollups"}
CHOSEN = '"site" =~ /^${site:regex}$/ AND "device" =~ /^${device:regex}$/'
HELP = {
    "zh": "水温。\n\n**空白表示:** 没有数据。\n\n**怎么办:** 去看设备。",
    "en": "Temperature.\n\n**Empty means:** no data.\n\n**What to do:** go and see.",
}


def target(query: str, source: Json = None, ref: str = "A", table: bool = False, alias: str = "$tag_device") -> Json:
    named = {} if table else {"alias": alias}
    form = "table" if table else "time_series"
    asked = {"refId": ref, "datasource": source or KANHU, "query": query, "rawQuery": True, "resultFormat": form}
    return {**asked, **named}


def levels() -> list[Json]:
    """Readings, hours and days of pH, one of which answers."""
    by = '"device" fill(none)'
    few, hours, days = "$__interval_ms < 900000", "$__interval_ms >= 900000", "$__interval_ms >= 10800000"
    raw = f'SELECT mean("ph") FROM "water" WHERE $timeFilter AND {CHOSEN} AND "ph_flag" <= 2 AND {few}'
    hour = f'SELECT mean("ph_mean") FROM "water_1h" WHERE $timeFilter AND {CHOSEN} AND {hours} AND $__interval_ms < 10800000'
    day = f'SELECT mean("ph_mean") FROM "water_1d" WHERE $timeFilter AND {CHOSEN} AND {days}'
    return [
        target(f"{raw} GROUP BY time($__interval), {by}"),
        target(f"{hour} GROUP BY time(1h), {by}", ROLLUPS, "Ah"),
        target(f"{day} GROUP BY time(1d), {by} tz('Asia/Shanghai')", ROLLUPS, "Ad"),
    ]


def panel(number: int, kind: str, x: int, y: int, language: str = "zh", **more: Json) -> Json:
    made = {"type": kind, "id": number, "title": "pH", "description": HELP[language], "datasource": KANHU}
    return {**made, "gridPos": {"x": x, "y": y, "w": 12, "h": 8}, **more}


def field(unit: str = "none", custom: Json = None, overrides: Json = None) -> Json:
    return {"defaults": {"unit": unit, "custom": custom or {}}, "overrides": overrides or []}


def variable(name: str, where: str = "") -> Json:
    query = f'SHOW TAG VALUES FROM "water" WITH KEY = "{name}"{where}'
    about = {"type": "query", "name": name, "label": name, "query": {"query": query, "refId": "V"}, "datasource": KANHU}
    return {**about, "multi": True, "includeAll": True, "allValue": ".*", "refresh": 2}


def map_panel(language: str) -> Json:
    place = {"mode": "coords", "latitude": "lat", "longitude": "lon"}
    ground = {"type": "geojson", "name": "ground", "opacity": 0, "config": {"src": "public/maps/countries.geojson"}}
    options = {
        "view": {"id": "fit", "allLayers": False, "layer": "stations", "zoom": 15},
        "basemap": {**ground, "tooltip": False},
        "layers": [{"type": "markers", "name": "stations", "config": {}, "location": place}],
    }
    flags = '"lat_flag" <= 2 AND "lon_flag" <= 2'
    asked = f'SELECT last("lat") AS "lat", last("lon") AS "lon" FROM "position" WHERE $timeFilter AND {flags} GROUP BY "device"'
    return panel(5, "geomap", 0, 17, language, options=options, targets=[target(asked, table=True)], fieldConfig=field())


def table_panel(language: str) -> Json:
    asked = f'SELECT last("ph") AS "ph" FROM "water" WHERE $timeFilter AND {CHOSEN} AND "ph_flag" <= 2 GROUP BY "device"'
    heading = "Device" if language == "en" else "设备"
    steps = [
        {"id": "filterFieldsByName", "options": {"include": {"names": ["device", "ph"]}}},
        {"id": "organize", "options": {"renameByName": {"device": heading}, "indexByName": {"device": 0, "ph": 1}}},
    ]
    link = {"title": "Device", "url": f"/d/kanhu-river-{language}?viewPanel=2&var-device=${{__data.fields.device}}"}
    looks = [
        {"id": "unit", "value": "string"},
        {"id": "links", "value": [link]},
        {"id": "custom.width", "value": 100},
        {"id": "thresholds", "value": {"mode": "absolute", "steps": [{"value": None, "color": "green"}]}},
    ]
    override = {"matcher": {"id": "byName", "options": heading}, "properties": looks}
    shown = {"sortBy": [{"displayName": "ph"}]}
    return panel(
        3,
        "table",
        12,
        1,
        language,
        targets=[target(asked, table=True)],
        transformations=steps,
        options=shown,
        fieldConfig=field(overrides=[override]),
    )


def annotation() -> Json:
    here = '"device" =~ /^${device:regex}$/'
    query = f'SELECT "device", "calibration", "site" FROM "health" WHERE $timeFilter AND {here} LIMIT 500'
    asked = {**target(query, table=True), "fromAnnotations": True, "textColumn": "calibration", "tagsColumn": "site"}
    return {"name": "calibration", "enable": True, "iconColor": "blue", "datasource": KANHU, "target": asked}


def dashboard(language: str = "zh") -> Json:
    """`kanhu-river-<language>`, a deep copy each time."""
    steps = [{"value": None, "color": "green"}, {"value": 9, "color": "red"}]
    number = {**field("suffix:pH"), "defaults": {"unit": "none", "thresholds": {"mode": "absolute", "steps": steps}}}
    folded = panel(7, "stat", 0, 0, language, options={"reduceOptions": {"calcs": ["lastNotNull"]}}, fieldConfig=number)
    folded["targets"] = [target('SELECT last("outbox_age") FROM "gateway" WHERE $timeFilter GROUP BY "device"')]
    everything = [
        {"type": "row", "id": 1, "title": "1", "collapsed": False, "panels": [], "gridPos": {"x": 0, "y": 0, "w": 24, "h": 1}},
        {
            **panel(2, "timeseries", 0, 1, language, targets=levels(), options={}, fieldConfig=field("suffix:pH")),
            "datasource": {"type": "datasource", "uid": "-- Mixed --"},
            "interval": "1m",
            "repeat": "device",
        },
        table_panel(language),
        {**panel(4, "text", 0, 9, language, options={"mode": "markdown", "content": "pH"}), "description": ""},
        map_panel(language),
        {
            **panel(6, "alertlist", 12, 17, language, options={"viewMode": "list", "stateFilter": {"firing": True}}),
            "links": [{"title": "runbook", "type": "link", "url": f"/d/kanhu-runbook-{language}?viewPanel=1"}],
        },
        {
            **{"type": "row", "id": 8, "title": "2", "collapsed": True, "panels": [folded]},
            "gridPos": {"x": 0, "y": 25, "w": 24, "h": 1},
        },
    ]
    made = {
        "uid": f"kanhu-river-{language}",
        "title": "River" if language == "en" else "巡河宝",
        "description": "River" if language == "en" else "河",
        "schemaVersion": 42,
        "timezone": "Asia/Shanghai",
        "tags": ["kanhu", f"kanhu-{language}"],
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "1m",
        "templating": {"list": [variable("site"), variable("device", ' WHERE "site" =~ /^${site:regex}$/')]},
        "annotations": {"list": [annotation()]},
        "links": [{"title": "其他", "type": "dashboards", "tags": [f"kanhu-{language}"]}],
        "panels": everything,
    }
    copied: Json = json.loads(json.dumps(made))
    return copied


def runbook(language: str = "zh") -> Json:
    """`kanhu-runbook-<language>`, to which links lead."""
    made = dashboard(language)
    page = {**panel(1, "text", 0, 0, language, options={"mode": "markdown", "content": "pH"}), "description": ""}
    words = {"title": "Runbook", "description": "Runbook", "templating": {"list": []}, "annotations": {}}
    copied: Json = json.loads(json.dumps({**made, "uid": f"kanhu-runbook-{language}", **words, "panels": [page]}))
    return copied


def rule(uid: str = "kanhu-outbox-old", form: str = "api") -> Json:
    query = 'SELECT last("outbox_age") FROM "gateway" WHERE $timeFilter GROUP BY "site", "device"'
    expression = {"type": "__expr__", "uid": "__expr__"}
    asked = {**target(query), "intervalMs": 60_000, "maxDataPoints": 1000}
    del asked["alias"]
    reduced = {"refId": "B", "type": "reduce", "datasource": expression, "expression": "A", "reducer": "last"}
    limit = {"evaluator": {"type": "gt", "params": [600]}}
    judged = {"refId": "C", "type": "threshold", "datasource": expression, "expression": "B", "conditions": [limit]}
    made = {
        "uid": uid,
        "title": f"outbox {uid}",
        "condition": "C",
        "data": [
            {"refId": "A", "datasourceUid": "kanhu", "relativeTimeRange": {"from": 900, "to": 0}, "model": asked},
            {"refId": "B", "datasourceUid": "__expr__", "model": {**reduced, "settings": {"mode": "dropNN"}}},
            {"refId": "C", "datasourceUid": "__expr__", "model": judged},
        ],
        "for": "5m",
        "noDataState": "KeepLast",
        "execErrState": "KeepLast",
        "labels": {"kanhu": "outbox-old", "kanhu_rule": uid, "severity": "warning", "via": "gateway"},
        "annotations": {
            "summary": "网关 {{ $labels.device }} 积压 The outbox is {{ $values.B.Value }} s old",
            "description": "没有数据就保持 Without data it stays as it was",
            "runbook_url": "/d/kanhu-runbook-zh?viewPanel=1",
        },
    }
    placed = {"folderUID": "kanhu-alerts", "ruleGroup": "kanhu-gateway", "orgID": 1, "missingSeriesEvalsToResolve": 60}
    copied: Json = json.loads(json.dumps({**made, **placed} if form == "api" else made))
    return copied


def api_group() -> Json:
    return {"title": "kanhu-gateway", "folderUid": "kanhu-alerts", "interval": 60, "rules": [rule()]}


def file_group() -> Json:
    return {"orgId": 1, "name": "kanhu-gateway", "folder": "看护告警", "interval": "60s", "rules": [rule(form="file")]}


def receiver(uid: str = "kanhu-webhook", kind: str = "webhook", settings: Json = None) -> Json:
    return {"uid": uid, "type": kind, "settings": settings or {"url": "$KANHU_HOOK", "title": "kanhu"}}


def contact_points() -> list[Json]:
    return [{"orgId": 1, "name": "kanhu-gateway", "receivers": [receiver()]}]


def policy() -> Json:
    branch = {"receiver": "kanhu-gateway", "object_matchers": [["via", "=", "gateway"]], "group_by": ["kanhu_rule"]}
    return {"orgId": 1, "receiver": "kanhu-gateway", "group_wait": "30s", "routes": [branch]}


def mute_timing() -> Json:
    night = {"times": [{"start_time": "00:00", "end_time": "06:00"}], "location": "Asia/Shanghai"}
    return {"orgId": 1, "name": "night", "time_intervals": [night]}


def source(uid: str, database: str) -> Json:
    settings = {"version": "InfluxQL", "dbName": database, "httpMode": "POST", "httpHeaderName1": "Authorization"}
    about = {"uid": uid, "name": uid, "type": "influxdb", "access": "proxy", "url": "http://influxdb:8086", "orgId": 1}
    secret = {"httpHeaderValue1": "Token $__file{/run/kanhu/token}"}
    return {**about, "jsonData": settings, "secureJsonData": secret, "isDefault": uid == "kanhu"}


def provider(language: str) -> Json:
    uid = f"kanhu-{language}"
    about = {"name": uid, "folder": uid, "folderUid": uid, "type": "file", "disableDeletion": False}
    return {**about, "options": {"path": f"/var/lib/grafana/kanhu/dashboards/{language}"}}


def build() -> dict[str, Json]:
    """The files of a build by path, not yet written out: `files` does that."""
    sources = [source("kanhu", "kanhu"), source("kanhu-rollups", "kanhu_rollups")]
    return {
        "dashboards/zh/river.json": dashboard("zh"),
        "dashboards/zh/runbook.json": runbook("zh"),
        "dashboards/en/river.json": dashboard("en"),
        "dashboards/en/runbook.json": runbook("en"),
        "provisioning/dashboards/kanhu.yml": {"apiVersion": 1, "providers": [provider("zh"), provider("en")]},
        "provisioning/datasources/kanhu.yml": {"apiVersion": 1, "prune": True, "datasources": sources},
        "provisioning/alerting/rules.yml": {"apiVersion": 1, "groups": [file_group()]},
        "provisioning/alerting/points.yml": {"apiVersion": 1, "contactPoints": contact_points()},
        "provisioning/alerting/policies.yml": {"apiVersion": 1, "policies": [policy()]},
        "provisioning/alerting/mute.yml": {"apiVersion": 1, "muteTimes": [mute_timing()]},
    }


def files(built: dict[str, Json]) -> Files:
    """Written out, as `kanhu dashboards build` would; JSON is YAML too."""
    return {path: json.dumps(held, ensure_ascii=False).encode() for path, held in built.items()}
