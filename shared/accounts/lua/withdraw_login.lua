-- An attempt came to nothing before any password was looked at: it was no failure of anybody's.
--
-- KEYS  as attempt_login
-- ARGV  1 network  2 '1' when the network is counted (3)
-- A delay that began with it, or meanwhile, stays: else attempts that are sure to come to nothing would end those of real guesses.

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local counted = { 1 }
if tonumber(redis.call('ZSCORE', KEYS[4], ARGV[1]) or 0) <= now_ms then
  counted = ARGV[2] == '1' and { 1, 2, 3 } or { 1, 2 }
end
for _, place in ipairs(counted) do
  if redis.call('HINCRBY', KEYS[place], 'count', -1) <= 0 then
    redis.call('DEL', KEYS[place])
  end
end
