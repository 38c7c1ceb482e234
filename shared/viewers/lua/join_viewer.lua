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

if #KEYS ~= 5 or #ARGV ~= 6 then
  return redis.error_reply('ERR join_viewer takes 5 keys and 6 arguments')
end
local viewers, since, owed, round, asked = unpack(KEYS)
local given_now, connection_id, ends_ms, max_connections, asked_ttl, longest_ms = unpack(ARGV)

--!now
if redis.call('ZCARD', viewers) >= tonumber(max_connections) and not redis.call('ZSCORE', viewers, connection_id) then
  return 0
end
local moment = string.format('%.0f', now)
redis.call('ZADD', viewers, string.format('%.0f', math.min(tonumber(ends_ms), now + tonumber(longest_ms))), connection_id)
redis.call('HSET', since, connection_id, moment)
redis.call('ZADD', owed, moment, connection_id)
-- A round in progress goes around one place further, so that a newcomer takes nobody's turn.
if tonumber(redis.call('HGET', round, 'left') or 0) > 0 then
  redis.call('HINCRBY', round, 'left', 1)
end
-- More of its TTL is left than it was given: the clock was set back.
if redis.call('PTTL', asked) > tonumber(asked_ttl) then
  redis.call('DEL', asked)
end
if redis.call('SET', asked, '1', 'NX', 'PX', asked_ttl) then
  return 2
end
return 1
