-- What a season of a board has of some players, and the number of the newest update in it, at one instant.
--
-- KEYS  1 board:<id>           hash: version; `season:<period>` and `ended:<period>:<season>`, whose keys may be here
--       2 leaderboard:numbers  hash: epoch, sequence, `open`
--       3 board:<id>:<period>:<season>  4 …:members  5 …:hidden
-- ARGV  1 period  2 season  3.. of each player the user id, and a member that was seen to be theirs, or ''
-- Answers {version, '1' where an epoch is open or '', epoch, sequence, then of each player: member by the hash, its score, its score
--      among the hidden, and the score of the member that was seen if the hash names another one; '' for what is not there},
--      or nothing when the season is not here.

if #KEYS ~= 5 or #ARGV < 2 or #ARGV % 2 == 1 then
  return redis.error_reply('ERR read_standings takes 5 keys, 2 arguments, and two for each player')
end
local board, numbers_key, scores, members, hidden = unpack(KEYS)
local period, season = unpack(ARGV)

local open_season = string.match(redis.call('HGET', board, 'season:' .. period) or '', '^(%d+) ')
if open_season ~= season and redis.call('HEXISTS', board, 'ended:' .. period .. ':' .. season) == 0 then
  return false
end
local numbers = redis.call('HMGET', numbers_key, 'open', 'epoch', 'sequence')
local answer = { redis.call('HGET', board, 'version'), numbers[1] and '1' or '', numbers[2] or '0', numbers[3] or '0' }
for place = 3, #ARGV, 2 do
  local member, seen = redis.call('HGET', members, ARGV[place]), ARGV[place + 1]
  local stray = seen ~= '' and seen ~= member and (redis.call('ZSCORE', scores, seen) or redis.call('ZSCORE', hidden, seen))
  answer[#answer + 1] = member or ''
  answer[#answer + 1] = member and redis.call('ZSCORE', scores, member) or ''
  answer[#answer + 1] = member and redis.call('ZSCORE', hidden, member) or ''
  answer[#answer + 1] = stray or ''
end
return answer
