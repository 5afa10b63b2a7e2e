"""The linter's lists of keys are written by hand; what they allow is compared with the SDK's models of Grafana's schema."""

import ast
import importlib
import inspect
import warnings

import pytest

from dashboards.grafana.lint.dashboard_keys import DASHBOARD, FIELD, LINK, PANEL, ROW
from dashboards.grafana.lint.panel_keys import PANEL_TYPES
from dashboards.grafana.lint.shape import Keys
from dashboards.grafana.lint.units import _KNOWN as UNITS

# Known to Grafana 12 and not, or not yet, to the SDK.
NEWER = {
    "table": {"enablePagination", "wrapHeaderText"},
    "geomap": set(),
}
MODULES = {"state-timeline": "statetimeline", "status-history": "statushistory"}


def written(module: str, name: str) -> set[str]:
    """The keys that a model of the SDK writes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = getattr(importlib.import_module(f"grafana_foundation_sdk.models.{module}"), name, None)
    if found is None:
        return set()
    return {
        node.value
        for node in ast.walk(ast.parse(inspect.getsource(found.to_json).lstrip()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.parametrize("kind", sorted(set(PANEL_TYPES) - {"alertlist"}))
def test_the_keys_of_a_panel_type_are_those_of_the_sdk(kind: str) -> None:
    module = MODULES.get(kind, kind)
    options, custom = set(PANEL_TYPES[kind].options.known), set(PANEL_TYPES[kind].custom.known)
    assert options - written(module, "Options") <= NEWER.get(kind, set())
    custom_of_sdk = written(module, "FieldConfig")
    if custom_of_sdk:
        assert custom - custom_of_sdk <= NEWER.get(kind, set())


@pytest.mark.parametrize(
    ("keys", "name", "left_out"),
    [
        # Grafana gives these itself, or they belong to another kind of dashboard.
        (DASHBOARD, "Dashboard", {"id", "version", "revision", "gnetId", "snapshot"}),
        (PANEL, "Panel", {"libraryPanel", "cacheTimeout", "queryCachingTTL", "timeCompare"}),
        (ROW, "RowPanel", set()),
        (LINK, "DashboardLink", set()),
    ],
    ids=["dashboard", "panel", "row", "link"],
)
def test_the_keys_of_a_dashboard_are_those_of_the_sdk(keys: Keys, name: str, left_out: set[str]) -> None:
    assert set(keys.known) == written("dashboard", name) - left_out


def test_the_keys_of_a_field_are_those_of_the_sdk() -> None:
    assert {*FIELD, "custom", "actions"} == written("dashboard", "FieldConfig")


def test_units_are_those_of_the_sdk() -> None:
    from grafana_foundation_sdk.models import units

    known = {value for name, value in vars(units).items() if not name.startswith("_") and isinstance(value, str)}
    assert known >= UNITS
