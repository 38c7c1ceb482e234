#!/bin/sh
# A broker of the cluster; its password and the cookie by which the brokers know each other come from secrets.
set -eu
umask 077
cookie=/var/lib/rabbitmq/.erlang.cookie
config=/var/lib/rabbitmq/rabbitmq.conf

rm -f "$cookie"
cat /run/secrets/erlang_cookie > "$cookie"
chmod 400 "$cookie"
{ cat /scoreboard/rabbitmq.conf; echo "default_pass = $(cat /run/secrets/rabbitmq_password)"; } > "$config"
export HOME=/var/lib/rabbitmq RABBITMQ_CONFIG_FILE="$config" RABBITMQ_LOGS=-
exec rabbitmq-server
