-- Keeps views of a board as their newest frames, each under the version of its reading if it differs, unless newer ones came
-- meanwhile.
--
-- KEYS  1 viewers:board:<id>    hash: ticks, shown, next_at; see tick_frame
--       2.. viewers:<view>:frame  hashes: version, data, cache_time, read (version of the newest reading that shows this data)
-- ARGV  1 the tick in which the board was read, 0 for none  2 cache_time  3 TTL (ms)
--       4.. for each view the version of its reading, '' for one newer than all, and its data
-- Answers the version of each view, 0 where a newer reading is there.

if #KEYS < 2 or #ARGV ~= 2 * #KEYS + 1 then
  return redis.error_reply('ERR put_views takes 2 keys and 5 arguments, and 2 arguments for each other key')
end
local ticks_key = KEYS[1]
local tick, cache_time, ttl = unpack(ARGV)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local versions = {}
for place = 2, #KEYS do
  local frame_key, reading, data = KEYS[place], tonumber(ARGV[2 * place]), ARGV[2 * place + 1]
  local kept = redis.call('HMGET', frame_key, 'version', 'data', 'read')
  local read = tonumber(kept[3] or 0)
  reading = reading or math.max(read + 1, now)
  local version = 0
  if reading > read then
    local text = string.format('%.0f', reading)
    version = text
    if kept[2] == data then
      version = kept[1]
    else
      redis.call('HSET', frame_key, 'version', text, 'data', data, 'cache_time', cache_time)
    end
    redis.call('HSET', frame_key, 'read', text)
  end
  redis.call('PEXPIRE', frame_key, ttl)
  versions[#versions + 1] = version
end
if tonumber(tick) > tonumber(redis.call('HGET', ticks_key, 'shown') or 0) then
  redis.call('HSET', ticks_key, 'shown', tick)
  redis.call('PEXPIRE', ticks_key, ttl)
end
return versions
