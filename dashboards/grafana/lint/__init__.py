"""A strict linter for all that Grafana lets through without a word: `kanhu dashboards build` writes nothing that it refuses."""

from dashboards.grafana.lint.dashboard import lint_dashboard

__all__ = ["lint_dashboard"]
