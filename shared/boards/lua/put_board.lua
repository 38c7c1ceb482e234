-- Put a board as it is by now, unless somebody else was faster; with a board that this Redis did not hold go its seasons.
--
-- KEYS  1 board:<id>         hash: version, definition, `season:<period>`: number, start and end (ms) of the open season, `last:<period>`
--                            where none is open; `ended:<period>:<season>`: start and end (ms) of one whose keys may be here;
--                            `reset:<period>`: what the last reset did; `sweep:<period>`: how far a reconciliation has come;
--                            `left` and a version alone while it is in another shard: see leave_board.lua
--       2 leaderboard:whole  string: there when this Redis holds what the ledger does
--       3.. pairs: a sorted set or hash that was filled, and the key that it becomes
-- ARGV  1 version that was read, '' for none  2 value of 2 before it was asked where the board belongs, '' for whichever
--       3.. of each pair how many members it must have, then fields and values of 1
-- Answers 'ok', 'other' when the board is another one by now, 'rebuilding' when nothing is here; an error when a part was lost.

if #KEYS < 2 or #KEYS % 2 == 1 or #ARGV < 4 or (#ARGV - #KEYS / 2) % 2 == 0 then
  return redis.error_reply('ERR put_board takes 2 keys and pairs of them, 2 arguments, 1 for each pair, and fields with their values')
end
local board, whole = KEYS[1], KEYS[2]
local version, mark = ARGV[1], ARGV[2]

local present_mark = redis.call('GET', whole)
if not present_mark then
  return 'rebuilding'
end
if mark ~= '' and mark ~= present_mark then
  return 'other'
end
if (redis.call('HGET', board, 'version') or '') ~= version then
  return 'other'
end
local pairs_given = #KEYS / 2 - 1
for pair = 1, pairs_given do
  local built = KEYS[1 + 2 * pair]
  local kind = redis.call('TYPE', built).ok
  local size = kind == 'hash' and redis.call('HLEN', built) or kind == 'zset' and redis.call('ZCARD', built) or 0
  if size ~= tonumber(ARGV[2 + pair]) then
    return redis.error_reply('ERR a part of the board was lost on its way')
  end
end
for pair = 1, pairs_given do
  local built, place = KEYS[1 + 2 * pair], KEYS[2 + 2 * pair]
  redis.call('UNLINK', place)
  if redis.call('EXISTS', built) == 1 then
    redis.call('RENAME', built, place)
    redis.call('PERSIST', place)
  end
end
for _, field in ipairs(redis.call('HKEYS', board)) do
  if string.find(field, '^season:') or string.find(field, '^last:') or field == 'left' then
    redis.call('HDEL', board, field)
  end
end
redis.call('HSET', board, unpack(ARGV, 3 + pairs_given))
return 'ok'
