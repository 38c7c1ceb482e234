-- Counts a log-in attempt as failed (success takes that back), or refuses it while a delay lasts.
--
-- KEYS  hashes: count, next_at_ms. TTL the delay and as long as failures are remembered.
--       1 login-failures:<username>:<network>    of one account from one network
--       2 login-failures-of-account:<username>   of one account from all networks it was never logged in from
--       3 login-failures-of-network:<network>    from one network into all accounts that were never logged in from there
--       4 login-networks:<username>              sorted set: networks the account was logged in from, until when (ms) they count
-- ARGV  1 network  2 '1' when the network is counted (3)  then, for 1, 2 and 3 each: free attempts; greatest delay in ms; how long
--       failures are remembered in ms
-- Answers  0 when the attempt may be made, otherwise the ms to wait.
-- Who was logged in from this network before waits only for failures of their own account from there: nobody else can lock them out.

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local counted = { 1 }
if tonumber(redis.call('ZSCORE', KEYS[4], ARGV[1]) or 0) <= now_ms then
  counted = ARGV[2] == '1' and { 1, 2, 3 } or { 1, 2 }
end

local wait_ms = 0
for _, place in ipairs(counted) do
  wait_ms = math.max(wait_ms, tonumber(redis.call('HGET', KEYS[place], 'next_at_ms') or 0) - now_ms)
end
if wait_ms > 0 then
  return wait_ms
end

for _, place in ipairs(counted) do
  local free, max_delay_ms, memory_ms = tonumber(ARGV[3 * place]), tonumber(ARGV[3 * place + 1]), tonumber(ARGV[3 * place + 2])
  local count = redis.call('HINCRBY', KEYS[place], 'count', 1)
  local delay_ms = 0
  if count >= free then
    delay_ms = math.min(1000 * 2 ^ math.min(count - free + 1, 30), max_delay_ms)
    redis.call('HSET', KEYS[place], 'next_at_ms', string.format('%.0f', now_ms + delay_ms))
  end
  redis.call('PEXPIRE', KEYS[place], string.format('%.0f', delay_ms + memory_ms))
end
return 0
