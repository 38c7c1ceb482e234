-- Cache profiles that were read from the database, but never over one that is cached: that one may have changed since.
--
-- KEYS  user:<id>:profile of each  hash: username, role, api_key (SHA-256), disabled (0 or 1)
-- ARGV  1 TTL in seconds  2.. those four fields of each, in the same order

for place, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 0 then
    local first = 4 * place - 2
    redis.call(
      'HSET', key, 'username', ARGV[first], 'role', ARGV[first + 1], 'api_key', ARGV[first + 2], 'disabled', ARGV[first + 3]
    )
    redis.call('EXPIRE', key, ARGV[1])
  end
end
