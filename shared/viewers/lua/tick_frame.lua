-- Who may read the board now and make a frame of it: one at a time, and not before the interval is over.
--
-- KEYS  1 viewers:frame  hash: ticks (given so far), shown (the newest whose frame is there), next_at (ms); see put_frame
-- ARGV  1 now (ms), '' for this server's clock  2 interval (ms)  3 ticks given when the caller asked first, '' the first time
-- Answers {'yours', the tick, ARGV 3}, {'shown', 0, ARGV 3} when a tick after the caller asked has its frame,
--         {'wait', ms, ARGV 3}.

if #KEYS ~= 1 or #ARGV ~= 3 then
  return redis.error_reply('ERR tick_frame takes 1 key and 3 arguments')
end
local frame_key = KEYS[1]
local given_now, interval, ticks_before = unpack(ARGV)

--!now
interval = tonumber(interval)
local kept = redis.call('HMGET', frame_key, 'ticks', 'shown', 'next_at')
local ticks, shown, next_at = tonumber(kept[1] or 0), tonumber(kept[2] or 0), tonumber(kept[3] or 0)
-- Fewer than when the caller asked: Redis lost them.
local asked = math.min(tonumber(ticks_before) or ticks, ticks)
if shown > asked then
  return { 'shown', 0, asked }
end
-- Much further off than an interval: the clock was set back.
if now >= next_at or next_at > now + 10 * interval then
  redis.call('HSET', frame_key, 'ticks', ticks + 1, 'next_at', string.format('%.0f', now + interval))
  return { 'yours', ticks + 1, asked }
end
return { 'wait', math.ceil(next_at - now), asked }
