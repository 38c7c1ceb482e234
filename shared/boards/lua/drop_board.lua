-- Take a board, and every season of it that may be here, out of Redis.
--
-- KEYS  1 board:<id>  hash: as in put_board.lua
-- ARGV  none
-- Answers 1, or 0 when it is not here.

if #KEYS ~= 1 or #ARGV ~= 0 then
  return redis.error_reply('ERR drop_board takes 1 key and no arguments')
end
local board = KEYS[1]

local fields = redis.call('HGETALL', board)
for place = 1, #fields, 2 do
  local period, season = string.match(fields[place], '^ended:(.*):(%d+)$')
  if not period then
    period, season = string.match(fields[place], '^season:(.*)$'), string.match(fields[place + 1], '^(%d+) ')
  end
  if period and season then
    local scores = board .. ':' .. period .. ':' .. season
    redis.call('UNLINK', scores, scores .. ':members', scores .. ':hidden')
  end
end
return redis.call('UNLINK', board)
