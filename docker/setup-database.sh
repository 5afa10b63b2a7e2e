#!/bin/sh
# Prepares the database and hands each service its own token, and no other: the admin's password stays in this service's volume.
# Then writes the files from which Grafana sets itself up. Runs before every start of the gateway; a second run changes nothing.
set -eu

kanhu ingest setup
for token in gateway rollups reader; do
    install -m 0600 "/run/kanhu/admin/influx-$token.token" /run/kanhu/gateway/
done
install -m 0600 /run/kanhu/admin/influx-reader.token /run/kanhu/grafana/
kanhu dashboards build /run/kanhu/grafana/files --files /run/kanhu/grafana/files \
    --reader-token-file /run/kanhu/grafana/influx-reader.token
