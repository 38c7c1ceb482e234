-- Take members off a season that the hash of players' members does not name.
--
-- KEYS  1 board:<id>:<period>:<season>  2 …:members  3 …:hidden
-- ARGV  pairs of user id and member, at most 200
-- Answers how many were taken off.

if #KEYS ~= 3 or #ARGV < 2 or #ARGV > 400 or #ARGV % 2 == 1 then
  return redis.error_reply('ERR drop_strays takes 3 keys, and two arguments for each of at most 200 members')
end
local scores, members, hidden = unpack(KEYS)

local dropped = 0
for place = 1, #ARGV, 2 do
  local user_id, member = ARGV[place], ARGV[place + 1]
  if redis.call('HGET', members, user_id) ~= member then
    dropped = dropped + redis.call('ZREM', scores, member) + redis.call('ZREM', hidden, member)
  end
end
return dropped
