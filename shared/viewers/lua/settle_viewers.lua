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

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local served_end = 7 + tonumber(ARGV[6])
local gone_end = served_end + tonumber(ARGV[7])
local next_turn = string.format('%.0f', now + tonumber(ARGV[5]))

for place = 8, served_end do
  redis.call('ZREM', KEYS[3], ARGV[place])
end
for place = served_end + 1, #ARGV do
  local id = ARGV[place]
  local is_young = now - tonumber(redis.call('HGET', KEYS[2], id) or 0) < tonumber(ARGV[3])
  if place <= gone_end and not is_young then
    redis.call('ZREM', KEYS[1], id)
    redis.call('HDEL', KEYS[2], id)
    redis.call('ZREM', KEYS[3], id)
  elseif redis.call('ZSCORE', KEYS[1], id) then
    redis.call('ZADD', KEYS[3], next_turn, id)
  end
end
if tonumber(ARGV[4]) > 0 then
  redis.call('HINCRBYFLOAT', KEYS[5], 'tokens', '-' .. ARGV[4])
end
if redis.call('HGET', KEYS[4], 'holder') == ARGV[2] then
  redis.call('HDEL', KEYS[4], 'holder', 'held_until')
end
