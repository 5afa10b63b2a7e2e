#!/bin/bash
# Say before the tests which of them will be skipped, and what to set so that they are not.
set -euo pipefail

there() { [ -n "$1" ] && [ -x "$1" ]; }
say() { echo "tests: $*" >&2; }

there "${INFLUXD2:-}" || say "InfluxDB 2 is left out: set INFLUXD2 to an influxd 2.x"
there "${TELEGRAF:-}" || say "the comparison with Telegraf is left out: set TELEGRAF to a telegraf"
there "${MICROPYTHON:-}" || command -v micropython >/dev/null || say "the firmware's tests are left out: set MICROPYTHON to a micropython (unix port, 1.23 or newer)"
command -v influxd >/dev/null || say "InfluxDB 1 is left out: no influxd on PATH"
command -v victoria-metrics >/dev/null || say "VictoriaMetrics is left out: no victoria-metrics on PATH"
command -v chromium >/dev/null || say "the console in a browser is left out: no chromium on PATH"
[ -d "${KANHU_DATA:-$(dirname "$0")/../../shared/data}" ] || say "recorded data is left out: set KANHU_DATA to its folder"
[ -n "${GRAFANA_URL:-}" ] || say "a real Grafana is left out: set GRAFANA_URL; tests/live/grafana.py says what else"
