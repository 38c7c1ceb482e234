-- Counts a log-in attempt as failed (success takes that back), or refuses it while a delay lasts.
--
-- KEYS  hashes: count, next_at_ms. TTL the delay and as long as failures are remembered.
--       1 login-failures:<username>:<network>    of one account from one network
--       2 login-failures-of-account:<username>   of one account from all networks it was never logged in from
--       3 login-failures-of-network:<network>    from one network into all accounts that were never logged in from there
--       4 login-networks:<username>              sorted set: networks the account was logged in from, until when (ms) they count
--       5 limits:since                           hash: at (ms), since when failures are counted here
-- ARGV  1 network  2 '1' when the network is counted (3)  3 for how long (ms) a network is remembered  then, for 1, 2 and 3 each: free
--       attempts; greatest delay in ms; how long failures are remembered in ms; how many are assumed that were counted before 5, for as
--       long, unless the account was logged in from the network since
-- Answers  {0 when the attempt may be made, otherwise the ms to wait; how many more of 1 may fail before one has to wait; the ms until
--          none is remembered or, where none may, until the next one}; {-1} as a question: since when are failures counted?
-- Who was logged in from this network before waits only for failures of their own account from there: nobody else can lock them out.

if #KEYS ~= 5 or #ARGV ~= 15 then
  return redis.error_reply('ERR attempt_login takes 5 keys and 15 arguments')
end
local networks, since_key = KEYS[4], KEYS[5]
local network, counts_network, known_ms = unpack(ARGV)

local since = tonumber(redis.call('HGET', since_key, 'at'))
if not since then
  return { -1 }
end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local counted = { 1 }
local known_until = tonumber(redis.call('ZSCORE', networks, network) or 0)
if known_until <= now_ms then
  counted = counts_network == '1' and { 1, 2, 3 } or { 1, 2 }
end
local is_lost = known_until - known_ms < since

local wait_ms = 0
for _, place in ipairs(counted) do
  local left_ms = tonumber(redis.call('HGET', KEYS[place], 'next_at_ms') or 0) - now_ms
  local max_delay_ms = tonumber(ARGV[4 * place + 1])
  if left_ms > max_delay_ms then -- the clock was set back: nobody waits longer than the greatest delay
    left_ms = max_delay_ms
    redis.call('HSET', KEYS[place], 'next_at_ms', string.format('%.0f', now_ms + left_ms))
  end
  wait_ms = math.max(wait_ms, left_ms)
end
if wait_ms > 0 then
  return { wait_ms, 0, wait_ms }
end

local answer
for _, place in ipairs(counted) do
  local free, max_delay_ms = tonumber(ARGV[4 * place]), tonumber(ARGV[4 * place + 1])
  local memory_ms, lost = tonumber(ARGV[4 * place + 2]), tonumber(ARGV[4 * place + 3])
  local count = tonumber(redis.call('HGET', KEYS[place], 'count') or 0)
  if is_lost and now_ms < since + memory_ms then
    count = math.max(count, lost)
  end
  count = count + 1
  redis.call('HSET', KEYS[place], 'count', string.format('%.0f', count))
  local delay_ms = 0
  if count >= free then
    delay_ms = math.min(1000 * 2 ^ math.min(count - free + 1, 30), max_delay_ms)
    redis.call('HSET', KEYS[place], 'next_at_ms', string.format('%.0f', now_ms + delay_ms))
  end
  redis.call('PEXPIRE', KEYS[place], string.format('%.0f', delay_ms + memory_ms))
  answer = answer or { 0, math.max(free - count, 0), delay_ms > 0 and delay_ms or memory_ms }
end
return answer
