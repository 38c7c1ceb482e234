#!/bin/sh
# One of three Sentinels, of which two must agree. What they find out is kept in the configuration: after a failover the primary is
# not REDIS_PRIMARY any more.
set -eu
umask 077
config=/data/sentinel.conf
password=$(cat /run/secrets/redis_password)

if [ ! -s "$config" ]; then
    printf '%s\n' 'port 26379' 'dir /data' \
        "sentinel monitor scoreboard $REDIS_PRIMARY 6379 2" \
        'sentinel down-after-milliseconds scoreboard 2000' \
        'sentinel failover-timeout scoreboard 10000' \
        "sentinel auth-pass scoreboard $password" \
        "requirepass $password" \
        "sentinel sentinel-pass $password" > "$config.new"
    mv "$config.new" "$config"
fi
exec redis-server "$config" --sentinel
