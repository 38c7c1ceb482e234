-- How the board and the outbox stand.
-- KEYS leaderboard, leaderboard:whole, outbox
-- Answers: players; 1 when the board is whole; entries ever added to the outbox (-1 when Redis does not count them);
-- entries in it; milliseconds the oldest of them has waited.

local added, oldest = 0, 0
local waiting = redis.call('XLEN', KEYS[3])
if redis.call('EXISTS', KEYS[3]) == 1 then
  added = -1
  local info = redis.call('XINFO', 'STREAM', KEYS[3])
  for index = 1, #info, 2 do
    if info[index] == 'entries-added' then added = info[index + 1] end
  end
end
local first = redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1)[1]
if first then
  local now = redis.call('TIME')
  oldest = math.max(0, now[1] * 1000 + math.floor(now[2] / 1000) - tonumber(first[1]:match('^%d+')))
end
return { redis.call('ZCARD', KEYS[1]), redis.call('EXISTS', KEYS[2]), added, waiting, oldest }
