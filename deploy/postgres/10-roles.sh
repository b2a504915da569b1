#!/bin/sh
# Runs once, when the database is created (/docker-entrypoint-initdb.d): the role that Grafana signs in with.
# It can read the public views, which the migrations grant to sakimori_reader, and nothing else. For a database that is
# there already: POSTGRES_USER=... POSTGRES_DB=... GRAFANA_DATABASE_PASSWORD=... deploy/postgres/10-roles.sh
set -eu

: "${GRAFANA_DATABASE_PASSWORD:?set GRAFANA_DATABASE_PASSWORD, e.g. with make env}"

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set "password=$GRAFANA_DATABASE_PASSWORD" \
    --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
SELECT 'CREATE ROLE sakimori_reader NOLOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sakimori_reader') \gexec
CREATE ROLE grafana LOGIN PASSWORD :'password' CONNECTION LIMIT 20 IN ROLE sakimori_reader;
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '30s';
SQL
