"""Rules, contact points and policies as Grafana gets them: what is fixed, what is secret, who is told by which way."""

import json
import re
from typing import Any, Final

import pytest
import yaml

from dashboards.grafana import contact_points, policies, runbook
from dashboards.grafana.alert_rules import RULES, file_form, rule_groups, rules
from dashboards.grafana.contact_points import GATEWAY, OUTSIDE
from dashboards.grafana.lint import lint_rule_group
from dashboards.grafana.options import Options
from dashboards.grafana.river_limits import LIMITS
from edge_gateway.catalog import OWN_GROUPS, QUANTITIES
from tests.grafana.model import seconds

OPTIONS: Final = Options()
EVERYTHING: Final = {
    "KANHU_GRAFANA_WEBHOOK_URL": "https://visits.example.org/in/grafana/s3cret",
    "KANHU_GRAFANA_EMAIL": "on-duty@example.org",
    "KANHU_GRAFANA_WECOM_URL": "https://wecom.example.org/robot",
    "KANHU_GRAFANA_DINGTALK_URL": "https://dingtalk.example.org/robot",
    "KANHU_GRAFANA_FEISHU_URL": "https://feishu.example.org/robot",
}


def api_rules() -> list[dict[str, Any]]:
    return [rule for group in rule_groups(OPTIONS) for rule in group["rules"]]


# Rules


def test_every_rule_has_a_fixed_uid_of_ours_a_severity_and_a_way() -> None:
    uids = [rule["uid"] for rule in api_rules()]
    assert len(set(uids)) == len(uids) == len(RULES)
    for rule in api_rules():
        assert re.fullmatch(r"kanhu-[a-z0-9_-]{1,34}", rule["uid"])
        labels = rule["labels"]
        assert labels["kanhu_rule"] == rule["uid"]
        assert labels["severity"] in ("warning", "notice"), "never urgent: people's alerts are the gateway's"
        assert labels["via"] in ("gateway", "outside")
    assert len({rule["title"] for rule in api_rules()}) == len(uids), "Grafana takes a title once in a folder"


def test_the_same_options_make_the_same_rules() -> None:
    assert json.dumps(rule_groups(OPTIONS)) == json.dumps(rule_groups(Options()))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_speaks_both_languages_leads_to_the_runbook_and_says_why_it_is_in_its_states(rule: Any) -> None:
    written = rule.as_api(OPTIONS)["annotations"]
    for zh, en in ((rule.title.zh, rule.title.en), (written["summary_zh"], written["summary_en"])):
        assert re.search(r"[\u4e00-\u9fff]", zh)
        assert not re.search(r"[\u4e00-\u9fff]", en)
    assert "<" not in written["summary"], "a word was not filled in"
    assert rule.page in runbook.BY_NAME
    assert written["runbook_url"] == f"/d/kanhu-runbook-zh?viewPanel={runbook.panel_id(rule.page)}"
    assert "No data" in written["description"] or "error" in written["description"]
    assert "没有数据" in written["description"] and "出错" in written["description"]


def test_only_the_rule_of_the_gateway_itself_alerts_without_data() -> None:
    two = rules(Options(gateways=("gateway", "river-gw")))
    assert {rule.name for rule in two if rule.no_data == "Alerting"} == {"gateway-silent-gateway", "gateway-silent-river-gw"}
    assert {rule.name for rule in two if rule.error == "Alerting"} == {"gateway-silent-gateway", "gateway-silent-river-gw"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_asks_a_series_that_the_gateway_writes_or_looks_back_for_weeks(rule: Any) -> None:
    measurement = re.search(r'FROM "(\w+)"', rule.query)
    fields = re.findall(r'\("(\w+)"\)', rule.query)
    assert measurement is not None
    assert measurement[1] in OWN_GROUPS or rule.window_s >= 7 * 86_400
    known = [QUANTITIES[name].group for name in fields if name != "worst"]
    assert known and set(known) == {measurement[1]}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_no_rule_holds_a_variable_which_nobody_would_fill_in(rule: Any) -> None:
    assert set(re.findall(r"\$\w+", rule.query)) == {"$timeFilter"}
    assert "now()" not in rule.query


def test_rivers_are_judged_by_passed_values_alone_and_by_the_published_limits() -> None:
    river = {rule.name: rule for rule in rules(Options(river_class=3)) if rule.group.name == "kanhu-river"}
    assert len(river) == len(LIMITS)
    assert all(
        f'"{limits.quantity}_flag" = 1' in river[f"river-{limits.quantity.replace('_', '-')}"].query for limits in LIMITS
    )
    # GB 3838-2002, rivers, class III.
    assert {name: rule.threshold for name, rule in river.items()} == {
        "river-ph": ("outside_range", (6.0, 9.0)),
        "river-dissolved-oxygen": ("lt", (5.0,)),
        "river-cod-mn": ("gt", (6.0,)),
        "river-ammonia-n": ("gt", (1.0,)),
        "river-total-p": ("gt", (0.2,)),
    }
    assert all(QUANTITIES[limits.quantity].unit.lower() in (limits.unit.lower(), "ph") for limits in LIMITS)


@pytest.mark.parametrize("group", rule_groups(OPTIONS), ids=lambda group: group["title"])
def test_the_linter_has_no_word_against_a_group_in_either_form(group: dict[str, Any]) -> None:
    assert lint_rule_group(group, "api", OPTIONS) == []
    assert lint_rule_group(file_form(group, "看护告警 Kanhu alerts"), "file", OPTIONS) == []


def test_a_file_says_nothing_that_only_a_push_can_say() -> None:
    pushed = rule_groups(OPTIONS)[0]
    filed = file_form(pushed, "看护告警 Kanhu alerts")
    assert (filed["folder"], filed["name"], filed["interval"]) == ("看护告警 Kanhu alerts", "kanhu-gateway", "60s")
    for before, after in zip(pushed["rules"], filed["rules"], strict=True):
        gone = before.keys() - after.keys()
        assert gone - {"keep_firing_for"} == {"missingSeriesEvalsToResolve", "folderUID", "ruleGroup", "orgID"}
        assert after.items() <= before.items()
    assert yaml.safe_load(yaml.safe_dump(filed, allow_unicode=True)) == filed


def test_a_missing_series_keeps_its_alert_for_an_hour_where_grafana_can_be_told_so() -> None:
    for group in rule_groups(OPTIONS):
        assert all(rule["missingSeriesEvalsToResolve"] * group["interval"] == 3600 for rule in group["rules"])
        assert all(seconds(rule["for"]) % 60 == 0 for rule in group["rules"])


def test_the_rules_are_what_the_sdk_of_grafana_would_write() -> None:
    from grafana_foundation_sdk.models.alerting import RuleGroup

    from dashboards.grafana.sdk import as_json

    for group in rule_groups(OPTIONS):
        read = as_json(RuleGroup.from_json(json.loads(json.dumps(group))))
        assert {key: read[key] for key in ("title", "folderUid", "interval")} == {
            k: group[k] for k in ("title", "folderUid", "interval")
        }
        assert read["rules"] == group["rules"]


# Contact points and policies


def test_no_contact_point_holds_a_secret_and_each_says_which_variable_does() -> None:
    for point in contact_points.contact_points(OPTIONS):
        text = json.dumps(point)
        assert len(contact_points.variables(point)) == 1
        assert "http" not in text.replace('"httpMethod"', "")
        # Grafana takes every other $ in a file for a variable of its environment too, and puts nothing there.
        assert text.count("$") == 1


def test_a_channel_whose_variable_is_not_set_is_left_out_and_named() -> None:
    some = {"KANHU_GRAFANA_WEBHOOK_URL": "https://x", "KANHU_GRAFANA_EMAIL": "  "}
    assert [point["uid"] for point in contact_points.chosen(OPTIONS, some)] == ["kanhu-webhook"]
    left_out = contact_points.left_out(OPTIONS, some)
    assert ("kanhu-email", ("KANHU_GRAFANA_EMAIL",)) in left_out
    assert len(left_out) == 4
    assert contact_points.chosen(OPTIONS, {}) == []
    assert len(contact_points.chosen(OPTIONS, EVERYTHING)) == 5


def test_the_webhook_shows_its_token_where_one_is_set() -> None:
    with_token = EVERYTHING | {"KANHU_GRAFANA_WEBHOOK_TOKEN": "t0ken"}
    webhook = contact_points.chosen(OPTIONS, with_token)[0]
    assert contact_points.filled(webhook, with_token)["settings"]["authorization_credentials"] == "t0ken"
    assert "t0ken" not in json.dumps(webhook)
    assert "authorization_credentials" not in contact_points.chosen(OPTIONS, EVERYTHING)[0]["settings"]


def test_a_push_fills_the_secrets_in_and_changes_nothing_else() -> None:
    for point in contact_points.chosen(OPTIONS, EVERYTHING):
        filled = contact_points.filled(point, EVERYTHING)
        (name,) = contact_points.variables(point)
        assert EVERYTHING[name] in json.dumps(filled)
        assert json.dumps(filled).replace(EVERYTHING[name], f"${name}") == json.dumps(point)
    with pytest.raises(KeyError):
        contact_points.filled("$KANHU_GRAFANA_EMAIL", {})


def test_ways_of_one_name_are_one_contact_point_in_a_file() -> None:
    filed = contact_points.file_form(contact_points.chosen(OPTIONS, EVERYTHING))
    assert [(point["name"], len(point["receivers"])) for point in filed] == [(GATEWAY, 1), (OUTSIDE, 4)]
    assert all(point["orgId"] == 1 for point in filed)


def way(receivers: list[str], via: str) -> str:
    """Who gets an alert of ours: the first branch that all its matchers let in, else the root."""
    tree = policies.policy(OPTIONS, receivers)
    labels = {"kanhu": "disk", "via": via}
    for route in tree["routes"]:
        fits = [
            re.fullmatch(value, labels[name]) if how == "=~" else labels[name] == value
            for name, how, value in route["object_matchers"]
        ]
        if all(fits):
            return str(route["receiver"])
    return str(tree["receiver"])


def test_what_is_said_of_the_gateway_and_of_unaccepted_alerts_goes_by_ways_that_need_no_gateway() -> None:
    assert way([GATEWAY, OUTSIDE], "outside") == OUTSIDE
    assert way([GATEWAY, OUTSIDE], "gateway") == GATEWAY
    outside = {rule.name for rule in RULES if rule.via == "outside"}
    assert outside == {"gateway-silent-gateway", "broker-away", "notices-failing", "home-unaccepted", "alert-unaccepted"}


def test_without_a_webhook_people_are_told_instead() -> None:
    assert way([OUTSIDE], "gateway") == way([OUTSIDE], "outside") == OUTSIDE


def test_without_a_way_to_people_a_push_leaves_it_to_the_organisation_and_never_to_the_gateway() -> None:
    routes = policies.routes([GATEWAY])
    assert [route["object_matchers"][-1] for route in routes] == [["via", "=", "gateway"]]


def test_every_branch_matches_on_a_label_that_only_our_rules_have() -> None:
    for route in policies.routes([GATEWAY, OUTSIDE]):
        assert route["object_matchers"][0] == ["kanhu", "=~", ".+"]
        assert not {"alertname", "site"} & {name for name, _, _ in route["object_matchers"]}, "alerts about no data lack them"
    assert policies.routes([]) == []


def test_a_message_to_people_fits_a_robot_of_wecom_however_many_alerts_there_are() -> None:
    outside = [rule for rule in api_rules() if rule["labels"]["via"] == "outside"]
    told = max(len(f"{one['summary']}{one['runbook_url']}".encode()) for one in (rule["annotations"] for rule in outside))
    verdict = len("情况不明, 不算恢复 Unknown, not recovered: \n\n\n".encode())
    assert f"range slice .Alerts 0 {contact_points.MOST} " in contact_points.MESSAGE
    # The templates' own words are replaced by shorter ones: names of devices, numbers; the title is counted as it stands.
    assert contact_points.MOST * (told + verdict) + len(contact_points.TITLE.encode()) < 4096
