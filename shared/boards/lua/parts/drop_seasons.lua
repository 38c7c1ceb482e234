-- Take every season of a board that may be here out of Redis.
--
-- Needs: board (key). Makes: fields, those of the board with their values.

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
