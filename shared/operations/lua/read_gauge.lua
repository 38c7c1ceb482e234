-- How the board and the outbox stand.
--
-- KEYS  1 leaderboard  2 leaderboard:whole  3 outbox
-- Answers: players; 1 when the board is whole; entries ever added to the outbox (-1 when Redis does not count them);
-- entries in it; milliseconds the oldest of them has waited.

if #KEYS ~= 3 or #ARGV ~= 0 then
  return redis.error_reply('ERR read_gauge takes 3 keys and no arguments')
end
local board, whole, outbox = unpack(KEYS)

local added, oldest = 0, 0
local waiting = redis.call('XLEN', outbox)
if redis.call('EXISTS', outbox) == 1 then
  added = -1
  local info = redis.call('XINFO', 'STREAM', outbox)
  for index = 1, #info, 2 do
    if info[index] == 'entries-added' then added = info[index + 1] end
  end
end
local first = redis.call('XRANGE', outbox, '-', '+', 'COUNT', 1)[1]
if first then
  local now = redis.call('TIME')
  oldest = math.max(0, now[1] * 1000 + math.floor(now[2] / 1000) - tonumber(first[1]:match('^%d+')))
end
return { redis.call('ZCARD', board), redis.call('EXISTS', whole), added, waiting, oldest }
