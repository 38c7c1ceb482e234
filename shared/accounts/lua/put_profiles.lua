-- Cache profiles that were read from the database, but never over what is cached: that may have changed since.
--
-- KEYS  user:<id>:profile of each  hash: username, role, api_key (SHA-256), disabled (0 or 1), display_name ('' for none), hidden_on
--       (boards on which a moderator has hidden the player, '' for none)
-- ARGV  1 TTL in seconds  2.. those six fields of each, in the same order

if #KEYS == 0 or #ARGV ~= 1 + 6 * #KEYS then
  return redis.error_reply('ERR put_profiles takes a key and six arguments for each profile, beside one argument')
end
local ttl = ARGV[1]

for place, key in ipairs(KEYS) do
  local first = 6 * place - 4
  if redis.call('EXISTS', key) == 0 then
    redis.call(
      'HSET', key, 'username', ARGV[first], 'role', ARGV[first + 1], 'api_key', ARGV[first + 2], 'disabled', ARGV[first + 3],
      'display_name', ARGV[first + 4], 'hidden_on', ARGV[first + 5]
    )
    redis.call('EXPIRE', key, ttl)
  else
    -- Versions that knew neither cached the rest.
    redis.call('HSETNX', key, 'display_name', ARGV[first + 4])
    redis.call('HSETNX', key, 'hidden_on', ARGV[first + 5])
  end
end
