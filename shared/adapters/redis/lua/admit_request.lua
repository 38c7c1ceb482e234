-- Count a request against every limit of its kind, or against none when one of them is reached (generic cell rate algorithm).
--
-- KEYS  one for each limit, string: the instant (ms) at which nothing of it will be used any more. TTL until then.
-- ARGV  for each key, in the same order: requests, window (ms)
-- Answers 0 when the request may be made, otherwise the ms to wait.

local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000

local unused_at, wait = {}, 0
for place, key in ipairs(KEYS) do
  local requests, window = tonumber(ARGV[2 * place - 1]), tonumber(ARGV[2 * place])
  -- A clock that was set back makes nobody wait longer than for a window.
  local used_until = math.min(math.max(tonumber(redis.call('GET', key) or 0), now), now + window)
  unused_at[place] = used_until + window / requests
  wait = math.max(wait, unused_at[place] - now - window)
end
if wait > 0.001 then
  return math.ceil(wait)
end
for place, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.3f', unused_at[place]), 'PX', string.format('%.0f', math.ceil(unused_at[place] - now)))
end
return 0
