-- What came of the posts to viewers that were taken; gives their shard back.
--
-- KEYS  1 viewers:<shard>        sorted set: connection ids, when their sessions end (ms)
--       2 viewers:<shard>:since  hash: connection id -> when it connected (ms)
--       3 viewers:<shard>:owed   sorted set: connections that get a frame out of turn, from when on (ms)
--       4 viewers:<shard>:round  hash: see take_viewers
--       5 viewers:quota          hash: tokens
-- ARGV  1 now (ms), '' for this server's clock  2 holder  3 grace (ms): who is younger may not be open yet and is not gone
--       4 tokens to take away  5 ms until the failed ones' next turn  6 how many were served  7 how many are gone
--       8.. the served, the gone, the failed

if #KEYS ~= 5 or #ARGV < 7 then
  return redis.error_reply('ERR settle_viewers takes 5 keys and at least 7 arguments')
end
local viewers, since, owed, round_key, quota = unpack(KEYS)
local given_now, holder, grace, forfeited, retry_ms, served_count, gone_count = unpack(ARGV)

--!now
local served_end = 7 + tonumber(served_count)
local gone_end = served_end + tonumber(gone_count)
local next_turn = string.format('%.0f', now + tonumber(retry_ms))

for place = 8, served_end do
  redis.call('ZREM', owed, ARGV[place])
end
for place = served_end + 1, #ARGV do
  local id = ARGV[place]
  local is_young = now - tonumber(redis.call('HGET', since, id) or 0) < tonumber(grace)
  if place <= gone_end and not is_young then
    redis.call('ZREM', viewers, id)
    redis.call('HDEL', since, id)
    redis.call('ZREM', owed, id)
  elseif redis.call('ZSCORE', viewers, id) then
    redis.call('ZADD', owed, next_turn, id)
  end
end
-- Of a view all keys vanish with the last connection.
local ttl = served_end < #ARGV and redis.call('PTTL', viewers) or 0
if ttl > 0 then
  redis.call('PEXPIRE', owed, ttl)
end
if tonumber(forfeited) > 0 then
  redis.call('HINCRBYFLOAT', quota, 'tokens', '-' .. forfeited)
end
if redis.call('HGET', round_key, 'holder') == holder then
  redis.call('HDEL', round_key, 'holder', 'held_until')
end
