"""What can be wrong with a dashboard around its panels: its own keys, variables and annotations."""

from tests.grafana.lint import good
from tests.grafana.lint.broken import Broken, add, both, drop, edit, put

_SITE, _DEVICE, _MARK = "templating.list.0", "templating.list.1", "annotations.list.0"
_GRAFANAS_OWN = {"name": "x", "enable": True, "iconColor": "x", "datasource": {"type": "grafana", "uid": "-- Grafana --"}}

HEADS = [
    Broken("an-id", put("id", 7), "id: unknown key"),
    Broken("a-version", put("version", 3), "version: unknown key"),
    Broken("panels-are-no-list", put("panels", {}), "panels: {} is not a list"),
    Broken("uid-missing", drop("uid"), "uid: is missing"),
    Broken("uid-of-another", put("uid", "river"), "uid 'river': must be kanhu-<name>-zh or -en"),
    Broken("uid-long", put("uid", "kanhu-" + "river" * 8 + "-zh"), "at most 40 characters"),
    Broken("title-empty", put("title", ""), "has no title or no description"),
    Broken("schema", put("schemaVersion", 43), "schemaVersion 43 is newer"),
    Broken("browser-time", put("timezone", "browser"), "timezone 'browser' is not the site's zone"),
    Broken("tags", put("tags", []), "do not hold 'kanhu'"),
    Broken("fixed-time", put("time.from", "2026-01-01"), "time.from '2026-01-01': must be relative"),
    Broken("refresh", put("refresh", "often"), "refresh 'often'"),
    Broken("english-title", put("panels.1.title", "Water temperature"), "is English in a Chinese dashboard"),
    # variables
    Broken("variable-twice", add("templating.list", good.variable("site")), "variable 'site': there are two"),
    Broken("variable-kind", put(f"{_SITE}.type", "custom"), "'custom' is unknown"),
    Broken("variable-source", put(f"{_SITE}.datasource.uid", "influx"), "variable 'site': datasource"),
    Broken("variable-for-one", put(f"{_SITE}.multi", False), "must take one, several and all"),
    Broken("variable-all", put(f"{_SITE}.allValue", "*"), "and all must be '.*'"),
    Broken("variable-label", put(f"{_SITE}.label", ""), "variable 'site': has no label"),
    Broken("variable-never-asked", put(f"{_SITE}.refresh", 0), "refresh 0 never asks"),
    Broken("variable-sort", put(f"{_SITE}.sort", 9), "templating.list[0].sort: 9 is not one of"),
    Broken("variable-selects", put(f"{_SITE}.query.query", 'SELECT "ph" FROM "water"'), "is no SHOW TAG VALUES"),
    Broken("variable-of-no-measurement", edit(f"{_SITE}.query.query", '"water"', '"river"'), "there is no such measurement"),
    Broken(
        "variable-before-its-time",
        edit(f"{_SITE}.query.query", '"site"', '"site" WHERE "device" =~ /^${device:regex}$/'),
        "variable 'site': ${device:regex}: the dashboard has no such variable",
    ),
    Broken("variable-unused", add("templating.list", good.variable("place")), "variable 'place': no query asks for it"),
    # annotations
    Broken("mark-source", put(f"{_MARK}.datasource.uid", "influx"), "annotation 'calibration': datasource"),
    Broken("mark-without-query", drop(f"{_MARK}.target"), "needs a target with rawQuery true"),
    Broken("mark-not-raw", put(f"{_MARK}.target.rawQuery", False), "needs a target with rawQuery true"),
    Broken("mark-field", edit(f"{_MARK}.target.query", '"calibration"', '"calibrated"'), '"calibrated" is neither a field'),
    Broken("mark-column", put(f"{_MARK}.target.textColumn", "text"), "'text' is no column of its query"),
    Broken("mark-title", put(f"{_MARK}.target.titleColumn", "device"), "titleColumn 'device': columns are called"),
    Broken("mark-groups", edit(f"{_MARK}.target.query", "LIMIT", 'GROUP BY "device" LIMIT'), "groups by tags"),
    Broken("mark-tag-is-a-field", put(f"{_MARK}.target.tagsColumn", "calibration"), "among the tags is a field"),
    Broken("mark-without-heading", edit(f"{_MARK}.target.query", '"device", "cal', '"cal'), "puts the time above it"),
    Broken(
        "mark-tag-within",
        edit(f"{_MARK}.target.query", '"device", "cal', '"device" AS "site_of", "cal'),
        "column 'health.site_of' holds the name of a tag",
    ),
    Broken(
        "mark-text-within",
        edit(f"{_MARK}.target.query", '"device", "cal', '"device" AS "calibration_of", "cal'),
        "column 'health.calibration_of' holds 'calibration'",
    ),
    Broken(
        "marks-of-grafana-itself",
        both(add("annotations.list", _GRAFANAS_OWN), put("refresh", "often")),
        "refresh 'often'",
    ),
]

ENGLISH = [
    Broken("chinese-title", put("panels.1.title", "水温"), "panels[1].title: '水温' is Chinese in an English dashboard"),
    Broken("english-words", edit("panels.1.description", "Empty means:", "Empty:"), "does not say 'Empty means:'"),
]
