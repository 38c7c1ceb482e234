-- End the open season of a period now; the next one begins at that instant.
--
-- KEYS  1 board:<id>         hash: as in put_board.lua
--       2 leaderboard:whole  string: there when this Redis holds what the ledger does
-- ARGV  1 version that the caller knows  2 until when (ms) the seasons it knows are open  3 version from now on  4 period
--       5 what names the request  6 now (ms), or '' for Redis's own clock
-- Answers {'ok', number, start and end (ms) of the season that ended, end of the next one}, also when the same request did it before,
--      or {'board', now} definition or seasons are others by now, {'closed'} none is open, {'rebuilding'}

if #KEYS ~= 2 or #ARGV ~= 6 then
  return redis.error_reply('ERR reset_season takes 2 keys and 6 arguments')
end
local board, whole = unpack(KEYS)
local version, seasons_until, new_version, period, request, given_now = unpack(ARGV)

if redis.call('EXISTS', whole) == 0 then
  return { 'rebuilding' }
end
local known = redis.call('HMGET', board, 'version', 'season:' .. period, 'reset:' .. period)
if known[3] then
  local done_by, ended, started, at, following = string.match(known[3], '^(%S+) (%d+) (%d+) (%d+) (%d+)$')
  if done_by == request then
    return { 'ok', ended, started, at, following }
  end
end
--!now
if known[1] ~= version or not known[2] or now >= tonumber(seasons_until) then
  return { 'board', now }
end
local number, starts, ends = string.match(known[2], '^(%d+) (%d+) (%d+)$')
if number == '0' then
  return { 'closed' }
end
-- A season lasts for a millisecond at least, whatever the clock did.
local at = string.format('%.0f', math.max(now, tonumber(starts) + 1))
redis.call(
  'HSET', board, 'version', new_version,
  'season:' .. period, string.format('%d %s %s', number + 1, at, ends),
  'ended:' .. period .. ':' .. number, starts .. ' ' .. at,
  'reset:' .. period, table.concat({ request, number, starts, at, ends }, ' ')
)
return { 'ok', number, starts, at, ends }
