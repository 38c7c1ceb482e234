-- Cached profiles, in one round trip.
--
-- KEYS  user:<id>:profile of each  hash: username, role, api_key (SHA-256), disabled (0 or 1)
-- Answers those four fields of each, false where it is not cached

local found = {}
for place, key in ipairs(KEYS) do
  found[place] = redis.call('HMGET', key, 'username', 'role', 'api_key', 'disabled')
end
return found
