#!/bin/sh
# A Redis of the pair: REDIS_ADDRESS is its own, REDIS_PRIMARY the other's, whose replica it is until the Sentinels decide otherwise.
# They have it write that into its configuration, which is kept beside its data for the next start.
set -eu
umask 077
config=/data/redis.conf
password=$(cat /run/secrets/redis_password)

if [ ! -s "$config" ]; then
    {
        printf '%s\n' 'dir /data' 'appendonly yes' 'maxmemory-policy noeviction' "replica-announce-ip $REDIS_ADDRESS"
        if [ -n "${REDIS_PRIMARY:-}" ]; then echo "replicaof $REDIS_PRIMARY 6379"; fi
    } > "$config.new"
    mv "$config.new" "$config"
fi
# The password of the secret counts, also when it was changed.
{ grep -v -e '^requirepass ' -e '^masterauth ' "$config"; printf '%s\n' "requirepass $password" "masterauth $password"; } > "$config.new"
mv "$config.new" "$config"
exec redis-server "$config"
