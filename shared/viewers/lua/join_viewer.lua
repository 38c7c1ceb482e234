-- Notes a connection; it is owed a frame.
--
-- KEYS  1 viewers:<shard>        sorted set: connection ids, when their sessions end (ms)
--       2 viewers:<shard>:since  hash: connection id -> when it connected (ms)
--       3 viewers:<shard>:owed   sorted set: connections that get a frame out of turn, from when on (ms)
--       4 viewers:<shard>:round  hash: see take_viewers
--       5 viewers:asked          string: somebody asked for a broadcast. TTL
-- ARGV  1 now (ms), '' for this server's clock  2 connection id  3 when its session ends (ms)  4 most connections of a shard
--       5 TTL of KEYS 5 (ms)  6 how long a connection can last (ms)
-- Answers 2 when the caller must ask for a broadcast, 1 when somebody did, 0 when the shard is full.

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) and not redis.call('ZSCORE', KEYS[1], ARGV[2]) then
  return 0
end
local moment = string.format('%.0f', now)
redis.call('ZADD', KEYS[1], string.format('%.0f', math.min(tonumber(ARGV[3]), now + tonumber(ARGV[6]))), ARGV[2])
redis.call('HSET', KEYS[2], ARGV[2], moment)
redis.call('ZADD', KEYS[3], moment, ARGV[2])
-- A round in progress goes around one place further, so that a newcomer takes nobody's turn.
if tonumber(redis.call('HGET', KEYS[4], 'left') or 0) > 0 then
  redis.call('HINCRBY', KEYS[4], 'left', 1)
end
-- More of its TTL is left than it was given: the clock was set back.
if redis.call('PTTL', KEYS[5]) > tonumber(ARGV[5]) then
  redis.call('DEL', KEYS[5])
end
if redis.call('SET', KEYS[5], '1', 'NX', 'PX', ARGV[5]) then
  return 2
end
return 1
