-- Has a connection watch a view, under an id of its own, in the place of what it watched under that id.
--
-- KEYS  1 viewer:<connection>           hash: ends_at (ms), user_id, and under id:<id> the view of each subscription
--       2 viewers:<view>:<shard>        sorted set: connection ids, when their sessions end (ms)
--       3 viewers:<view>:<shard>:owed   sorted set: connections that get a frame out of turn, from when on (ms)
--       4 viewers:<view>:<shard>:round  hash: see take_viewers
--       5 viewers:<view>:frame          hash: see put_views
--       6 viewers:watched               sorted set: views of which frames are made, until when (ms)
-- ARGV  1 now (ms), '' for this server's clock  2 connection id  3 id of the subscription  4 view
--       5 version of the view that the connection has  6 most subscriptions of a connection  7 TTL of KEYS 2 to 5 (ms)
-- Answers {'ended'} when the session has; {'full'}; or {'watched', the view that stood under the id or '', 1 when the connection
--         is owed a newer frame}.

if #KEYS ~= 6 or #ARGV ~= 7 then
  return redis.error_reply('ERR watch_view takes 6 keys and 7 arguments')
end
local viewer, viewers, owed, round, frame, watched = unpack(KEYS)
local given_now, connection_id, id, view, version, most, ttl = unpack(ARGV)

--!now
local ends_at = redis.call('HGET', viewer, 'ends_at')
if not ends_at or tonumber(ends_at) <= now then
  return { 'ended' }
end
local before = redis.call('HGET', viewer, 'id:' .. id) or ''
if before == '' and redis.call('HLEN', viewer) - 2 >= tonumber(most) then
  return { 'full' }
end
redis.call('HSET', viewer, 'id:' .. id, view)
redis.call('ZADD', watched, 'GT', ends_at, view)
local newest = redis.call('HGET', frame, 'version')
if redis.call('ZADD', viewers, ends_at, connection_id) == 1 then
  if redis.call('ZCARD', viewers) == 1 and newest == version then
    redis.call('HSET', round, 'version', newest, 'left', 0) -- everybody has it
  elseif tonumber(redis.call('HGET', round, 'left') or 0) > 0 then
    redis.call('HINCRBY', round, 'left', 1) -- one place further around, so that a newcomer takes nobody's turn
  end
end
local is_owed = tonumber(newest or 0) > tonumber(version)
if is_owed then
  redis.call('ZADD', owed, string.format('%.0f', now), connection_id)
end
redis.call('HSETNX', round, 'left', 0) -- it is there, and so has a TTL, too
for _, key in ipairs({ viewers, owed, round, frame }) do
  redis.call('PEXPIRE', key, ttl)
end
return { 'watched', before, is_owed and 1 or 0 }
