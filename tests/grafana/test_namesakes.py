"""Two communities may both have a home `3-2-701`, two rivers a `probe-1`: on the dashboards each stays itself."""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from dashboards.grafana import objects
from dashboards.grafana.options import Options
from tests.grafana import asking

# A gateway's own numbers have one site, `kanhu`; its name tells it.
DASHBOARDS: Final = {
    one.dashboard["uid"]: one.dashboard for one in objects.dashboards(Options()) if "operations" not in one.dashboard["uid"]
}
QUERIES: Final = [pytest.param(one, id=one.where) for held in DASHBOARDS.values() for one in asking.panel_queries(held)]


def addresses(value: Any) -> Iterator[str]:
    """Of every link within it."""
    if isinstance(value, dict):
        if isinstance(value.get("url"), str):
            yield value["url"]
        value = [*value.values()]
    if isinstance(value, list):
        for one in value:
            yield from addresses(one)


@pytest.mark.parametrize("query", QUERIES)
def test_no_device_and_no_place_is_taken_together_with_its_namesake_elsewhere(query: asking.Query) -> None:
    if {"device", "place"} & {*query.tags()}:
        assert "site" in query.tags(), query.text


@pytest.mark.parametrize("query", QUERIES)
def test_the_name_of_a_line_says_of_which_site_it_is(query: asking.Query) -> None:
    if re.search(r"\$tag_(device|place)\b", query.alias):
        assert "$tag_site/" in query.alias


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_a_click_on_a_row_leads_to_it_and_not_to_its_namesakes(uid: str) -> None:
    clicked = [one for one in addresses(DASHBOARDS[uid]) if "__data.fields" in one]
    assert clicked or "runbook" in uid
    for one in clicked:
        assert "var-site=${__data.fields.site}" in one
