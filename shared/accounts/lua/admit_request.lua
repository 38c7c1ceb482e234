-- Count a request against every limit of its kind, or against none when one of them is reached (generic cell rate algorithm).
--
-- KEYS  1 limits:since  hash: at (ms), since when every request is counted here; registrations, how many were made in the hour before
--       2.. one for each limit, string: the instant (ms) at which nothing of it will be used any more. TTL until then.
-- ARGV  1 '1' for registrations  then, for each limit in the same order: requests, window (ms)
-- Answers 0 when the request may be made, otherwise the ms to wait; -1 as a question: since when are requests counted?
-- What was counted before that is lost: as many registrations as there were are taken for used, and of all else all but one.

local since = redis.call('HMGET', KEYS[1], 'at', 'registrations')
if not since[1] then
  return -1
end
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000

local unused_at, wait = {}, 0
for place = 2, #KEYS do
  local requests, window = tonumber(ARGV[2 * place - 2]), tonumber(ARGV[2 * place - 1])
  local lost = math.min(ARGV[1] == '1' and tonumber(since[2]) or requests - 1, requests)
  -- A clock that was set back makes nobody wait longer than for a window.
  local used_until = math.max(tonumber(redis.call('GET', KEYS[place]) or 0), since[1] + lost * window / requests)
  used_until = math.min(math.max(used_until, now), now + window)
  unused_at[place] = used_until + window / requests
  wait = math.max(wait, unused_at[place] - now - window)
end
if wait > 0.001 then
  return math.ceil(wait)
end
for place = 2, #KEYS do
  local key, until_ms = KEYS[place], unused_at[place]
  redis.call('SET', key, string.format('%.3f', until_ms), 'PX', string.format('%.0f', math.ceil(until_ms - now)))
end
return 0
