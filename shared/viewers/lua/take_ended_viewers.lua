-- Connections whose session has ended, as many as may be closed now.
--
-- KEYS  1.. viewers:<shard>, sorted sets: connection ids, when their sessions end (ms)
--       the last one: viewers:quota, hash: tokens, at (ms): the bucket of requests to the gateway
-- ARGV  1 now (ms), '' for this server's clock  2 at most so many  3 requests a second  4 burst
-- Answers their ids.

if #KEYS < 2 or #ARGV ~= 4 then
  return redis.error_reply('ERR take_ended_viewers takes a key for each shard, the quota, and 4 arguments')
end
local given_now, at_most, rate, burst = unpack(ARGV)

--!now
local moment = string.format('%.0f', now)
local quota = KEYS[#KEYS]
rate, burst = tonumber(rate), tonumber(burst)
local bucket = redis.call('HMGET', quota, 'tokens', 'at')
local passed = math.max(now - tonumber(bucket[2] or 0), 0)
local tokens = math.min(tonumber(bucket[1] or burst) + passed * rate / 1000, burst)

local ids, most = {}, math.min(tonumber(at_most), math.max(math.floor(tokens), 0))
for shard = 1, #KEYS - 1 do
  if #ids < most then
    for _, id in ipairs(redis.call('ZRANGE', KEYS[shard], '-inf', moment, 'BYSCORE', 'LIMIT', 0, most - #ids)) do
      ids[#ids + 1] = id
    end
  end
end
redis.call('HSET', quota, 'tokens', tostring(tokens - #ids), 'at', moment)
return ids
