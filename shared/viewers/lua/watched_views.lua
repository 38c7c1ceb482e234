-- The views that are watched; those that were watched longer ago are forgotten.
--
-- KEYS  1 watched views  sorted set: views of which frames are made, until when (ms)
-- Answers their names.

if #KEYS ~= 1 or #ARGV ~= 0 then
  return redis.error_reply('ERR watched_views takes 1 key and no arguments')
end
local watched = KEYS[1]

local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', watched, '-inf', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
return redis.call('ZRANGE', watched, 0, -1)
