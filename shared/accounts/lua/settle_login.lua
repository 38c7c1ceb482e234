-- A log-in succeeded: what its attempt was counted as is taken back, and the network is one of the account's from now on.
--
-- KEYS  as attempt_login
-- ARGV  1 network  2 '1' when the network is counted (3)  3 until when (ms from now) it is remembered  4 most networks of an account
-- Failures of others stay counted: an account of one's own must not buy further guesses at those of others.

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('DEL', KEYS[1])
if tonumber(redis.call('ZSCORE', KEYS[4], ARGV[1]) or 0) <= now_ms then
  for place = 2, ARGV[2] == '1' and 3 or 2 do
    if redis.call('HINCRBY', KEYS[place], 'count', -1) <= 0 then
      redis.call('DEL', KEYS[place])
    else
      redis.call('HDEL', KEYS[place], 'next_at_ms') -- no delay lasted when the attempt was made
    end
  end
end
redis.call('ZADD', KEYS[4], string.format('%.0f', now_ms + ARGV[3]), ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -1 - ARGV[4])
redis.call('PEXPIRE', KEYS[4], ARGV[3])
