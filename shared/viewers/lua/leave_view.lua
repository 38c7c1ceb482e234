-- Has a connection watch a view no longer, or one time less.
--
-- KEYS  1 viewer:<connection>          hash: see watch_view
--       2 viewers:watched              sorted set: views of which frames are made, until when (ms)
--       3 viewers:<view>:<shard>:owed  sorted set, of the connection's shard
--       4.. viewers:<view>:<shard>     sorted sets, of all shards, the connection's in front
-- ARGV  1 now (ms), '' for this server's clock  2 connection id  3 view  4 id of the subscription that is over, '' for all
--       5 for how long (ms) frames are made that nobody watches: somebody may be about to

if #KEYS < 4 or #ARGV ~= 5 then
  return redis.error_reply('ERR leave_view takes at least 4 keys and 5 arguments')
end
local viewer, watched, owed, viewers = unpack(KEYS)
local given_now, connection_id, view, id, kept_ms = unpack(ARGV)

if id ~= '' and redis.call('HGET', viewer, 'id:' .. id) == view then
  redis.call('HDEL', viewer, 'id:' .. id)
end
local fields = redis.call('HGETALL', viewer)
for place = 1, #fields, 2 do
  if string.sub(fields[place], 1, 3) == 'id:' and fields[place + 1] == view then
    if id ~= '' then
      return
    end
    redis.call('HDEL', viewer, fields[place])
  end
end
redis.call('ZREM', viewers, connection_id)
redis.call('ZREM', owed, connection_id)
for place = 4, #KEYS do
  if redis.call('EXISTS', KEYS[place]) == 1 then
    return
  end
end
--!now
redis.call('ZADD', watched, 'XX', 'LT', string.format('%.0f', now + tonumber(kept_ms)), view)
