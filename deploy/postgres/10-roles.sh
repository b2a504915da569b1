#!/bin/sh
# Runs once, when the database is created (/docker-entrypoint-initdb.d): the role that Grafana signs in with.
# It can read the public views, which the migrations grant to sakimori_reader, and nothing else.
set -eu

: "${GRAFANA_DATABASE_PASSWORD:?set GRAFANA_DATABASE_PASSWORD, e.g. with make env}"

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set "password=$GRAFANA_DATABASE_PASSWORD" \
    --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE sakimori_reader NOLOGIN;
CREATE ROLE grafana LOGIN PASSWORD :'password' CONNECTION LIMIT 20 IN ROLE sakimori_reader;
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '30s';
SQL
