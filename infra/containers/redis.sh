#!/bin/sh
# A Redis of the pair: REDIS_ADDRESS is its own, REDIS_PRIMARY the other's, whose replica it is until the Sentinels decide otherwise.
# They have it write that into its configuration, which is kept beside its data for the next start.
set -eu
umask 077
config=/data/redis.conf
password=$(cat /run/secrets/redis_password)

if [ ! -s "$config" ]; then
    {
        printf '%s\n' 'dir /data' 'appendonly yes' 'rdbcompression no' "replica-announce-ip $REDIS_ADDRESS"
        if [ -n "${REDIS_PRIMARY:-}" ]; then echo "replicaof $REDIS_PRIMARY 6379"; fi
    } > "$config.new"
    mv "$config.new" "$config"
fi
# What stands here counts, also when it was changed: the password of the secret, and the memory (mem_limit in compose.yaml is 1 GB, and
# while the file is written anew pages are copied as they change).
{
    grep -v -e '^requirepass ' -e '^masterauth ' -e '^maxmemory ' -e '^maxmemory-policy ' "$config"
    printf '%s\n' "requirepass $password" "masterauth $password" 'maxmemory 640mb' 'maxmemory-policy volatile-ttl'
} > "$config.new"
mv "$config.new" "$config"
exec redis-server "$config"
