-- Keeps a board as the newest frame, under the next version if it differs, unless a newer one came meanwhile.
--
-- KEYS  1 viewers:frame        hash: version, data (the lines as JSON), cache_time, shown (tick of the newest frame),
--                              sent (the version that went out where one request reaches everybody)
--       2 leaderboard:version  string: version of the newest frame
-- ARGV  1 now (ms), '' for this server's clock  2 tick  3 ticket: the version that was newest when the board was read
--       4 data  5 cache_time
-- Answers the version, or 0 when the board was out of date.

if #KEYS ~= 2 or #ARGV ~= 5 then
  return redis.error_reply('ERR put_frame takes 2 keys and 5 arguments')
end
local frame_key, version_key = unpack(KEYS)
local given_now, tick, ticket, data, cache_time = unpack(ARGV)

local newest = tonumber(redis.call('GET', version_key) or 0)
if newest ~= tonumber(ticket) then
  return '0'
end
local kept = redis.call('HMGET', frame_key, 'version', 'data', 'shown')
local shown = math.max(tonumber(kept[3] or 0), tonumber(tick))
local version = newest
if tonumber(kept[1] or -1) ~= newest or kept[2] ~= data then
  local now = tonumber(given_now)
  if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  -- At least the time in ms, so that versions rise even after Redis lost everything.
  version = math.max(newest + 1, now)
end
local text = string.format('%.0f', version)
redis.call('SET', version_key, text)
redis.call('HSET', frame_key, 'version', text, 'data', data, 'cache_time', cache_time, 'shown', shown)
return text
