"""From stored entries to points in a time-series database: InfluxDB 1, 2, 3, VictoriaMetrics or the embedded store."""
