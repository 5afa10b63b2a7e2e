#!/bin/sh
# Prepares the database and hands each service its own token, and no other: the admin's password stays in this service's volume.
# Runs before every start of the gateway; a second run changes nothing.
set -eu

kanhu ingest setup
for token in gateway rollups reader; do
    install -m 0600 "/run/kanhu/admin/influx-$token.token" /run/kanhu/gateway/
done
install -m 0600 /run/kanhu/admin/influx-reader.token /run/kanhu/grafana/
