#!/bin/sh
# PostgreSQL with a database and two roles: the tables' owner, and that of the functions, which the scoreboard gives its rights.
set -eu
data=/var/lib/postgresql/scoreboard

if [ ! -s "$data/PG_VERSION" ]; then
    rm -rf "$data.new"
    initdb --pgdata "$data.new" --username postgres --auth-local reject --auth-host reject --encoding UTF8 --locale C >&2
    echo 'host scoreboard scoreboard,scoreboard_functions all scram-sha-256' > "$data.new/pg_hba.conf"
    # The passwords are made of hexadecimal digits: nothing to quote.
    postgres --single -D "$data.new" postgres >&2 <<SQL
CREATE ROLE scoreboard LOGIN PASSWORD '$(cat /run/secrets/postgresql_owner_password)'
CREATE ROLE scoreboard_functions LOGIN PASSWORD '$(cat /run/secrets/postgresql_functions_password)'
CREATE DATABASE scoreboard OWNER scoreboard
SQL
    mv "$data.new" "$data"
fi
exec postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp -c password_encryption=scram-sha-256 "$@"
