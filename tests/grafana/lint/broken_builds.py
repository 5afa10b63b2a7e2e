"""What can be wrong with the files of a build: each by itself, and what they say about each other."""

import json

from tests.grafana.lint import good
from tests.grafana.lint.broken import Broken, Json, add, both, drop, edit, put

_PATHS = {
    "zh": "dashboards/zh/river.json",
    "en": "dashboards/en/river.json",
    "providers": "provisioning/dashboards/kanhu.yml",
    "sources": "provisioning/datasources/kanhu.yml",
    "rules": "provisioning/alerting/rules.yml",
    "points": "provisioning/alerting/points.yml",
    "policies": "provisioning/alerting/policies.yml",
    "mute": "provisioning/alerting/mute.yml",
}


def within(name: str, change: Json) -> Json:
    """A change of one file of a build."""

    def changed(built: Json) -> None:
        change(built[_PATHS[name]])

    return changed


def file(path: str, held: Json) -> Json:
    """A further file."""

    def changed(built: Json) -> None:
        built[path] = json.loads(json.dumps(held))

    return changed


def gone(*names: str) -> Json:
    """Files that are not built."""

    def changed(built: Json) -> None:
        for name in names:
            del built[_PATHS[name]]

    return changed


_WAY = "contactPoints.0.receivers.0"
_SOURCE, _PROVIDER, _POLICY = "datasources.0", "providers.0", "policies.0"
_BRANCH = f"{_POLICY}.routes.0"
_SPAN = "muteTimes.0.time_intervals.0"


def _way(kind: str, settings: Json) -> Json:
    return within("points", put(_WAY, good.receiver(kind=kind, settings=settings)))


POINTS = [
    Broken("point-key", within("points", put("contactPoints.0.uid", "x")), "uid: unknown key"),
    Broken("point-tells-nobody", within("points", put("contactPoints.0.receivers", [])), "tells nobody"),
    Broken("point-twice", within("points", add("contactPoints", good.contact_points()[0])), "two contact points are called"),
    Broken("uid-twice", within("points", add("contactPoints.0.receivers", good.receiver())), "two contact points have the uid"),
    Broken("point-uid", within("points", put(f"{_WAY}.uid", "hook")), "uid 'hook' must be kanhu-<name>"),
    Broken("point-name", within("points", put("contactPoints.0.name", " ")), "has no name"),
    Broken("point-type", _way("dingtalk", {"url": "$KANHU_X"}), "type 'dingtalk': Grafana does not start"),
    Broken("setting", _way("webhook", {"url": "$KANHU_X", "httpmethod": "POST"}), "did you mean 'httpMethod'"),
    Broken("setting-missing", _way("email", {"subject": "x"}), "settings.addresses: is missing"),
    Broken("wecom-nowhere", _way("wecom", {"title": "x"}), "needs the url of a robot"),
    Broken("secret-in-the-file", _way("webhook", {"url": "https://example.com/in/abc"}), "settings.url: stands in the file"),
    Broken(
        "secret-deep-in-the-file",
        _way("webhook", {"url": "$KANHU_X", "hmacConfig": {"secret": "abc"}}),
        "settings.hmacConfig.secret: stands in the file",
    ),
    Broken("dollar-in-a-text", _way("webhook", {"url": "$KANHU_X", "title": "costs $5"}), "settings.title: Grafana takes $"),
    Broken("text-is-a-number", _way("webhook", {"url": "$KANHU_X", "maxAlerts": "9"}), "'9' is not a whole number"),
]

POLICIES = [
    Broken("policy-key", within("policies", put(f"{_POLICY}.matchers", [])), "matchers: unknown key"),
    Broken("policy-twice", within("policies", add("policies", good.policy())), "there are two policies"),
    Broken("receiver", within("policies", put(f"{_POLICY}.receiver", "kanhu")), "receiver 'kanhu' is no contact point"),
    Broken("receiver-of-a-branch", within("policies", put(f"{_BRANCH}.receiver", "x")), "routes[0]: receiver 'x'"),
    Broken("branch-key", within("policies", put(f"{_BRANCH}.orgId", 1)), "routes[0]: orgId: unknown key"),
    Broken("wait", within("policies", put(f"{_POLICY}.group_wait", "30 s")), "group_wait '30 s' is no span"),
    Broken("muted", within("policies", put(f"{_BRANCH}.mute_time_intervals", ["day"])), "there is no mute timing 'day'"),
    Broken(
        "root-matches", within("policies", put(f"{_POLICY}.object_matchers", [["via", "=", "x"]])), "the root takes everything"
    ),
    Broken("branch-takes-all", within("policies", drop(f"{_BRANCH}.object_matchers")), "takes everybody's alerts"),
    Broken("matcher", within("policies", put(f"{_BRANCH}.object_matchers", [["via", "x"]])), "must be [label, = or !="),
    Broken(
        "matcher-of-a-series",
        within("policies", put(f"{_BRANCH}.object_matchers", [["site", "=", "tuan"]])),
        "matcher 'site': alerts about missing data have only labels of the rule",
    ),
    Broken(
        "matcher-with-a-dollar",
        within("policies", put(f"{_BRANCH}.object_matchers", [["via", "=~", "^gateway$"]])),
        "matcher 'via': Grafana takes $",
    ),
    Broken(
        "matcher-is-no-pattern",
        within("policies", put(f"{_BRANCH}.object_matchers", [["via", "=~", "("]])),
        "'(' is no pattern",
    ),
]

TIMINGS = [
    Broken("timing-key", within("mute", put("muteTimes.0.uid", "x")), "uid: unknown key"),
    Broken("timing-zone", within("mute", put(f"{_SPAN}.location", "UTC")), "location 'UTC' is not the site's zone"),
    Broken("timing-time", within("mute", put(f"{_SPAN}.times.0.start_time", "0:00")), "are no times such as 22:00"),
    Broken("timing-night", within("mute", put(f"{_SPAN}.times.0.start_time", "22:00")), "a night is two spans"),
]

FILES = [
    Broken("strange", file("provisioning/x.yml", {"apiVersion": 1, "plugins": []}), "holds nothing that Grafana reads"),
    Broken("a-list", file("provisioning/x.yml", []), "is no file that Grafana reads"),
    Broken("another-ending", file("readme.md", "x"), "is no file that Grafana reads"),
    Broken("version", within("rules", put("apiVersion", 2)), "apiVersion 2: must be 1"),
    Broken("key-of-a-file", within("rules", put("group", [])), "group: unknown key"),
    Broken("dashboard", within("zh", put("refresh", "often")), "dashboards/zh/river.json: refresh 'often'"),
    Broken("rule", within("rules", put("groups.0.rules.0.for", "7s")), "group 'kanhu-gateway': rule 'kanhu-outbox-old': for"),
    # data sources
    Broken("source-key", within("sources", put(f"{_SOURCE}.database", "kanhu")), "database: unknown key"),
    Broken("not-pruned", within("sources", put("prune", False)), "prune is not true"),
    Broken("flux", within("sources", put(f"{_SOURCE}.jsonData.version", "Flux")), "'Flux' is not one of InfluxQL"),
    Broken("source-missing", within("sources", drop("datasources.1")), "there is no data source 'kanhu-rollups'"),
    Broken(
        "source-twice", within("sources", add("datasources", good.source("kanhu", "kanhu"))), "two data sources have the uid"
    ),
    Broken("source-of-another", within("sources", put(f"{_SOURCE}.uid", "kan")), "must be influxdb, with uid"),
    Broken("another-database", within("sources", put(f"{_SOURCE}.jsonData.dbName", "x")), "asks 'x', the database is 'kanhu'"),
    Broken("another-address", within("sources", put(f"{_SOURCE}.url", "http://x")), "url 'http://x' is not"),
    Broken(
        "token-in-the-file",
        within("sources", put(f"{_SOURCE}.secureJsonData.httpHeaderValue1", "Token abc")),
        "a secret stands in the file",
    ),
    Broken("header-without-value", within("sources", drop(f"{_SOURCE}.secureJsonData")), "go together"),
    Broken("two-defaults", within("sources", put("datasources.1.isDefault", True)), "two data sources are the default"),
    Broken("dollar-in-a-source", within("sources", put(f"{_SOURCE}.name", "$HOME")), "name: Grafana takes $ in a file"),
    # providers
    Broken(
        "dollar-in-a-provider", within("providers", put(f"{_PROVIDER}.folder", "$HOME")), "'kanhu-zh': folder: Grafana takes"
    ),
    Broken("provider-key", within("providers", put(f"{_PROVIDER}.path", "x")), "path: unknown key"),
    Broken("provider-keeps", within("providers", put(f"{_PROVIDER}.disableDeletion", True)), "disableDeletion keeps"),
    Broken(
        "provider-twice", within("providers", put(f"{_PROVIDER}.name", "kanhu-en")), "two providers of dashboards are called"
    ),
    Broken("folder-twice", within("providers", put(f"{_PROVIDER}.folderUid", "kanhu-en")), "two providers fill the folder"),
    Broken("unread", within("providers", drop(_PROVIDER)), "0 providers read 'dashboards/zh'"),
    Broken("reads-nothing", within("providers", put(f"{_PROVIDER}.options.path", "/x/y")), "where no dashboard is built"),
    # dashboards among each other
    Broken("dashboard-twice", file("dashboards/zh/river2.json", good.dashboard()), "two dashboards have the uid"),
    Broken("title-twice", within("zh", put("title", "Runbook")), "two dashboards of 'dashboards/zh' are called 'Runbook'"),
    Broken("no-runbook", within("zh", drop("panels.5.links")), "no panel leads to the runbook"),
    Broken("leads-nowhere", within("zh", edit("panels.5.links.0.url", "runbook", "help")), "which is not built"),
    Broken("panel-nowhere", within("zh", edit("panels.5.links.0.url", "=1", "=9")), "leads to panel 9"),
    Broken("sets-nothing", within("zh", edit("panels.5.links.0.url", "?", "?var-room=x&")), "which has no such variable"),
    Broken("another-language", within("zh", edit("panels.5.links.0.url", "-zh", "-en")), "which is in the other language"),
    Broken("tags-nowhere", within("zh", put("links.0.tags", ["x"])), "no dashboard has the tags"),
    Broken("queries-differ", within("en", edit("panels.1.targets.0.query", "mean", "max")), "but for its words: panel 2"),
    Broken("panels-differ", within("en", drop("panels.6")), "but for its words: 9 against 8"),
    # rules among each other
    Broken("rule-twice", within("rules", add("groups", {**good.file_group(), "name": "x"})), "two rules have the uid"),
    Broken("group-twice", within("rules", add("groups", good.file_group())), "are called 'kanhu-gateway'"),
    Broken("folder-of-rules", within("rules", put("groups.0.folder", "a/b")), "for a folder within a folder"),
    Broken(
        "runbook-nowhere",
        within("rules", put("groups.0.rules.0.annotations.runbook_url", "/d/kanhu-runbook-zh?viewPanel=9")),
        "rule 'kanhu-outbox-old': a link leads to panel 9 of kanhu-runbook-zh",
    ),
    Broken(
        "deleted-and-ours", within("rules", put("deleteRules", [{"orgId": 1, "uid": "kanhu-outbox-old"}])), "also among ours"
    ),
]

# Against the good build before it.
LATER = [
    Broken(
        "rule-gone",
        within("rules", both(put("groups.0.rules.0.uid", "kanhu-new"), put("groups.0.rules.0.labels.kanhu_rule", "kanhu-new"))),
        "deleteRules: 'kanhu-outbox-old' was in the build before",
    ),
    Broken(
        "point-gone",
        within("points", put(f"{_WAY}.uid", "kanhu-new")),
        "deleteContactPoints: 'kanhu-webhook' was in the build before",
    ),
    Broken("timing-gone", gone("mute"), "deleteMuteTimes: 'night' was in the build before"),
    Broken(
        "policy-gone",
        both(
            gone("points", "policies"),
            file(
                "provisioning/alerting/points.yml",
                {"apiVersion": 1, "deleteContactPoints": [{"orgId": 1, "uid": "kanhu-webhook"}]},
            ),
        ),
        "resetPolicies: the build before had a policy",
    ),
]
