"""Whatever Grafana would let through without a word in a dashboard, the linter names."""

import pytest

from dashboards.grafana.lint import lint_dashboard
from dashboards.grafana.options import Options
from tests.grafana.lint import good
from tests.grafana.lint.broken import Broken, both, drop, edit, put
from tests.grafana.lint.broken_heads import ENGLISH, HEADS
from tests.grafana.lint.broken_panels import MAP, PANELS
from tests.grafana.lint.broken_queries import FOLDED, NOW, QUERIES, SERIES

TILES = "https://tiles.example/{z}/{x}/{y}"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_good_dashboard_has_no_fault(language: str) -> None:
    assert lint_dashboard(good.dashboard(language)) == []


@pytest.mark.parametrize("broken", [*HEADS, *PANELS, *QUERIES], ids=lambda one: one.name)
def test_a_fault_is_named(broken: Broken) -> None:
    dashboard = good.dashboard()
    broken.change(dashboard)
    assert any(broken.fault in fault for fault in lint_dashboard(dashboard)), lint_dashboard(dashboard)


@pytest.mark.parametrize("broken", ENGLISH, ids=lambda one: one.name)
def test_a_fault_of_an_english_dashboard_is_named(broken: Broken) -> None:
    dashboard = good.dashboard("en")
    broken.change(dashboard)
    assert any(broken.fault in fault for fault in lint_dashboard(dashboard)), lint_dashboard(dashboard)


def test_a_fault_says_in_which_panel_and_target_it_is() -> None:
    dashboard = good.dashboard()
    put(f"{SERIES}.targets.1.rawQuery", False)(dashboard)
    (fault,) = lint_dashboard(dashboard)
    assert fault.startswith("panel 2 'pH': target Ah: ")


def test_tiles_are_loaded_from_where_the_site_has_set_them_and_nowhere_else() -> None:
    dashboard = good.dashboard()
    put(f"{MAP}.options.basemap", {"type": "xyz", "config": {"url": TILES}})(dashboard)
    assert lint_dashboard(dashboard, Options(tiles=TILES)) == []
    assert lint_dashboard(dashboard, Options(tiles="https://other.example/{z}/{x}/{y}")) != []


def test_links_may_name_grafana_itself_where_its_address_is_set() -> None:
    dashboard = good.dashboard()
    edit("panels.5.links.0.url", "/d/", "https://grafana.example/d/")(dashboard)
    assert lint_dashboard(dashboard, Options(grafana_url="https://grafana.example/")) == []
    assert lint_dashboard(dashboard) != []


def test_the_zone_of_the_site_is_the_one_that_counts() -> None:
    faults = lint_dashboard(good.dashboard(), Options(zone="Asia/Urumqi"))
    assert any("timezone 'Asia/Shanghai'" in fault for fault in faults)
    assert any("tz('Asia/Shanghai')" in fault for fault in faults)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(
            'SELECT max("worst") AS "worst" FROM (SELECT last("overdue") AS "worst" FROM "fleet" WHERE $timeFilter '
            'GROUP BY "site", "device") WHERE $timeFilter GROUP BY "device"',
            id="a select of a select",
        ),
        pytest.param('SELECT sum("lost") FROM "loss" WHERE $timeFilter GROUP BY "device"', id="events have no flag"),
        pytest.param(
            'SELECT 100 * sum("ph_flag") / count("ph_flag") FROM "water" WHERE $timeFilter AND "device" !~ /^a\\/b$/ '
            "GROUP BY \"device\" tz('Asia/Shanghai')",
            id="sums and patterns",
        ),
        pytest.param('SELECT count("ph_flag") FROM "water" WHERE $timeFilter AND "ph_flag" = 9 GROUP BY "device"', id="gaps"),
    ],
)
def test_these_are_good_queries(query: str) -> None:
    dashboard = good.dashboard()
    put(f"{NOW}.query", query)(dashboard)
    assert lint_dashboard(dashboard) == []


@pytest.mark.parametrize(("matcher", "name"), [("byName", "river-1 last"), ("byRegexp", "/ last$/")])
def test_an_override_may_name_a_series_by_what_its_alias_can_give(matcher: str, name: str) -> None:
    dashboard = good.dashboard()
    looks = {"matcher": {"id": matcher, "options": name}, "properties": [{"id": "unit", "value": "s"}]}
    both(put(f"{FOLDED}.targets.0.alias", "$tag_device $col"), put(f"{FOLDED}.fieldConfig.overrides", [looks]))(dashboard)
    assert lint_dashboard(dashboard) == []


def test_a_dashboard_without_variables_is_no_rule() -> None:
    assert lint_dashboard(good.runbook()) == []
    runbook = {**good.runbook(), "panels": [good.dashboard()["panels"][6]["panels"][0]]}
    assert lint_dashboard(runbook) == []


def test_a_panel_that_shows_states_as_words_needs_no_unit() -> None:
    dashboard = good.dashboard()
    states = {"1": {"text": "有人", "color": "green", "index": 0}}
    both(
        put(f"{SERIES}.type", "state-timeline"),
        drop(f"{SERIES}.fieldConfig.defaults.unit"),
        put(f"{SERIES}.fieldConfig.defaults.mappings", [{"type": "value", "options": states}]),
    )(dashboard)
    assert lint_dashboard(dashboard) == []


@pytest.mark.parametrize(
    "nonsense", [None, [], "dashboard", {}, {"panels": [{}]}, {"panels": [{"type": "row"}]}, {"panels": ["x"]}]
)
def test_nonsense_is_a_fault_and_no_crash(nonsense: object) -> None:
    assert lint_dashboard(nonsense)
