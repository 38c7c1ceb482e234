-- Have players of a board stand in its seasons, or hidden beside them, each with the score they have. Nobody's score changes.
--
-- KEYS  of each season  board:<id>:<period>:<season>          sorted set: members with their scores
--                       board:<id>:<period>:<season>:members  hash: the member of each player, hidden ones too
--                       board:<id>:<period>:<season>:hidden   sorted set: members of hidden players
-- ARGV  1 'show' or 'hide'  2.. user ids, at most 500
-- Answers how often somebody moved from one to the other.

if #KEYS == 0 or #KEYS % 3 ~= 0 or #ARGV < 2 or #ARGV > 501 then
  return redis.error_reply('ERR place_members takes 3 keys for each season, 1 argument, and one for each of at most 500 players')
end
local verb = unpack(ARGV)

local moved = 0
for at = 0, #KEYS / 3 - 1 do
  local scores, members, hidden = unpack(KEYS, 3 * at + 1, 3 * at + 3)
  local from, to = hidden, scores
  if verb == 'hide' then
    from, to = scores, hidden
  end
  for place = 2, #ARGV do
    local member = redis.call('HGET', members, ARGV[place])
    local score = member and redis.call('ZSCORE', from, member)
    if score then
      redis.call('ZADD', to, score, member)
      redis.call('ZREM', from, member)
      moved = moved + 1
    end
  end
end
return moved
