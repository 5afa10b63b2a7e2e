"""A strict linter for all that Grafana lets through without a word: `kanhu dashboards build` writes nothing that it refuses."""

from dashboards.grafana.lint.dashboard import lint_dashboard
from dashboards.grafana.lint.files import lint_files
from dashboards.grafana.lint.notify import lint_contact_points, lint_routes
from dashboards.grafana.lint.rule import lint_rule_group

__all__ = ["lint_contact_points", "lint_dashboard", "lint_files", "lint_routes", "lint_rule_group"]
