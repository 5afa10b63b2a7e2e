"""Grafana as code: dashboards, alert rules and how they get into a Grafana. Nothing here runs beside the gateway."""
