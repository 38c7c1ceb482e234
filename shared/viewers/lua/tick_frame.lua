-- Who may read the board now and make a frame of it: one at a time, and not before the interval is over.
--
-- KEYS  1 viewers:frame  hash: ticks (given so far), shown (the newest whose frame is there), next_at (ms); see put_frame
-- ARGV  1 now (ms), '' for this server's clock  2 interval (ms)  3 ticks given when the caller asked first, '' the first time
-- Answers {'yours', the tick, ARGV 3}, {'shown', 0, ARGV 3} when a tick after the caller asked has its frame,
--         {'wait', ms, ARGV 3}.

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local interval = tonumber(ARGV[2])
local kept = redis.call('HMGET', KEYS[1], 'ticks', 'shown', 'next_at')
local ticks, shown, next_at = tonumber(kept[1] or 0), tonumber(kept[2] or 0), tonumber(kept[3] or 0)
-- Fewer than when the caller asked: Redis lost them.
local asked = math.min(tonumber(ARGV[3]) or ticks, ticks)
if shown > asked then
  return { 'shown', 0, asked }
end
-- Much further off than an interval: the clock was set back.
if now >= next_at or next_at > now + 10 * interval then
  redis.call('HSET', KEYS[1], 'ticks', ticks + 1, 'next_at', string.format('%.0f', now + interval))
  return { 'yours', ticks + 1, asked }
end
return { 'wait', math.ceil(next_at - now), asked }
