"""A push against a server that answers with Grafana's recorded codes."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from dashboards.grafana.objects import Placed
from dashboards.grafana.options import Options
from dashboards.grafana.push.apply import apply
from dashboards.grafana.push.change import Act, Kind, Plan
from dashboards.grafana.push.client import Grafana
from dashboards.grafana.push.plan import plan
from dashboards.grafana.push.wanted import Wanted, nothing, point, source, wanted
from dashboards.grafana.text import Language
from edge_gateway.errors import KanhuError, Misconfigured, Rejected, Unavailable
from tests.grafana.scripted import TOKEN, USER, Scripted, scripted

DATABASE_TOKEN = "influx-token-of-a-reader"
KEY = "https://qyapi.example/send?key=93a1-secret"
CHANNELS = {
    "KANHU_GRAFANA_WEBHOOK_URL": "http://127.0.0.1:8080/in/grafana/0123456789abcdef0123",
    "KANHU_GRAFANA_WECOM_URL": KEY,
}


@pytest.fixture
def there() -> Iterator[tuple[str, Scripted]]:
    with scripted() as found:
        yield found


@pytest.fixture
def held(there: tuple[str, Scripted]) -> Scripted:
    return there[1]


@pytest.fixture
def grafana(there: tuple[str, Scripted]) -> Grafana:
    return Grafana(there[0], TOKEN, [DATABASE_TOKEN, *CHANNELS.values()])


def rule(uid: str = "kanhu-disk", **changes: Any) -> dict[str, Any]:
    query = {"refId": "A", "query": 'SELECT last("disk_used") FROM "gateway" WHERE $timeFilter', "rawQuery": True}
    data = [
        {"refId": "A", "datasourceUid": "kanhu", "relativeTimeRange": {"from": 600, "to": 0}, "model": query},
        {"refId": "C", "datasourceUid": "__expr__", "model": {"refId": "C", "type": "threshold", "expression": "A"}},
    ]
    about = {
        "uid": uid,
        "title": f"Title of {uid}",
        "condition": "C",
        "for": "60s",
        "noDataState": "OK",
        "execErrState": "Error",
    }
    marks = {"labels": {"kanhu": "disk"}, "annotations": {"summary": "full"}}
    return {**about, "folderUID": "kanhu-alerts", "ruleGroup": "kanhu", "data": data, **marks, **changes}


def group(*rules: dict[str, Any], interval: int = 60) -> dict[str, Any]:
    return {"title": "kanhu", "folderUid": "kanhu-alerts", "interval": interval, "rules": list(rules)}


def dashboard(uid: str = "kanhu-one-zh", **changes: Any) -> Placed:
    panels = [{"id": 1, "type": "timeseries", "targets": [{"refId": "A", "query": 'SELECT mean("ph") FROM "water"'}]}]
    return Placed("kanhu-zh", {"uid": uid, "title": f"Title of {uid}", "tags": ["kanhu"], "panels": panels, **changes})


def small(**changes: Any) -> Wanted:
    """One of each."""
    settings = {"dbName": "kanhu", "version": "InfluxQL"}
    body = {"uid": "kanhu", "name": "Kanhu", "type": "influxdb", "access": "proxy", "url": "http://db:8086", "isDefault": True}
    channel = {"uid": "kanhu-wecom", "name": "kanhu-outside", "type": "wecom", "disableResolveMessage": False}
    folders = [{"uid": "kanhu-zh", "title": "看护"}, {"uid": "kanhu-alerts", "title": "Kanhu alerts"}]
    return replace(
        nothing(),
        sources=[source({**body, "jsonData": settings}, DATABASE_TOKEN)],
        folders=folders,
        dashboards=[dashboard()],
        rule_groups=[group(rule())],
        points=[point({**channel, "settings": {"url": "$KANHU_GRAFANA_WECOM_URL", "msgtype": "markdown"}}, CHANNELS)],
        routes=lambda names: [{"receiver": name, "object_matchers": [["kanhu", "=~", ".+"]]} for name in names],
        **changes,
    )


def push(grafana: Grafana, asked: Wanted, renew: bool = False) -> Plan:
    made = plan(grafana, asked, renew)
    apply(grafana, made)
    return made


def said(made: Plan) -> str:
    return "\n".join([*made.notes, *made.refused, *(line for change in made.changes for line in (change.title, *change.lines))])


def acts(made: Plan) -> set[tuple[str, str, str]]:
    return {(change.act.value, change.kind.value, change.uid) for change in made.changes}


def test_the_whole_of_ours_is_made_by_the_first_push_and_left_alone_by_the_second(grafana: Grafana, held: Scripted) -> None:
    asked = wanted(Options(), CHANNELS, DATABASE_TOKEN)
    first = push(grafana, asked)
    assert {change.act for change in first.changes} <= {Act.MAKE, Act.CHANGE}
    assert {*held.dashboards} == {placed.dashboard["uid"] for placed in asked.dashboards}
    assert {*held.rules} == {one["uid"] for each in asked.rule_groups for one in each["rules"]}
    assert held.sources.keys() == {"kanhu", "kanhu-rollups"}
    before = len(held.writes())
    second = push(grafana, asked)
    assert acts(second) == set()
    assert second.same > 0
    assert len(held.writes()) == before


def test_everything_of_ours_is_taken_out_again_and_nothing_else(grafana: Grafana, held: Scripted) -> None:
    held.dashboards["theirs"] = {
        "dashboard": {"uid": "theirs", "title": "theirs", "tags": ["kanhu"]},
        "meta": {"folderUid": ""},
    }
    held.sources["prometheus"] = {"uid": "prometheus", "name": "P", "type": "prometheus"}
    root = copy.deepcopy(held.policy)
    push(grafana, wanted(Options(), CHANNELS, DATABASE_TOKEN))
    push(grafana, nothing())
    assert {*held.dashboards} == {"theirs"}
    assert {*held.sources} == {"prometheus"}
    assert (held.rules, held.points, held.folders) == ({}, {}, {})
    assert {**held.policy, "routes": []} == {**root, "routes": []}
    assert acts(plan(grafana, nothing())) == set()


def test_a_plan_only_reads(grafana: Grafana, held: Scripted) -> None:
    plan(grafana, small())
    assert held.writes() == []


def test_what_somebody_changed_in_grafana_is_shown_and_set_back(grafana: Grafana, held: Scripted) -> None:
    push(grafana, small())
    held.dashboards["kanhu-one-zh"]["dashboard"]["panels"][0]["targets"][0]["query"] = 'SELECT mean("do") FROM "water"'
    held.dashboards["kanhu-one-zh"]["meta"]["folderUid"] = "elsewhere"
    held.rules["kanhu-disk"]["labels"]["team"] = "night"
    held.rules["kanhu-disk"]["for"] = "5m"
    held.sources["kanhu"]["jsonData"]["dbName"] = "other"
    made = plan(grafana, small())
    text = said(made)
    assert 'panels[0].targets[0].query: SELECT mean("do") FROM "water" -> SELECT mean("ph") FROM "water"' in text
    assert "folder: elsewhere -> kanhu-zh" in text
    assert "kanhu-disk labels.team: night -> nothing" in text
    assert "kanhu-disk for: 5m -> 60s" in text
    assert "jsonData.dbName: other -> kanhu" in text
    apply(grafana, made)
    assert acts(plan(grafana, small())) == set()


def test_what_grafana_adds_by_itself_is_no_difference(grafana: Grafana, held: Scripted) -> None:
    matchers = [["via", "=", "outside"], ["kanhu", "=~", ".+"]]
    routes = [{"receiver": "kanhu-outside", "object_matchers": matchers, "group_wait": "60s"}]
    asked = replace(small(), dashboards=[dashboard(schemaVersion=42)], routes=lambda _names: routes)
    push(grafana, asked)
    held.dashboards["kanhu-one-zh"]["dashboard"] |= {"version": 8, "id": 99, "fiscalYearStartMonth": 0, "schemaVersion": 43}
    held.policy["routes"][0] |= {"object_matchers": [["kanhu", "=~", ".+"], ["via", "=", "outside"]], "group_wait": "1m0s"}
    held.rules["kanhu-disk"] |= {"for": "1m0s", "missingSeriesEvalsToResolve": None}
    held.rules["kanhu-disk"]["annotations"]["__dashboardUid__"] = "x"
    assert acts(plan(grafana, asked)) == set()


def test_a_rule_that_is_gone_or_slower_or_keeps_firing_is_a_difference(grafana: Grafana, held: Scripted) -> None:
    asked = replace(small(), rule_groups=[group(rule(), rule("kanhu-clock"))])
    push(grafana, asked)
    del held.rules["kanhu-clock"]
    held.rules["kanhu-disk"]["keep_firing_for"] = "1h"
    held.intervals["kanhu-alerts", "kanhu"] = 600
    text = said(plan(grafana, asked))
    assert "interval: 600 -> 60" in text
    assert "kanhu-clock rule: nothing -> Title of kanhu-clock" in text
    assert "kanhu-disk keep_firing_for: 1h -> nothing" in text


def test_what_is_asked_for_no_more_is_removed(grafana: Grafana, held: Scripted) -> None:
    asked = small()
    push(
        grafana,
        replace(asked, dashboards=[dashboard(), dashboard("kanhu-two-zh")], rule_groups=[group(rule(), rule("kanhu-old"))]),
    )
    made = push(grafana, asked)
    assert ("remove", "dashboard", "kanhu-two-zh") in acts(made)
    assert ("remove", "alert rule", "kanhu-old") in acts(made)
    assert {*held.dashboards} == {"kanhu-one-zh"}
    assert {*held.rules} == {"kanhu-disk"}


def test_a_language_that_is_asked_for_no_more_takes_its_folder_with_it(grafana: Grafana, held: Scripted) -> None:
    push(grafana, wanted(Options(), {}, DATABASE_TOKEN))
    push(grafana, wanted(Options(languages=(Language.ZH,)), {}, DATABASE_TOKEN))
    assert {*held.folders} == {"kanhu-zh", "kanhu-alerts"}
    assert all(uid.endswith("-zh") for uid in held.dashboards)


def test_a_folder_in_which_others_keep_something_stays(grafana: Grafana, held: Scripted) -> None:
    push(grafana, wanted(Options(), {}, DATABASE_TOKEN))
    held.dashboards["mine"] = {"dashboard": {"uid": "mine", "title": "mine"}, "meta": {"folderUid": "kanhu-en"}}
    made = push(grafana, wanted(Options(languages=(Language.ZH,)), {}, DATABASE_TOKEN))
    assert "folder kanhu-en is asked for no more and stays: others are in it (mine)" in made.notes
    assert {"kanhu-en", "kanhu-zh"} < {*held.folders}
    assert "mine" in held.dashboards


def test_a_dashboard_with_our_tag_that_somebody_saved_under_his_own_uid_is_his(grafana: Grafana, held: Scripted) -> None:
    copied = {"dashboard": {"uid": "abc", "title": "copy", "tags": ["kanhu"]}, "meta": {"folderUid": "x"}}
    held.dashboards["abc"] = copied
    push(grafana, small())
    assert held.dashboards["abc"] == copied


def test_a_rule_that_somebody_put_into_our_group_stays_in_it(grafana: Grafana, held: Scripted) -> None:
    push(grafana, small())
    theirs = {**rule("theirs", labels={"team": "night"}), "isPaused": False, "id": 5, "updated": "x"}
    held.rules["theirs"] = theirs
    push(grafana, replace(small(), rule_groups=[group(rule(title="another"))]))
    assert held.rules["kanhu-disk"]["title"] == "another"
    assert held.rules["theirs"]["title"] == theirs["title"]


def test_a_rule_that_somebody_paused_stays_paused(grafana: Grafana, held: Scripted) -> None:
    push(grafana, small())
    held.rules["kanhu-disk"]["isPaused"] = True
    made = push(grafana, replace(small(), rule_groups=[group(rule(title="another"))]))
    assert held.rules["kanhu-disk"]["isPaused"] is True
    assert held.rules["kanhu-disk"]["title"] == "another"
    assert "alert rule kanhu-disk is paused in Grafana and stays so" in made.notes


def test_the_root_and_the_branches_of_others_stay_in_the_policies(grafana: Grafana, held: Scripted) -> None:
    theirs = {"receiver": "grafana-default-email", "object_matchers": [["team", "=", "night"]], "continue": True}
    held.policy = {**held.policy, "routes": [theirs], "repeat_interval": "12h"}
    push(grafana, small())
    ours = held.policy["routes"][0]
    assert ours["receiver"] == "kanhu-outside"
    assert held.policy["routes"][1:] == [theirs]
    assert (held.policy["receiver"], held.policy["repeat_interval"]) == ("grafana-default-email", "12h")
    push(grafana, nothing())
    assert held.policy["routes"] == [theirs]


def test_policies_that_another_program_set_over_the_interface_stay_its_own(grafana: Grafana, held: Scripted) -> None:
    held.policy["provenance"] = "api"
    push(grafana, small())
    assert held.policy["provenance"] == "api"


def test_the_default_data_source_of_others_stays_the_default(grafana: Grafana, held: Scripted) -> None:
    push(grafana, small())
    assert held.sources["kanhu"]["isDefault"] is False
    held.sources["kanhu"] |= {"isDefault": True, "url": "http://old:8086", "user": "reader"}
    push(grafana, small())
    assert held.sources["kanhu"]["url"] == "http://db:8086"
    assert held.sources["kanhu"]["isDefault"] is True
    assert held.sources["kanhu"]["user"] == "reader"


def test_a_channel_without_its_variable_is_left_out_and_said(grafana: Grafana, held: Scripted) -> None:
    made = push(grafana, wanted(Options(), {}, DATABASE_TOKEN))
    assert held.points == {}
    assert any("kanhu-wecom" not in held.points and "KANHU_GRAFANA_WECOM_URL not set" in note for note in made.notes)
    assert not held.policy.get("routes")


def test_a_channel_that_works_is_not_taken_away_because_this_shell_lacks_its_variable(grafana: Grafana, held: Scripted) -> None:
    push(grafana, wanted(Options(), CHANNELS, DATABASE_TOKEN))
    points, policy = copy.deepcopy(held.points), copy.deepcopy(held.policy)
    made = push(grafana, wanted(Options(), {}, DATABASE_TOKEN))
    assert acts(made) == set()
    assert (held.points, held.policy) == (points, policy)
    assert any("stays as it is" in note for note in made.notes)


def test_a_token_that_another_shell_gave_stays_when_its_channel_is_changed(grafana: Grafana, held: Scripted) -> None:
    push(grafana, wanted(Options(), {**CHANNELS, "KANHU_GRAFANA_WEBHOOK_TOKEN": "shown-to-the-console"}, DATABASE_TOKEN))
    held.points["kanhu-webhook"]["settings"]["maxAlerts"] = 3
    push(grafana, wanted(Options(), CHANNELS, DATABASE_TOKEN))
    settings = held.points["kanhu-webhook"]["settings"]
    assert settings["maxAlerts"] != 3
    assert (settings["authorization_scheme"], settings["authorization_credentials"]) == ("Bearer", "shown-to-the-console")


def test_a_secret_is_sent_again_when_it_is_asked_for(grafana: Grafana, held: Scripted) -> None:
    push(grafana, small())
    held.sources["kanhu"]["secureJsonData"] = {"httpHeaderValue1": "Token old"}
    held.points["kanhu-wecom"]["settings"]["url"] = "https://old.example"
    assert acts(push(grafana, small())) == set()
    push(grafana, small(), renew=True)
    assert held.sources["kanhu"]["secureJsonData"] == {"httpHeaderValue1": f"Token {DATABASE_TOKEN}"}
    assert held.points["kanhu-wecom"]["settings"]["url"] == KEY


def test_a_data_source_without_its_secret_gets_it(grafana: Grafana, held: Scripted) -> None:
    push(grafana, small())
    held.sources["kanhu"] |= {"secureJsonFields": {}, "secureJsonData": {}}
    push(grafana, small())
    assert held.sources["kanhu"]["secureJsonData"] == {"httpHeaderValue1": f"Token {DATABASE_TOKEN}"}


def test_no_secret_is_printed_also_when_grafana_quotes_it(grafana: Grafana, held: Scripted) -> None:
    made = plan(grafana, wanted(Options(), CHANNELS, DATABASE_TOKEN))
    push(grafana, small())
    held.points["kanhu-wecom"]["type"] = "webhook"  # whose address Grafana shows
    held.points["kanhu-wecom"]["settings"]["url"] = "https://old.example/key=77"
    changed = plan(grafana, small())
    shown = said(made) + said(changed) + repr(made) + repr(changed)
    assert "settings.url: *** -> *** (another)" in said(changed)
    for secret in (DATABASE_TOKEN, KEY, CHANNELS["KANHU_GRAFANA_WEBHOOK_URL"], "key=77", TOKEN):
        assert secret not in shown
    held.script["PUT", "/api/v1/provisioning/contact-points"] = [(400, {"message": f"invalid URL {KEY}, token {TOKEN}"})]
    with pytest.raises(Rejected) as raised:
        apply(grafana, changed)
    assert "invalid URL ***, token ***" in str(raised.value)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        pytest.param(
            lambda h: h.sources["kanhu"].update(type="prometheus"), "data source kanhu is of type prometheus", id="source"
        ),
        pytest.param(lambda h: h.dashboards["kanhu-one-zh"]["dashboard"].update(tags=[]), "has no tag kanhu", id="dashboard"),
        pytest.param(lambda h: h.rules["kanhu-disk"].update(labels={"a": "b"}), "has no label kanhu", id="rule"),
    ],
)
def test_what_has_our_uid_but_not_our_mark_is_not_touched(
    grafana: Grafana, held: Scripted, break_it: Any, message: str
) -> None:
    push(grafana, small())
    break_it(held)
    before = len(held.writes())
    with pytest.raises(Misconfigured, match=message):
        push(grafana, small())
    assert len(held.writes()) == before


@pytest.mark.parametrize(
    "provision",
    [
        pytest.param(lambda h: h.dashboards["kanhu-one-zh"]["meta"].update(provisioned=True), id="dashboard"),
        pytest.param(lambda h: h.rules["kanhu-disk"].update(provenance="file"), id="rule group"),
        pytest.param(lambda h: h.points["kanhu-wecom"].update(provenance="file"), id="contact point"),
        pytest.param(lambda h: h.policy.update(provenance="file"), id="policies"),
    ],
)
def test_what_files_provisioned_is_refused_with_what_to_do_and_left_alone_while_it_is_right(
    grafana: Grafana, held: Scripted, provision: Any
) -> None:
    push(grafana, small())
    provision(held)
    assert acts(plan(grafana, small())) == set()
    other = replace(
        small(),
        dashboards=[dashboard(description="another")],
        rule_groups=[group(rule(title="another"))],
        points=[replace(small().points[0], body={**small().points[0].body, "name": "kanhu-other"})],
    )
    before = len(held.writes())
    with pytest.raises(Misconfigured, match="it comes from a provisioning file: change it there"):
        push(grafana, other)
    assert len(held.writes()) == before


def test_a_data_source_of_a_file_may_hold_while_the_rest_is_pushed(grafana: Grafana, held: Scripted) -> None:
    push(grafana, small())
    held.sources["kanhu"] |= {"readOnly": True, "url": "http://influxdb:8086"}
    made = push(grafana, replace(small(), dashboards=[dashboard(description="another")]))
    assert acts(made) == {("change", "dashboard", "kanhu-one-zh")}
    assert any(
        "comes from a provisioning file and stays as it is (url: http://influxdb:8086 -> http://db:8086)" in n
        for n in made.notes
    )


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        pytest.param(
            (403, {"message": "Cannot update read-only data source"}), Misconfigured, "provisioning file", id="read-only"
        ),
        pytest.param(
            (400, {"message": "Cannot save provisioned dashboard"}), Misconfigured, "provisioning file", id="provisioned"
        ),
        pytest.param(
            (409, {"message": "cannot update with provided provenance '', needs 'file'"}),
            Misconfigured,
            "provisioning",
            id="provenance",
        ),
        pytest.param((409, {"message": "name exists"}), Unavailable, "push again", id="409"),
        pytest.param((412, {"message": "changed by someone else"}), Unavailable, "push again", id="412"),
        pytest.param((400, {"message": "bad request data"}), Rejected, "answers 400: bad request data", id="400"),
        pytest.param((401, {"message": "Invalid API key"}), Misconfigured, "new token", id="401"),
        pytest.param((403, {"message": "You'll need additional permissions"}), Misconfigured, "role Admin", id="403"),
        pytest.param((429, {"message": "slow down"}), Unavailable, "429", id="429"),
        pytest.param((500, {}), Unavailable, "answers 500: nothing", id="500"),
        pytest.param((502, "<html>Bad gateway</html>"), Unavailable, "502", id="502 of a proxy"),
        pytest.param((200, "<html>Welcome</html>"), Misconfigured, "not as Grafana does", id="a page"),
        pytest.param((302, None), Misconfigured, "leads to https://elsewhere.example/", id="redirect"),
    ],
)
def test_each_answer_says_who_has_to_act_and_the_next_push_goes_on(
    grafana: Grafana, held: Scripted, answer: Any, kind: type[KanhuError], message: str
) -> None:
    held.script["POST", "/api/dashboards/db"] = [answer]
    with pytest.raises(kind, match=message):
        push(grafana, small())
    assert held.dashboards == {}
    push(grafana, small())
    assert acts(plan(grafana, small())) == set()


def test_what_is_gone_already_when_it_is_to_be_removed_is_no_fault(grafana: Grafana, held: Scripted) -> None:
    push(grafana, small())
    made = plan(grafana, nothing())
    held.dashboards.clear()
    held.points.clear()
    held.sources.clear()
    apply(grafana, made)
    assert held.folders == {}


def test_every_rule_is_tried_before_one_is_saved_and_all_that_fail_are_named(grafana: Grafana, held: Scripted) -> None:
    push(grafana, replace(small(), rule_groups=[]))
    held.evaluated["A"] = {"status": 500, "error": "error parsing query: found FROM"}
    asked = replace(small(), rule_groups=[group(rule(), rule("kanhu-clock"))])
    with pytest.raises(Rejected) as raised:
        push(grafana, asked)
    assert "2 of 2, none was saved" in str(raised.value)
    assert "kanhu-disk (Title of kanhu-disk): A: error parsing query: found FROM" in str(raised.value)
    assert "kanhu-clock" in str(raised.value)
    assert held.rules == {}


def test_a_rule_whose_data_source_is_not_there_is_not_saved(grafana: Grafana, held: Scripted) -> None:
    strange = rule()
    strange["data"][0]["datasourceUid"] = "not-there"
    with pytest.raises(Rejected, match="data source not found"):
        push(grafana, replace(small(), rule_groups=[group(strange)]))
    assert held.rules == {}


def test_a_rule_without_data_now_is_saved_and_said(grafana: Grafana, held: Scripted) -> None:
    held.evaluated["A"] = {"status": 200, "frames": []}
    heard: list[str] = []
    apply(grafana, plan(grafana, small()), heard.append)
    assert {*held.rules} == {"kanhu-disk"}
    assert any("without data now: kanhu-disk" in line for line in heard)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda g: g.update(interval=7), "divided exactly", id="interval"),
        pytest.param(lambda g: g["rules"][0].update(noDataState="Nodata"), "noDataState", id="state"),
        pytest.param(lambda g: g["rules"][0]["data"][0].pop("relativeTimeRange"), "relative time range", id="range"),
    ],
)
def test_what_grafana_refuses_of_a_rule_group_is_told_in_its_words(grafana: Grafana, change: Any, message: str) -> None:
    wrong = group(rule())
    change(wrong)
    with pytest.raises(Rejected, match=message):
        push(grafana, replace(small(), rule_groups=[wrong]))


def test_a_grafana_below_a_path_and_with_a_password_is_reached() -> None:
    with scripted("/grafana") as (url, held):
        grafana = Grafana(f"{url}/", USER)
        assert grafana.version() == "12.2.1"
        push(grafana, small())
        assert {*held.dashboards} == {"kanhu-one-zh"}


def test_a_grafana_on_this_machine_is_asked_past_a_proxy(there: tuple[str, Scripted], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert Grafana(there[0], TOKEN).version() == "12.2.1"


def test_a_wrong_token_is_said_and_not_shown(there: tuple[str, Scripted]) -> None:
    with pytest.raises(Misconfigured, match="make a new token") as raised:
        plan(Grafana(there[0], "glsa_wrong"), small())
    assert "glsa_wrong" not in str(raised.value)


def test_a_grafana_that_is_not_there_is_unavailable() -> None:
    with scripted() as (url, _):
        pass
    with pytest.raises(Unavailable, match="does not answer: Failed to establish a new connection") as raised:
        Grafana(url, TOKEN).version()
    assert "HTTPConnection" not in str(raised.value)


def test_a_server_that_is_no_grafana_is_called_so() -> None:
    with scripted("/below") as (url, _), pytest.raises(Misconfigured, match="is no Grafana"):
        Grafana(url.removesuffix("/below"), TOKEN).version()


@pytest.mark.parametrize("url", ["grafana:3000", "ftp://x", "http://", "http://admin:secret@host:3000", "http://host/?orgId=1"])
def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        Grafana(url, TOKEN)
    assert "secret" not in str(raised.value)


def test_changes_are_made_in_an_order_in_which_nothing_names_what_is_missing(grafana: Grafana, held: Scripted) -> None:
    """The server refuses a dashboard without its folder, a policy without its contact point, a folder with rules in it."""
    push(grafana, wanted(Options(), CHANNELS, DATABASE_TOKEN))
    kinds = [path for method, path in held.writes()]
    first = {kind: next(at for at, path in enumerate(kinds) if part in path) for kind, part in _PATHS.items()}
    assert (
        first[Kind.SOURCE]
        < first[Kind.FOLDER]
        < first[Kind.DASHBOARD]
        < first[Kind.POINT]
        < first[Kind.POLICY]
        < first[Kind.GROUP]
    )


_PATHS = {
    Kind.SOURCE: "/datasources",
    Kind.FOLDER: "/api/folders",
    Kind.DASHBOARD: "/dashboards/db",
    Kind.POINT: "/contact-points",
    Kind.POLICY: "/policies",
    Kind.GROUP: "/rule-groups/",
}
