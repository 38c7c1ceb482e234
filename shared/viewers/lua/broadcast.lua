-- Gives a frame the next version, keeps it for newcomers and publishes it, unless a newer board went out meanwhile.
--
-- KEYS  1 leaderboard:version  string: version of the newest frame
--       2 <channel>:last       string: the newest frame
-- ARGV  1 channel  2 frame behind the version number  3 ticket: the version that was newest when the board was read
--       4 when the oldest update was accepted that the frame is sent for (ms), or '': published to <channel>:accepted before it
--       5 PUBLISH or SPUBLISH
-- Answers the version, or 0 when the board was out of date.

if #KEYS ~= 2 or #ARGV ~= 5 then
  return redis.error_reply('ERR broadcast takes 2 keys and 5 arguments')
end
local version_key, last_frame = unpack(KEYS)
local channel, frame_end, ticket, accepted_ms, publish = unpack(ARGV)

local newest = tonumber(redis.call('GET', version_key) or '0')
if newest ~= tonumber(ticket) then
  return 0
end
local time = redis.call('TIME')
-- At least the time in ms, so that versions rise even after Redis lost everything.
local version = string.format('%.0f', math.max(newest + 1, time[1] * 1000 + math.floor(time[2] / 1000)))
local frame = '{"type":"leaderboard","version":' .. version .. frame_end
redis.call('SET', version_key, version)
redis.call('SET', last_frame, frame)
if accepted_ms ~= '' then
  redis.call(publish, channel .. ':accepted', accepted_ms)
end
redis.call(publish, channel, frame)
return version
