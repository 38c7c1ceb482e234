-- Keeps a board as the newest frame, under the next version if it differs, unless a newer one came meanwhile.
--
-- KEYS  1 viewers:frame        hash: version, data (the lines as JSON), cache_time, shown (tick of the newest frame),
--                              sent (the version that went out where one request reaches everybody)
--       2 leaderboard:version  string: version of the newest frame
-- ARGV  1 now (ms), '' for this server's clock  2 tick  3 ticket: the version that was newest when the board was read
--       4 data  5 cache_time
-- Answers the version, or 0 when the board was out of date.

local newest = tonumber(redis.call('GET', KEYS[2]) or 0)
if newest ~= tonumber(ARGV[3]) then
  return '0'
end
local kept = redis.call('HMGET', KEYS[1], 'version', 'data', 'shown')
local shown = math.max(tonumber(kept[3] or 0), tonumber(ARGV[2]))
local version = newest
if tonumber(kept[1] or -1) ~= newest or kept[2] ~= ARGV[4] then
  local now = tonumber(ARGV[1])
  if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  -- At least the time in ms, so that versions rise even after Redis lost everything.
  version = math.max(newest + 1, now)
end
local text = string.format('%.0f', version)
redis.call('SET', KEYS[2], text)
redis.call('HSET', KEYS[1], 'version', text, 'data', ARGV[4], 'cache_time', ARGV[5], 'shown', shown)
return text
