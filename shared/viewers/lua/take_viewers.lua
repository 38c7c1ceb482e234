-- The next viewers of a shard to be posted to, and the newest frame. Who takes holds the shard until they settle.
--
-- The connections of a shard stand in a ring. A round goes once around it, from where the last one ended, for the newest
-- version; when a newer one comes the round begins anew at the place it has reached, so that nobody is always last. Those who
-- are owed a frame (newcomers, failed posts) come first.
--
-- The keys are those of `main`; a view's have its name in the place of the first colon: viewers:<view>:<shard>.
--
-- KEYS  1 viewers:<shard>        sorted set: connection ids, when their sessions end (ms)
--       2 viewers:<shard>:owed   sorted set: connections that get a frame out of turn, from when on (ms)
--       3 viewers:<shard>:round  hash: version, left (places to go), cursor and cursor_at (the last one's id and score),
--                                holder, held_until (ms)
--       4 viewers:frame          hash: version, data, cache_time
--       5 viewers:quota          hash: tokens, at (ms): the bucket of requests to the gateway
-- ARGV  1 now (ms), '' for this server's clock  2 holder  3 lease (ms)  4 at most so many  5 requests a second  6 burst
-- Answers {'send', version, data, cache_time, connection ids...}; {'throttled', ms} until the bucket has tokens for a quarter of
--         so many, or for all who wait; {'wait', ms} while somebody else holds the shard or an owed one's time has not come;
--         {'idle'}.

if #KEYS ~= 5 or #ARGV ~= 6 then
  return redis.error_reply('ERR take_viewers takes 5 keys and 6 arguments')
end
local viewers, owed_key, round_key, frame_key, quota = unpack(KEYS)
local given_now, holder, lease_ms, at_most, rate, burst = unpack(ARGV)

--!now
local moment = string.format('%.0f', now)
local frame = redis.call('HMGET', frame_key, 'version', 'data', 'cache_time')
if not frame[1] then
  return { 'idle' }
end
local round = redis.call('HMGET', round_key, 'version', 'left', 'cursor', 'cursor_at', 'holder', 'held_until')
local lease = tonumber(lease_ms)
-- Held for longer than a lease: the clock was set back.
if round[5] and round[5] ~= holder and tonumber(round[6]) > now and tonumber(round[6]) <= now + 2 * lease then
  return { 'wait', math.ceil(math.min(tonumber(round[6]) - now, lease)) }
end

-- A holder that did not settle has died: whom it reached is unknown, so the round begins anew.
local left = tonumber(round[2] or 0)
if round[5] or round[1] ~= frame[1] then
  left = redis.call('ZCOUNT', viewers, '(' .. moment, '+inf')
  redis.call('HSET', round_key, 'version', frame[1], 'left', left)
  redis.call('HDEL', round_key, 'holder', 'held_until')
end

local owed = redis.call('ZRANGE', owed_key, '-inf', moment, 'BYSCORE', 'LIMIT', 0, at_most)
if #owed == 0 and left == 0 then
  local first = redis.call('ZRANGE', owed_key, 0, 0, 'WITHSCORES')
  return first[2] and { 'wait', math.ceil(tonumber(first[2]) - now) } or { 'idle' }
end

rate, burst = tonumber(rate), tonumber(burst)
local bucket = redis.call('HMGET', quota, 'tokens', 'at')
local passed = math.max(now - tonumber(bucket[2] or 0), 0)
if tonumber(bucket[2] or 0) > now then -- the clock was set back: the bucket fills from now on
  redis.call('HSET', quota, 'at', moment)
end
local tokens = math.min(tonumber(bucket[1] or burst) + passed * rate / 1000, burst)
local worth_it = math.max(1, math.min(#owed + left, math.floor(tonumber(at_most) / 4)))
if tokens < worth_it then
  return { 'throttled', math.ceil((worth_it - tokens) * 1000 / rate) }
end
local most = math.min(tonumber(at_most), math.floor(tokens))

local answer, taken = { 'send', frame[1], frame[2], frame[3] }, {}
local function take(id)
  if not taken[id] then
    taken[id] = true
    answer[#answer + 1] = id
  end
end

for _, id in ipairs(owed) do
  if #answer - 4 == most then
    break
  end
  if tonumber(redis.call('ZSCORE', viewers, id) or 0) > now then
    redis.call('ZADD', owed_key, string.format('%.0f', now + lease), id) -- comes back unless it is settled
    take(id)
  else
    redis.call('ZREM', owed_key, id)
  end
end

local places = math.min(most - (#answer - 4), left)
if places > 0 then
  local first = redis.call('ZCOUNT', viewers, '-inf', moment) -- in front of it are those whose session has ended
  local rank = 0
  if round[3] then
    rank = redis.call('ZRANK', viewers, round[3])
    if rank then
      rank = rank + 1
    else -- has left; put back for a moment it shows where it stood
      redis.call('ZADD', viewers, round[4], round[3])
      rank = redis.call('ZRANK', viewers, round[3])
      redis.call('ZREM', viewers, round[3])
    end
  end
  rank = math.max(rank, first)
  local passing = redis.call('ZRANGE', viewers, rank, rank + places - 1, 'WITHSCORES')
  local missing = places - #passing / 2
  if missing > 0 then
    for _, value in ipairs(redis.call('ZRANGE', viewers, first, first + missing - 1, 'WITHSCORES')) do
      passing[#passing + 1] = value
    end
  end
  for place = 1, #passing, 2 do
    take(passing[place])
  end
  if #passing > 0 then
    redis.call('HSET', round_key, 'cursor', passing[#passing - 1], 'cursor_at', passing[#passing])
  end
  redis.call('HSET', round_key, 'left', #passing > 0 and left - places or 0)
end

if #answer == 4 then
  return { 'wait', 0 } -- only some who have left were owed a frame
end
redis.call('HSET', quota, 'tokens', tostring(tokens - (#answer - 4)), 'at', moment)
redis.call('HSET', round_key, 'holder', holder, 'held_until', string.format('%.0f', now + lease))
return answer
