-- Cached profiles, in one round trip.
--
-- KEYS  user:<id>:profile of each  hash: username, role, api_key (SHA-256), disabled (0 or 1), display_name ('' for none), hidden_on
--       (boards on which a moderator has hidden the player, '' for none)
-- Answers those six fields of each, false where one is not cached: versions that knew less cached fewer

if #KEYS == 0 or #ARGV ~= 0 then
  return redis.error_reply('ERR get_profiles takes a key for each profile and no arguments')
end

local found = {}
for place, key in ipairs(KEYS) do
  found[place] = redis.call('HMGET', key, 'username', 'role', 'api_key', 'disabled', 'display_name', 'hidden_on')
end
return found
