-- A log-in succeeded: what its attempt was counted as is taken back, and the network is one of the account's from now on.
--
-- KEYS  as attempt_login
-- ARGV  1 network  2 '1' when the network is counted (3)  3 until when (ms from now) it is remembered  4 most networks of an account
-- Failures of others stay counted: an account of one's own must not buy further guesses at those of others.

if #KEYS ~= 4 or #ARGV ~= 4 then
  return redis.error_reply('ERR settle_login takes 4 keys and 4 arguments')
end
local of_account_there, networks = KEYS[1], KEYS[4]
local network, counts_network, known_ms, max_networks = unpack(ARGV)

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('DEL', of_account_there)
if tonumber(redis.call('ZSCORE', networks, network) or 0) <= now_ms then
  for place = 2, counts_network == '1' and 3 or 2 do
    if redis.call('HINCRBY', KEYS[place], 'count', -1) <= 0 then
      redis.call('DEL', KEYS[place])
    else
      redis.call('HDEL', KEYS[place], 'next_at_ms') -- no delay lasted when the attempt was made
    end
  end
end
redis.call('ZADD', networks, string.format('%.0f', now_ms + known_ms), network)
redis.call('ZREMRANGEBYRANK', networks, 0, -1 - max_networks)
redis.call('PEXPIRE', networks, known_ms)
