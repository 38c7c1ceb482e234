-- Gives a frame the next version, keeps it for newcomers and publishes it, unless a newer board went out meanwhile.
--
-- KEYS  1 leaderboard:version  string: version of the newest frame
--       2 <channel>:last       string: the newest frame
-- ARGV  1 channel  2 frame behind the version number  3 ticket: the version that was newest when the board was read
--       4 when the oldest update was accepted that the frame is sent for (ms), or '': published to <channel>:accepted before it
-- Answers the version, or 0 when the board was out of date.

local newest = tonumber(redis.call('GET', KEYS[1]) or '0')
if newest ~= tonumber(ARGV[3]) then
  return 0
end
local time = redis.call('TIME')
-- At least the time in ms, so that versions rise even after Redis lost everything.
local version = string.format('%.0f', math.max(newest + 1, time[1] * 1000 + math.floor(time[2] / 1000)))
local frame = '{"type":"leaderboard","version":' .. version .. ARGV[2]
redis.call('SET', KEYS[1], version)
redis.call('SET', KEYS[2], frame)
if ARGV[4] ~= '' then
  redis.call('PUBLISH', ARGV[1] .. ':accepted', ARGV[4])
end
redis.call('PUBLISH', ARGV[1], frame)
return version
