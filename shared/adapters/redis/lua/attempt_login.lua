-- Counts a log-in attempt as failed (success forgets it), or refuses it while a delay lasts.
-- KEYS[1]  login-failures:<username>:<address>, hash: count, next_at_ms. TTL the delay and 15 minutes.
-- ARGV     free attempts; greatest delay in ms; how long failures are remembered in ms.
-- Answers  0 when the attempt may be made, otherwise the ms to wait.

local free, max_delay_ms, memory_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local next_at_ms = tonumber(redis.call('HGET', KEYS[1], 'next_at_ms') or 0)
if next_at_ms > now_ms then
  return next_at_ms - now_ms
end

local count = redis.call('HINCRBY', KEYS[1], 'count', 1)
local delay_ms = 0
if count >= free then
  delay_ms = math.min(1000 * 2 ^ math.min(count - free + 1, 30), max_delay_ms)
  redis.call('HSET', KEYS[1], 'next_at_ms', string.format('%.0f', now_ms + delay_ms))
end
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', delay_ms + memory_ms))
return 0
