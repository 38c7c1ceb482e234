#!/bin/sh
# Makes the secrets of compose.yaml in infra/containers/secrets, those that are not there yet. They are as worth keeping as a backup:
# without payload_keys nobody reads what waits in the queues, without jwt_signing_key everybody logs in again.
set -eu
cd "$(dirname "$0")"
network=${STORES_NETWORK:-172.29.84}
mkdir -p secrets
chmod 700 secrets
cd secrets

# Containers read them under users of their own, through mounts; on this host the directory keeps others out.
keep() { if [ -s "$1" ]; then return; fi; (umask 077; cat > "$1.new"); chmod 444 "$1.new"; mv "$1.new" "$1"; }
for name in redis_password rabbitmq_password erlang_cookie postgresql_owner_password postgresql_functions_password \
    metrics_token grafana_password; do
    openssl rand -hex 24 | tr -d '\n' | keep "$name"
done
openssl genpkey -algorithm ed25519 | keep jwt_signing_key
printf 'k%s:%s' "$(date -u +%Y%m%d)" "$(openssl rand -base64 32)" | keep payload_keys
printf 'redis+sentinel://:%s@%s.21:26379,%s.22:26379,%s.23:26379/scoreboard/0?sentinel_password=%s' \
    "$(cat redis_password)" "$network" "$network" "$network" "$(cat redis_password)" | keep redis_url
printf 'amqp://%s@rabbitmq-1:5672,rabbitmq-2:5672,rabbitmq-3:5672/%%2F' "scoreboard:$(cat rabbitmq_password)" | keep amqp_url
printf 'postgresql://%s@postgresql:5432/scoreboard?sslmode=disable' \
    "scoreboard_functions:$(cat postgresql_functions_password)" | keep database_url
printf 'postgresql://%s@postgresql:5432/scoreboard?sslmode=disable' \
    "scoreboard:$(cat postgresql_owner_password)" | keep migrations_database_url
