"""Everything of ours in a real Grafana 12: pushed twice, checked by its own schema, asked, evaluated, told, and looked at.

Skipped, with the reason, where no Grafana is named. What every variable means: `tests/live/grafana.py`. Alone:

    GRAFANA_URL=http://127.0.0.1:3000 python -m pytest tests/live/test_grafana.py -v -s

It takes about a quarter of an hour, most of it waiting for Grafana to evaluate rules that run every five minutes.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from dashboards.console.inbound.grafana import Grafana as Inbox
from dashboards.console.inbound.messages import Call, Watch
from dashboards.grafana import objects
from dashboards.grafana.options import Options
from dashboards.grafana.push.apply import apply
from dashboards.grafana.push.client import Grafana
from dashboards.grafana.push.http import NotThere
from dashboards.grafana.push.plan import plan
from dashboards.grafana.push.preflight import Outcome, preflight
from edge_gateway.errors import KanhuError
from edge_gateway.settings import Inbound
from tests.console.conftest import find_chromium, find_driver
from tests.grafana import asking
from tests.grafana.asking import Query
from tests.grafana.expand import Range, Variable
from tests.grafana.expand import _with_variables as with_variables
from tests.live.grafana import Json, Live, live

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

NAMES: Final = [placed.dashboard["uid"] for placed in objects.dashboards(Options())]
CHINESE: Final = [uid for uid in NAMES if uid.endswith("-zh")]
DAY_MS: Final = 86_400_000
DAYS: Final = (1, 30, 365)
POINTS: Final = 1000
KNOWN_SCHEMA: Final = 41  # of classic dashboards that Grafana 12.2 checks; the SDK writes 42
WAITS_S: Final = 480.0  # rules run every 5 minutes
TELLS_S: Final = 240.0  # 10 s until evaluated, 30 s until told, and what a busy machine takes
LIVE_GROUP: Final = "kanhu-live"


@pytest.fixture(scope="module")
def there(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(request, tmp_path_factory.mktemp("grafana")) as found:
        yield found


@pytest.fixture(scope="module")
def shown(there: Live) -> Sequence[Range]:
    """A day, a month and a year, all ending now."""
    now_ms = int(time.time() * 1000)
    return [Range(now_ms - days * DAY_MS, now_ms, POINTS) for days in DAYS]


def eventually(condition: Callable[[], object], within_s: float, what: Callable[[], str]) -> None:
    """Ask every other second: this is somebody's server."""
    ends = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends, f"not within {within_s:.0f} s: {what()}"
        time.sleep(2)


def board(there: Live, uid: str) -> Json:
    return next(placed.dashboard for placed in there.asked.dashboards if placed.dashboard["uid"] == uid)


def test_this_is_a_grafana_that_the_dashboards_are_made_for(there: Live) -> None:
    version = there.grafana.version()
    print(f"Grafana {version}, database {there.database.url}, {'filled' if there.filled else 'EMPTY: no recordings here'}")
    assert int(version.split(".")[0]) >= 12, f"Grafana {version}"
    for source in there.asked.sources:
        assert "working" in there.grafana.health(source.body["uid"])


def test_a_second_push_has_nothing_to_do(there: Live) -> None:
    found = plan(there.grafana, there.asked)
    assert [(change.kind, change.uid, change.lines) for change in found.changes] == []
    assert found.refused == []


@pytest.mark.parametrize("uid", NAMES)
def test_a_dashboard_passes_grafanas_own_strict_check(there: Live, uid: str) -> None:
    """Nothing is stored: `dryRun=All`. The check knows one version of the schema, and 12.2's is 41."""
    http = there.grafana.http
    organisation = http.ask("GET", "api/org", "the organisation")["id"]
    namespace = "default" if organisation == 1 else f"org-{organisation}"
    spec = {key: part for key, part in board(there, uid).items() if key not in ("id", "uid", "version")}
    body = {"kind": "Dashboard", "metadata": {"name": f"{uid}-try"}, "spec": {**spec, "schemaVersion": KNOWN_SCHEMA}}
    for version in ("v1beta1", "v1"):
        group = f"dashboard.grafana.app/{version}"
        path = f"apis/{group}/namespaces/{namespace}/dashboards"
        sent = {**body, "apiVersion": group}
        try:
            http.ask("POST", path, f"strict check of {uid}", sent, dryRun="All", fieldValidation="Strict")
        except NotThere:
            continue
        break
    else:
        pytest.skip("this Grafana has no dashboard.grafana.app/v1beta1 or v1 to check a classic dashboard with")
    assert there.grafana.dashboard(f"{uid}-try") is None


@pytest.mark.parametrize("uid", CHINESE)
def test_grafana_shows_of_every_query_what_the_database_has(there: Live, shown: Sequence[Range], uid: str) -> None:
    """Both are asked: Grafana by `/api/ds/query`, and past it the database, with our own idea of what Grafana executes."""
    dashboard = board(there, uid)
    wrong: list[str] = []
    panels: dict[int, int] = {}
    for each in shown:
        variables = asking.set_to_all(there.database, dashboard, each)
        for query in [*asking.panel_queries(dashboard), *asking.annotation_queries(dashboard)]:
            answer = ask(there.grafana, query, query.seen_in(each), variables)
            expected = there.database.run(query, each, variables)
            rows = count_rows(answer)
            panels[query.panel] = panels.get(query.panel, 0) + rows
            if answer.get("error"):
                wrong.append(f"{query.where}: {answer['error']}")
            elif bool(rows) != bool(expected):
                wrong.append(
                    f"{query.where}: Grafana has {rows} rows, the database {sum(len(one.rows) for one in expected)} series"
                )
            wrong += [f"{query.where}: executed {text}" for text in executed(answer) if text != query.expanded(each, variables)]
    assert not wrong, "\n".join(wrong[:20])
    empty = [panel for panel, rows in panels.items() if panel and not rows]
    print(f"{uid}: panels without a row: {empty}")
    if there.filled:
        # What has happened depends a little on the hour at which this runs: at dawn no meal was late yet.
        assert 4 * len(empty) <= len(panels), f"panels without a row in a year: {empty}"


def ask(grafana: Grafana, query: Query, seen: Range, variables: Mapping[str, Variable]) -> Json:
    """One query as the browser sends it: it has replaced the dashboard's variables, Grafana's server replaces the rest."""
    source = "kanhu-rollups" if query.rollups else "kanhu"
    asked: Json = {
        "refId": "A",
        "datasource": {"type": "influxdb", "uid": source},
        "query": with_variables(query.text, variables),
        "rawQuery": True,
        "alias": query.alias,
        "intervalMs": seen.interval_ms(query.points, query.least),
        "maxDataPoints": query.points or seen.points,
    }
    if query.ref != "annotation":  # the browser asks for annotations without a format
        asked["resultFormat"] = "table" if query.table else "time_series"
    body = {"from": str(seen.from_ms), "to": str(seen.to_ms), "queries": [asked]}
    try:
        answer = grafana.http.ask("POST", "api/ds/query", query.where, body)
    except KanhuError as error:
        return {"error": str(error)}
    return dict(answer["results"]["A"])


def count_rows(answer: Json) -> int:
    return sum(max((len(one) for one in columns(frame)), default=0) for frame in answer.get("frames") or [])


def columns(frame: Json) -> list[list[Any]]:
    return (frame.get("data") or {}).get("values") or []


def executed(answer: Json) -> list[str]:
    texts = {((frame.get("schema") or {}).get("meta") or {}).get("executedQueryString") for frame in answer.get("frames") or []}
    return sorted(text for text in texts if text)


@pytest.mark.parametrize("uid", CHINESE)
def test_every_variable_finds_its_values_through_grafana(there: Live, shown: Sequence[Range], uid: str) -> None:
    dashboard, year = board(there, uid), shown[-1]
    known = asking.set_to_all(there.database, dashboard, year)
    for name, variable in asking.variables(dashboard).items():
        where = f"{uid} ${name}"
        query = Query(where, 0, "A", asking.variable_text(variable), "rollups" in str(variable.get("datasource")), table=True)
        answer = ask(there.grafana, query, year, known)
        assert not answer.get("error"), f"{where}: {answer['error']}"
        found = {value for frame in answer.get("frames") or [] for one in columns(frame) for value in one}
        assert set(known[name].options) <= found, where


def test_every_rule_runs_in_grafana(there: Live) -> None:
    rules = [rule for group in there.asked.rule_groups for rule in group["rules"]]
    tried = preflight(there.grafana, rules)
    for one in tried:
        if one.outcome is not Outcome.OK:
            print(f"{one.outcome}: {one.uid}: {one.detail}")
    assert [f"{one.uid}: {one.detail}" for one in tried if one.outcome is Outcome.FAILED] == []
    if there.filled:
        assert any(one.outcome is Outcome.OK for one in tried)


@pytest.fixture(scope="module")
def fired(there: Live) -> Iterator[Live]:
    """Two rules of the test's own that fire at once, one for each of our contact points; they go through our policies."""
    group = {"title": LIVE_GROUP, "folderUid": "kanhu-alerts", "interval": 10, "rules": [always("gateway"), always("outside")]}
    more = replace(there.asked, rule_groups=[*there.asked.rule_groups, group])
    apply(there.grafana, plan(there.grafana, more))
    yield there
    apply(there.grafana, plan(there.grafana, there.asked))


def always(via: str) -> Json:
    """A rule that is true whenever it is evaluated."""
    nobody = {"type": "__expr__", "uid": "__expr__"}
    model = {"refId": "C", "type": "math", "expression": "1 > 0", "datasource": nobody}
    uid = f"kanhu-live-{via}"
    return {
        "uid": uid,
        "title": f"实况测试 Live test {via}",
        "folderUID": "kanhu-alerts",
        "ruleGroup": LIVE_GROUP,
        "orgID": 1,
        "condition": "C",
        "data": [
            {
                "refId": "C",
                "queryType": "",
                "relativeTimeRange": {"from": 60, "to": 0},
                "datasourceUid": "__expr__",
                "model": model,
            }
        ],
        "for": "0s",
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": {"kanhu": "live", "kanhu_rule": uid, "severity": "notice", "via": via},
        "annotations": {"summary": "试告警\nA test", "summary_zh": "试告警。", "summary_en": "A test."},
        "isPaused": False,
    }


def test_a_firing_alert_reaches_the_gateways_webhook_and_is_understood_there(fired: Live, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("0123456789abcdef0123\n")
    setting = Inbound(name="grafana", kind="grafana", secret_file=secret)

    def understood() -> list[Mapping[str, Any]]:
        calls = [Call({}, {}, body) for body in fired.receiver.got.get("/gateway", [])]
        watches = [one for call in calls for one in Inbox().read(call, setting, time.time()).messages]
        assert all(isinstance(one, Watch) and not one.unread for one in watches), watches
        return [alert for one in watches if isinstance(one, Watch) for alert in one.alerts]

    def ours() -> list[Mapping[str, Any]]:
        return [alert for alert in understood() if alert["rule"] == "kanhu-live-gateway"]

    eventually(
        ours,
        TELLS_S,
        lambda: f"received {[(path, len(bodies)) for path, bodies in fired.receiver.got.items()]}; {states(fired)}",
    )
    alert = ours()[0]
    assert (alert["word"], alert["warning"]) == ("firing", False)
    assert alert["text_zh"] == "试告警。"
    assert abs(alert["at_ns"] / 1e9 - time.time()) < 3600


@pytest.mark.parametrize("channel", ["wecom", "dingtalk", "feishu"])
def test_a_firing_alert_reaches_people_by(fired: Live, channel: str) -> None:
    def text() -> str:
        return b"\n".join(fired.receiver.got.get(f"/{channel}", [])).decode()

    eventually(text, TELLS_S, lambda: f"nothing came to {channel}; {states(fired)}")
    assert "看护 Kanhu" in text()
    assert "[no value]" not in text()


def states(there: Live) -> list[str]:
    return [
        f"{one['name']}: {one['state']} {one['health']} {one.get('lastError', '')}"
        for one in evaluated(there)
        if "Live" in one["name"]
    ]


def evaluated(there: Live) -> list[Json]:
    """Rules as Grafana's scheduler has them: `name`, `state`, `health`, `lastError`, `lastEvaluation`."""
    found = there.grafana.http.ask("GET", "api/prometheus/grafana/api/v1/rules", "the state of rules")
    return [rule for group in found["data"]["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def browser(there: Live) -> Iterator[Browser]:
    """One that finds no other host than Grafana's: not even a login can reach somebody else."""
    program = os.environ.get("KANHU_CHROMIUM") or shutil.which("google-chrome") or ""
    if program:
        find_driver()
    else:
        program = find_chromium()
    only = f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {urlsplit(there.grafana.url).hostname}"
    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server", only]
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=flags)
        yield found
        found.close()


@pytest.fixture
def outside() -> list[str]:
    """Addresses outside of Grafana that a page asked for; nobody answered."""
    return []


@pytest.fixture
def context(there: Live, browser: Browser, outside: list[str]) -> Iterator[BrowserContext]:
    """Logged in."""
    own, login = urlsplit(there.grafana.url).netloc, there.credential
    headers = {"Authorization": f"Bearer {login}"} if isinstance(login, str) else {}
    made = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai", extra_http_headers=headers)
    if not isinstance(login, str):
        answer = made.request.post(f"{there.grafana.url}/login", data={"user": login[0], "password": login[1]})
        assert answer.ok, f"login: {answer.status} {answer.text()[:200]}"

    def note(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https") and parts.netloc != own:
            outside.append(request.url)

    made.on("request", note)
    yield made
    made.close()


def seen(page: Page, condition: Callable[[], object], within_s: float, what: Callable[[], str]) -> None:
    """As `eventually`, and the browser goes on meanwhile."""
    ends = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends, f"{page.url}: not within {within_s:.0f} s: {what()}"
        page.wait_for_timeout(500)


@pytest.mark.parametrize("uid", NAMES)
def test_a_dashboard_opens_in_a_browser_without_an_error(
    there: Live, context: BrowserContext, outside: list[str], tmp_path: Path, uid: str
) -> None:
    dashboard = board(there, uid)
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    page = context.new_page()
    # Panels that are out of sight load nothing: the window is as high as the dashboard.
    page.set_viewport_size({"width": 1600, "height": min(16_000, height * 38 + 400)})
    page.goto(f"{there.grafana.url}/d/{uid}?kiosk", wait_until="domcontentloaded", timeout=120_000)
    titles = [panel["title"] for panel in dashboard["panels"] if panel.get("title")]
    seen(page, lambda: not missing(page, titles), 120, lambda: f"not shown: {missing(page, titles)}")
    page.wait_for_timeout(1000)  # a panel begins to load a moment after its title is there
    seen(page, lambda: not loading(page), 120, lambda: f"{loading(page)} panels still load")
    picture = Path(os.environ.get("KANHU_PICTURES") or tmp_path) / f"grafana-{uid}.png"
    page.screenshot(path=picture)
    print(f"picture: {picture}")
    broken = page.locator('[data-testid="data-testid Panel status error"]')
    assert broken.count() == 0, [broken.nth(n).get_attribute("aria-label") for n in range(broken.count())]
    assert "plugin not found" not in page.inner_text("body").lower()
    maps = ("tile", "arcgis", "openstreetmap", "cartocdn", "basemap")
    assert [url for url in outside if any(word in url for word in maps)] == []


def missing(page: Page, titles: Sequence[str]) -> list[str]:
    text = page.evaluate("document.body.textContent")
    return [title for title in titles if title not in text]


def loading(page: Page) -> int:
    return page.locator('[aria-label="Panel loading bar"]').count()


@pytest.mark.parametrize("uid", ["kanhu-operations-zh", "kanhu-operations-en"])
def test_the_overview_fits_on_a_phone(there: Live, context: BrowserContext, tmp_path: Path, uid: str) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{there.grafana.url}/d/{uid}?kiosk", wait_until="domcontentloaded", timeout=120_000)
    first = next(panel["title"] for panel in board(there, uid)["panels"] if panel["type"] != "row")
    seen(page, lambda: not missing(page, [first]), 120, lambda: f"{first} is not shown")
    page.screenshot(path=Path(os.environ.get("KANHU_PICTURES") or tmp_path) / f"grafana-{uid}-phone.png")
    panels = page.locator('[data-testid^="data-testid Panel header"]')
    edges = panels.evaluate_all("found => found.map(one => one.getBoundingClientRect().right)")
    assert [edge for edge in edges if edge > 391] == [], "panels are wider than the screen"


def test_every_rule_is_evaluated_and_healthy(there: Live) -> None:
    """Last, because rules that run every five minutes have run by now. No data is no fault: it is what `check` tells."""
    titles = {rule["title"] for group in there.asked.rule_groups for rule in group["rules"]}

    def waiting() -> set[str]:
        done = {one["name"] for one in evaluated(there) if not str(one.get("lastEvaluation", "0001")).startswith("0001")}
        return titles - done

    eventually(lambda: not waiting(), WAITS_S, lambda: f"not evaluated: {sorted(waiting())}")
    found = [one for one in evaluated(there) if one["name"] in titles]
    sick = [
        f"{one['name']}: {one['health']} {one.get('lastError', '')}" for one in found if one["health"] not in ("ok", "nodata")
    ]
    assert sick == []
    print("without data:", [one["name"] for one in found if one["health"] == "nodata"])
    if there.filled:
        assert any(one["health"] == "ok" for one in found)
