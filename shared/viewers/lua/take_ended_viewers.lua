-- Connections whose session has ended, as many as may be closed now.
--
-- KEYS  1.. viewers:<shard>, sorted sets: connection ids, when their sessions end (ms)
--       the last one: viewers:quota, hash: tokens, at (ms): the bucket of requests to the gateway
-- ARGV  1 now (ms), '' for this server's clock  2 at most so many  3 requests a second  4 burst
-- Answers their ids.

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local moment = string.format('%.0f', now)
local quota = KEYS[#KEYS]
local rate, burst = tonumber(ARGV[3]), tonumber(ARGV[4])
local bucket = redis.call('HMGET', quota, 'tokens', 'at')
local passed = math.max(now - tonumber(bucket[2] or 0), 0)
local tokens = math.min(tonumber(bucket[1] or burst) + passed * rate / 1000, burst)

local ids, most = {}, math.min(tonumber(ARGV[2]), math.max(math.floor(tokens), 0))
for shard = 1, #KEYS - 1 do
  if #ids < most then
    for _, id in ipairs(redis.call('ZRANGE', KEYS[shard], '-inf', moment, 'BYSCORE', 'LIMIT', 0, most - #ids)) do
      ids[#ids + 1] = id
    end
  end
end
redis.call('HSET', quota, 'tokens', tostring(tokens - #ids), 'at', moment)
return ids
